"""Whoever started a saga and waits for its end: noted as it asks, told once in the commit that ends the saga.

    a start that wants an answer ──▶ ask, start_again ──▶ SagaUnderWay, StartRefused, or how it ended, at once
    any input that ends the saga, or gets it stuck ──▶ tell ──▶ SagaCompleted, SagaCompensated, SagaStuck, ...

A stuck saga may end after all, and then its end is told as well. Who asks once more is answered once more.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.durable.saga_end import answer_of, end_of
from runtime.envelope import parse_address
from runtime.protos.saga_pb2 import SagaRecord, StartRefused
from runtime.saga.inputs import AskedBy
from runtime.saga.instance import Instance
from runtime.saga.view import status_name

__all__ = ["ask", "start_again", "tell"]


def ask(saga: Instance, asked_by: AskedBy) -> None:
    """Somebody waits for the end from now on. How the saga stands is told once the input has been applied."""
    asker = saga.record.asker
    asker.address, asker.message_id, asker.told = asked_by.address, asked_by.message_id, False


def start_again(saga: Instance, asked_by: AskedBy) -> None:
    """Whoever started it asks how it stands; another one is refused."""
    record = saga.record
    if record.asker.address == asked_by.address:
        ask(saga, asked_by)
        saga.note = f"{asked_by.address} asks how it stands: it is {status_name(record)}"
        _answer(saga)
        return
    by = record.asker.address or "an event"
    refusal = f"it was started by {by}, and is {status_name(record)}"
    saga.note = f"the start by {asked_by.address} is refused: {refusal}"
    _send(saga, asked_by.address, asked_by.message_id, StartRefused(reason=refusal))


def tell(saga: Instance, before: SagaRecord.Status.ValueType) -> None:
    """Tell who waits what has come of this input. `before` is the status that the saga had before it."""
    record = saga.record
    if not record.HasField("asker") or record.asker.told:
        return
    if before == SagaRecord.NONE or (record.status != before and end_of(record) is not None):
        _answer(saga)


def _answer(saga: Instance) -> None:
    record = saga.record
    asker = record.asker
    asker.told = record.status in (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)
    _send(saga, asker.address, asker.message_id, answer_of(record))


def _send(saga: Instance, address: str, message_id: bytes, answer: Message) -> None:
    kind, key = parse_address(address)
    saga.outgoing.append(Outgoing(answer, kind, key, in_reply_to=message_id))
