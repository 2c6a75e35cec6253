"""Checks whether what clients were told is true, and whether every message is in the history or in the mail."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, SagaRecord
from runtime.testing.rules.ledger import Violation
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.clients import Told
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Deed, Program

__all__ = ["check_told", "check_traces"]


_TURNED = (SagaRecord.COMPENSATED, SagaRecord.STUCK, SagaRecord.ABANDONED)


def check_told(evidence: Evidence, program: Program, told: Told) -> Iterator[Violation]:
    """Everything that clients were told and that is not true."""
    for invariant, what in told.wrong:
        yield Violation(invariant, what)
    for name, answers in told.begun.items():
        for answer in answers:
            yield from _check_begun(evidence, name, answer)
    for name, answers in told.cancelled.items():
        for answer in answers:
            yield from _check_cancelled(evidence, name, answer)
    for deed in program.direct:
        yield from _check_direct(evidence, deed, told)
    for name in told.never:
        if name in evidence.entries:
            yield Violation("I14", f"{name} was done under an id that was taken")


def _check_begun(evidence: Evidence, run: str, answer: Message | None) -> Iterator[Violation]:
    was_started = run in evidence.starts
    if isinstance(answer, pb.BeginRefused) and was_started:
        yield Violation("I11", f"{run} was refused, and was started")
    if isinstance(answer, pb.Begun | pb.Resumed) and not was_started:
        yield Violation("I1", f"{run} was said to have begun, and nothing was started")


def _check_cancelled(evidence: Evidence, run: str, answer: Message | None) -> Iterator[Violation]:
    record = evidence.records[run][0] if run in evidence.records else SagaRecord()
    status = SagaRecord.Status.Name(record.status)
    if isinstance(answer, CancelAccepted) and record.status not in _TURNED:
        yield Violation("I11", f"{run} was said to be turning back, and is {status}", record.conversation)
    if isinstance(answer, CancelRefused) and "completed" in answer.reason and record.status != SagaRecord.COMPLETED:
        yield Violation("I11", f"{run} was said to have completed, and is {status}", record.conversation)
    is_past = isinstance(answer, CancelRefused) and "no way back after" in answer.reason
    if is_past and record.status not in (SagaRecord.COMPLETED, SagaRecord.STUCK):
        yield Violation("I11", f"{run} was said to be past the pivot, and is {status}", record.conversation)


def _check_direct(evidence: Evidence, deed: Deed, told: Told) -> Iterator[Violation]:
    entry, conversation = evidence.entry(deed.name), evidence.conversation(deed.name)
    if entry.dos > 1 or entry.undos:
        yield Violation("I2", f"{deed.name} was applied {entry.dos} times, put back {entry.undos} times", conversation)
    for answer in told.direct.get(deed.name, []):
        is_refusal = answer is not None and "Refused" in answer.DESCRIPTOR.name
        is_change = answer is not None and "Changed" in answer.DESCRIPTOR.name
        if (is_refusal and entry.dos) or (is_change and not entry.dos):
            name = answer.DESCRIPTOR.name if answer is not None else ""
            yield Violation("I11", f"{deed.name} was answered with {name}, and applied {entry.dos} times", conversation)
        if not entry.dos and not entry.refused:
            yield Violation("I1", f"{deed.name} was handled, and nothing came of it", conversation)
    if deed.name in told.faults and not deed.do.is_poison:
        yield Violation("I11", f"{deed.name} was given up: {told.faults[deed.name]}", conversation)


def check_traces(evidence: Evidence) -> Iterator[Violation]:
    """Every message that was sent is in the history or in the mail. None may disappear."""
    ledger = evidence.ledger
    for row, envelope in ledger.sent():
        if row.id not in ledger.waiting and row.id not in ledger.history.get(row.conversation, {}):
            name = "?" if envelope is None else envelope.type
            yield Violation(
                "I9", f"{name} {row.id.hex()} for {row.kind}/{row.key} is gone without a trace", row.conversation
            )
