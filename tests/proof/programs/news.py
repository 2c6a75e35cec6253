"""News and approvals of drawn sagas: news are said once to each kind that waits for them; what is asked is approved.

news_of, event_of, approval_of ──▶ Publish, Await, Approval
records, and the events that were sent ──▶ promises
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from runtime.envelope import Envelope
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.approval import Approval
from runtime.saga.awaiting import Await
from runtime.saga.nodes.approval import digest_of
from runtime.saga.publish import Publish
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.annotate import annotate
from tests.proof.programs.detour_plan import ASKED, SAID
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Program, StepPlan

__all__ = ["approval_of", "check_approvals", "check_news", "event_of", "news_of"]

_NAME = pb.Tidings.DESCRIPTOR.full_name
_NOT_BEGUN = (TaskRecord.WAITING, TaskRecord.PASSED)


def news_of(step: str, state_type: type[Message]) -> Publish:
    """The event for which the saga waits before this step."""

    def news(state: Any) -> pb.Tidings:
        return pb.Tidings(key=f"{state.run}#{step}")

    return Publish(annotate(news, state=state_type, result=pb.Tidings))


def event_of(step: StepPlan, within_s: float, state_type: type[Message]) -> Await:
    def key(state: Any) -> str:
        return f"{state.run}#{step.name}"

    annotate(key, state=state_type, result=str)
    on_timeout = "go on" if step.past_pivot or len(step.name) % 2 else "turn back"
    return Await(pb.Tidings, key=key, within=within_s, on_timeout=on_timeout, keep=10, keep_for=20.0, outside=True)


def approval_of(step: str, within_s: float, state_type: type[Message], goes_on: bool) -> Approval:
    def asks(state: Any) -> pb.Tidings:
        return pb.Tidings(key=f"{state.run}#{step}")

    return Approval(annotate(asks, state=state_type, result=pb.Tidings), within=within_s, goes_on=goes_on)


def check_news(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """Each kind that waits for events is told of each event."""
    kinds = sum(bool(plan.detours.events_s) for plan in program.sagas)
    sent = Counter(one.sender for _, one in evidence.ledger.sent() if one is not None and _is_news(one))
    for name, (record, row) in evidence.records.items():
        said = sum(one.path.endswith(SAID) and one.status not in _NOT_BEGUN for one in record.tasks)
        found = sent[f"{row.kind}/{row.key}"]
        if found != said * kinds:
            text = f"{name} has said {said} events to {kinds} kinds, and {found} were sent"
            yield Violation("I6", text, record.conversation)


def check_approvals(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """A person who has decided has named the digest of what is asked in this run."""
    for run in program.runs:
        record, _ = evidence.records.get(run.name, (SagaRecord(), None))
        for task in record.tasks:
            if task.path.endswith(ASKED) and task.by_hand.startswith("approved"):
                asked = digest_of(pb.Tidings(key=f"{run.name}#{task.path.removesuffix(ASKED)}"))
                if task.digest != asked:
                    text = f"{run.name}: {task.path} asks for {asked}, and {task.digest} was approved"
                    yield Violation("I6", text, record.conversation)


def _is_news(one: Envelope) -> bool:
    return one.type == _NAME and bool(one.sender)
