"""What comes to an instance that sends nothing: it is suspended and keeps that, or was abandoned and only notes it.

    suspended ──an answer, a timer──▶ held ──the operator resumes it──▶ applied, in the order in which it came

Only what answers a command of the instance is kept, and a timer that it has set. So at most as much is held as commands
and timers were open when it was suspended, since it sends no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from runtime.contracts import names_of
from runtime.durable.behaviour import Outgoing
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import CancelRefused, HeldInput, RetryRefused, SagaRecord
from runtime.saga import inputs
from runtime.saga.definition import Definition
from runtime.saga.instance import Instance
from runtime.saga.node import LOCK_NEWS, full_name

__all__ = ["released", "takes"]

_FAULT, _UNDONE = full_name(durable_pb2.Fault), full_name(durable_pb2.Undone)
_SUSPENDED = "it is suspended: an operator has to resume it first"


def takes(saga: Instance, given: inputs.Input) -> bool:
    """Whether all is done about this input, because the instance sends nothing."""
    if saga.record.status == SagaRecord.ABANDONED:
        return _note(saga, given)
    if saga.record.suspended:
        return _hold(saga, given)
    return False


def released(saga: Instance) -> Iterator[inputs.Input]:
    """What was held, if the instance is suspended no more; each is forgotten as it is given out."""
    record = saga.record
    if record.suspended or not record.held:
        return
    types = _answers(saga.definition)
    held = list(record.held)
    del record.held[:]
    for one in held:
        yield _input(one, types)


def _note(saga: Instance, given: inputs.Input) -> bool:
    match given:
        case inputs.Answered() | inputs.Faulted() | inputs.NothingToUndo() | inputs.TimerFired():
            saga.note = f"{_name(given)} came when the saga had been abandoned"
            return True
    return False


def _hold(saga: Instance, given: inputs.Input) -> bool:
    match given:
        case inputs.TimerFired():
            saga.record.held.add(timer=given.name)
        case inputs.Answered() | inputs.Faulted() | inputs.NothingToUndo():
            if saga.find(given.command_id) is None:
                return False
            message = _message(given)
            saga.record.held.add(
                command_id=given.command_id,
                type=message.DESCRIPTOR.full_name,
                body=message.SerializePartialToString(),
                said_by=given.said_by if isinstance(given, inputs.Answered) else "",
            )
        case inputs.CancelRequested():
            saga.note = f"cancellation refused: {_SUSPENDED}"
            saga.outgoing.append(Outgoing(CancelRefused(reason=_SUSPENDED)))
        case inputs.RetryRequested():
            saga.note = f"trying again refused: {_SUSPENDED}"
            saga.outgoing.append(Outgoing(RetryRefused(reason=_SUSPENDED)))
        case _:
            return False
    return True


def _name(given: inputs.Answered | inputs.Faulted | inputs.NothingToUndo | inputs.TimerFired) -> str:
    if isinstance(given, inputs.TimerFired):
        return f"timer {given.name}"
    return _message(given).DESCRIPTOR.name


def _message(given: inputs.Answered | inputs.Faulted | inputs.NothingToUndo) -> Message:
    match given:
        case inputs.Faulted():
            return durable_pb2.Fault(command=given.command_id, error=given.error)
        case inputs.NothingToUndo():
            return durable_pb2.Undone(command=given.command_id, reason=given.reason)
    return given.message


def _input(held: HeldInput, types: dict[str, type[Message]]) -> inputs.Input:
    if held.timer:
        return inputs.TimerFired(held.timer)
    if held.type == _FAULT:
        return inputs.Faulted(held.command_id, durable_pb2.Fault.FromString(held.body).error)
    if held.type == _UNDONE:
        return inputs.NothingToUndo(held.command_id, durable_pb2.Undone.FromString(held.body).reason)
    if held.type not in types:  # The instance was carried over meanwhile. What it has asked may have happened.
        return inputs.Faulted(held.command_id, f"{held.type} is no answer that the saga declares any more")
    return inputs.Answered(held.command_id, types[held.type].FromString(held.body), held.said_by)


def _answers(definition: Definition) -> dict[str, type[Message]]:
    """The types of all answers, by each name that they have had; the node lets no other in."""
    probed = durable_pb2.CommandsProbed
    types: dict[str, type[Message]] = {full_name(probed): probed}
    for step in definition.steps:
        for one in (*step.meanings, *step.undone, *step.undo_working):
            types.update((name, one) for name in names_of(one))
    types.update((full_name(one), one) for one in LOCK_NEWS)
    return types
