"""What turns a saga back from outside: somebody cancels it, its parent undoes it, or its deadline passes."""

from __future__ import annotations

from runtime.durable.behaviour import Outgoing
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, SagaCompensated, SagaRecord, UndoRefused
from runtime.saga import asker, compensation
from runtime.saga.inputs import AskedBy
from runtime.saga.instance import Instance
from runtime.saga.timer_acts import limit
from runtime.saga.timer_names import DEADLINE
from runtime.saga.view import status_name

__all__ = ["cancel", "deadline_passed", "refusal_of", "undo"]


def deadline_passed(saga: Instance) -> None:
    status = saga.record.status
    if status not in (SagaRecord.RUNNING, SagaRecord.STUCK):
        saga.note = f"the deadline came late: the saga is {status_name(saga.record)}"
    elif status == SagaRecord.STUCK or saga.no_way_back():
        saga.record.overdue = True
    else:
        by = limit(saga, DEADLINE, f"{saga.definition.deadline_s:g} s")
        compensation.turn_back(saga, f"timeout: not past the pivot {by}")


def cancel(saga: Instance, reason: str) -> None:
    record = saga.record
    refusal = refusal_of(saga)
    if refusal:
        saga.note = f"cancellation refused: {refusal}"
        saga.outgoing.append(Outgoing(CancelRefused(reason=refusal)))
        return
    if _goes_forward(saga):
        compensation.turn_back(saga, f"cancelled: {reason}" if reason else "cancelled")
    else:
        saga.note = f"it has turned back before: {record.reason}"
    saga.outgoing.append(Outgoing(CancelAccepted(reason=record.reason)))


def undo(saga: Instance, reason: str, asked_by: AskedBy) -> None:
    """Its parent takes it back, also after its end. Past the pivot that is refused; what is under way is waited for."""
    record = saga.record
    if record.status == SagaRecord.NONE:
        saga.note = "there is nothing to undo: it never began"
        asker.answer(saga, asked_by, SagaCompensated(reason="it never began"))
        return
    is_parent = record.asker.address == asked_by.address
    if record.pivot_passed or not is_parent:
        refusal = saga.no_way_back() if is_parent else f"it was started by {asker.starter_of(record)}"
        saga.note = f"the undo by {asked_by.address} is refused: {refusal}"
        asker.answer(saga, asked_by, UndoRefused(reason=refusal))
        return
    asker.ask(saga, asked_by, undoes=True)
    if record.suspended:
        saga.note = f"{asked_by.address} has it undone, which waits until it is resumed"
    elif record.status == SagaRecord.COMPLETED:
        record.ended_at_s, record.result_type, record.result, record.result_error = 0.0, "", b"", ""
        compensation.turn_back(saga, _undone_by(asked_by, reason))
    elif _goes_forward(saga) and not saga.no_way_back():
        compensation.turn_back(saga, _undone_by(asked_by, reason))
    else:
        saga.note = f"{asked_by.address} has it undone: it is {status_name(record)}"


def _undone_by(asked_by: AskedBy, reason: str) -> str:
    return f"undone by {asked_by.address}: {reason}"


def refusal_of(saga: Instance) -> str:
    """Why this saga cannot be cancelled; empty if it can be, or has turned back already."""
    status = saga.record.status
    if status == SagaRecord.NONE:
        return "there is no such process"
    if status == SagaRecord.COMPLETED:
        return "it has completed"
    if status == SagaRecord.ABANDONED:
        return "it was abandoned"
    if _goes_forward(saga):
        return saga.no_way_back()
    return f"it is stuck: {saga.record.stuck_reason}" if status == SagaRecord.STUCK else ""


def _goes_forward(saga: Instance) -> bool:
    """Also if it is stuck at nothing but a key that another holds: all that it has begun can still be undone."""
    record = saga.record
    at_keys = any(key.stuck for key in record.keys) and not any(task.stuck for task in saga.tasks)
    return saga.heading == SagaRecord.RUNNING and (record.status != SagaRecord.STUCK or at_keys)
