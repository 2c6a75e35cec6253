"""Whoever started a saga and waits for its end: noted as it asks, told once in the commit that ends the saga.

    a start that wants an answer ──▶ ask, start_again ──▶ SagaUnderWay, StartRefused, or how it ended, at once
    UndoSaga of a parent ──▶ cancellation.undo ──▶ the same; UndoRefused where there is no way back
    any input that ends the saga, or gets it stuck ──▶ tell ──▶ SagaCompleted, SagaCompensated, SagaStuck, ...

A stuck saga may end after all, and then its end is told as well. Who asks once more is answered once more.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.durable.saga_end import answer_of, end_of
from runtime.envelope import parse_address
from runtime.protos.saga_pb2 import SagaRecord, StartRefused, UndoRefused
from runtime.saga.inputs import AskedBy
from runtime.saga.instance import Instance
from runtime.saga.view import status_name

__all__ = ["answer", "ask", "start_again", "starter_of", "tell"]


def ask(saga: Instance, asked_by: AskedBy, *, undoes: bool = False) -> None:
    """Somebody waits for the end from now on. How the saga stands is told once the input has been applied."""
    asker = saga.record.asker
    asker.address, asker.message_id = asked_by.address, asked_by.message_id
    asker.told, asker.undoes = False, undoes
    saga.was_asked = True


def start_again(saga: Instance, asked_by: AskedBy) -> None:
    """Whoever started it asks how it stands; another one is refused."""
    record = saga.record
    if record.asker.address == asked_by.address:
        saga.note = f"{asked_by.address} asks how it stands: it is {status_name(record)}"
        ask(saga, asked_by)
        return
    refusal = f"it was started by {starter_of(record)}, and is {status_name(record)}"
    saga.note = f"the start by {asked_by.address} is refused: {refusal}"
    answer(saga, asked_by, StartRefused(reason=refusal))


def starter_of(record: SagaRecord) -> str:
    return record.asker.address or "an event"


def answer(saga: Instance, asked_by: AskedBy, message: Message) -> None:
    kind, key = parse_address(asked_by.address)
    saga.outgoing.append(Outgoing(message, kind, key, in_reply_to=asked_by.message_id))


def tell(saga: Instance, before: SagaRecord.Status.ValueType) -> None:
    """Tell who waits what has come of this input. `before` is the status that the saga had before it."""
    record = saga.record
    if not record.HasField("asker"):
        return
    asker = record.asker
    has_news = record.status != before and end_of(record) is not None and not asker.told
    if not (saga.was_asked or has_news):
        return
    asker.told = record.status in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)
    stays = asker.undoes and record.pivot_passed
    said = UndoRefused(reason=saga.no_way_back()) if stays else answer_of(record)
    answer(saga, AskedBy(asker.address, asker.message_id), said)
