"""Reminders of drawn sagas: said no more often than is declared, and never once the step has been answered.

RemindPlan ──reminder_of──▶ Remind        Nag commands and answers in the history ──▶ promises
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.flow import Part
from runtime.saga.remind import Remind
from runtime.store.records import Outcome
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.annotate import annotate
from tests.proof.programs.detour_plan import NAGGED, RemindPlan
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Program, Run, SagaPlan
from tests.proof.programs.vocabulary import words_of

__all__ = ["check_reminders", "nags_of", "reminder_of"]

_NAG = pb.Nag.DESCRIPTOR.full_name


def reminder_of(part: Part, step: str, plan: RemindPlan, state_type: type[Message]) -> Remind:
    def nag(state: Any) -> pb.Nag:
        return pb.Nag(run=state.run, step=step)

    annotate(nag, state=state_type, result=pb.Nag)
    return Remind(part, after=plan.after_s, say=nag, every=plan.every_s, times=plan.times)


def nags_of(evidence: Evidence) -> Iterator[tuple[str, str, int]]:
    """Of each reminder that was said: the run, the step, and the revision of the saga's turn that said it."""
    for row, envelope in evidence.ledger.sent():
        if envelope is not None and envelope.type == _NAG:
            said = pb.Nag.FromString(envelope.body)
            cause = evidence.ledger.history.get(row.conversation, {}).get(envelope.cause)
            yield said.run, said.step, cause.revision if cause is not None else 0


def check_reminders(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """What operators had done once more may be reminded of once more, so such runs are not judged."""
    nags: dict[str, list[tuple[str, int]]] = {}
    for name, step, revision in nags_of(evidence):
        nags.setdefault(name, []).append((step, revision))
    for run in program.runs:
        plan, record = program.saga_of(run), evidence.records.get(run.name, (SagaRecord(), None))[0]
        if plan is None or record.repairs:
            continue
        for what in (
            *_too_often(plan, nags.get(run.name, [])),
            *_too_late(evidence, plan, run, nags.get(run.name, [])),
        ):
            yield Violation("I6", f"{run.name}: {what}", record.conversation)
        if record.reminders and record.status != SagaRecord.STUCK:
            yield Violation("I6", f"{run.name}: it has ended, and keeps reminders", record.conversation)


def _too_often(plan: SagaPlan, nags: list[tuple[str, int]]) -> Iterator[str]:
    times = {plan.steps[index].name: one.times for index, one in plan.detours.reminders.items()}
    for step, count in Counter(step for step, _ in nags).items():
        if count > times.get(step, 0):
            yield f"{step}{NAGGED} was said {count} times, and {times.get(step, 0)} are declared"


def _too_late(evidence: Evidence, plan: SagaPlan, run: Run, nags: list[tuple[str, int]]) -> Iterator[str]:
    """Of plain steps: what is within a list, or an alternative, may be answered before all of it is done."""
    for index in plan.detours.reminders:
        if plan.detours.is_whole(index):
            continue
        deed = run.deeds[index]
        settled = _answered_at(evidence, deed.name, deed.kind, run)
        late = [revision for step, revision in nags if step == deed.step and settled and revision > settled]
        if late:
            yield f"{deed.name} was answered at revision {settled}, and reminded of at {late}"


def _answered_at(evidence: Evidence, deed: str, kind: str, run: Run) -> int:
    """The revision of the saga's turn that heard that this was done; 0 if none has."""
    words, found = words_of(kind), [0]
    for row, envelope in evidence.ledger.sent():
        if envelope is None or envelope.type != words.changed.DESCRIPTOR.full_name or row.kind != run.process:
            continue
        heard = evidence.ledger.history.get(row.conversation, {}).get(row.id)
        is_heard = heard is not None and heard.outcome is Outcome.HANDLED
        if heard is not None and is_heard and words.changed.FromString(envelope.body).deed == deed:
            found.append(heard.revision)
    return min((one for one in found if one), default=0)
