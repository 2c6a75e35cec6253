"""What turns a saga back from outside: somebody cancels it, or its deadline passes before the pivot."""

from __future__ import annotations

from runtime.durable.behaviour import Outgoing
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, SagaRecord
from runtime.saga import compensation
from runtime.saga.instance import Instance
from runtime.saga.view import status_name

__all__ = ["cancel", "deadline_passed", "refusal_of"]


def deadline_passed(saga: Instance) -> None:
    status = saga.record.status
    if status not in (SagaRecord.RUNNING, SagaRecord.STUCK):
        saga.note = f"the deadline came late: the saga is {status_name(saga.record)}"
    elif status == SagaRecord.STUCK or saga.no_way_back():
        saga.record.overdue = True
    else:
        compensation.turn_back(saga, f"timeout: not past the pivot within {saga.definition.deadline_s:g} s")


def cancel(saga: Instance, reason: str) -> None:
    record = saga.record
    refusal = refusal_of(saga)
    if refusal:
        saga.note = f"cancellation refused: {refusal}"
        saga.outgoing.append(Outgoing(CancelRefused(reason=refusal)))
        return
    if record.status == SagaRecord.RUNNING:
        compensation.turn_back(saga, f"cancelled: {reason}" if reason else "cancelled")
    else:
        saga.note = f"it has turned back before: {record.reason}"
    saga.outgoing.append(Outgoing(CancelAccepted(reason=record.reason)))


def refusal_of(saga: Instance) -> str:
    """Why this saga cannot be cancelled; empty if it can be, or has turned back already."""
    status = saga.record.status
    if status == SagaRecord.NONE:
        return "there is no such process"
    if status == SagaRecord.COMPLETED:
        return "it has completed"
    if status == SagaRecord.ABANDONED:
        return "it was abandoned"
    if status == SagaRecord.STUCK:
        return f"it is stuck: {saga.record.stuck_reason}"
    return saga.no_way_back() if status == SagaRecord.RUNNING else ""
