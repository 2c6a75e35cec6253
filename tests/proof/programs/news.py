"""What a saga says by itself is said once to each kind that waits for events; what was approved is what it asked for.

records, and the events that were sent ──▶ promises
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runtime.envelope import Envelope
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.nodes.approval import digest_of
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import ASKED, SAID, Program

__all__ = ["check_approvals", "check_news"]

_NAME = pb.Tidings.DESCRIPTOR.full_name
_NOT_BEGUN = (TaskRecord.WAITING, TaskRecord.PASSED)


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
