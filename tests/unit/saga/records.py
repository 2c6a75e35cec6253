"""Records of tasks as tests want them: where each stands, said by its phase."""

from __future__ import annotations

from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga.view import Phase

__all__ = ["put", "task_in"]

_RECORDED = {
    Phase.WAITING: (TaskRecord.WAITING, Exchange.UNASKED, Exchange.UNASKED),
    Phase.ASKED: (TaskRecord.RUNNING, Exchange.OPEN, Exchange.UNASKED),
    Phase.WORKING: (TaskRecord.RUNNING, Exchange.WORKING, Exchange.UNASKED),
    Phase.UNKNOWN: (TaskRecord.RUNNING, Exchange.UNKNOWN, Exchange.UNASKED),
    Phase.PROBED: (TaskRecord.RUNNING, Exchange.UNKNOWN, Exchange.UNASKED),
    Phase.DONE: (TaskRecord.DONE, Exchange.DONE, Exchange.UNASKED),
    Phase.REFUSED: (TaskRecord.REFUSED, Exchange.REFUSED, Exchange.UNASKED),
    Phase.OWED: (TaskRecord.OWED, Exchange.DONE, Exchange.UNASKED),
    Phase.UNDOING: (TaskRecord.OWED, Exchange.DONE, Exchange.OPEN),
    Phase.UNDONE: (TaskRecord.UNDONE, Exchange.DONE, Exchange.DONE),
    Phase.SKIPPED: (TaskRecord.SKIPPED, Exchange.DONE, Exchange.UNASKED),
    Phase.TIMED: (TaskRecord.RUNNING, Exchange.UNASKED, Exchange.UNASKED),
    Phase.PASSED: (TaskRecord.PASSED, Exchange.UNASKED, Exchange.UNASKED),
    Phase.TO_APPROVE: (TaskRecord.RUNNING, Exchange.UNASKED, Exchange.UNASKED),
    Phase.UNDER_WAY: (TaskRecord.RUNNING, Exchange.UNASKED, Exchange.UNASKED),
    Phase.GIVEN_UP: (TaskRecord.GIVEN_UP, Exchange.DONE, Exchange.UNKNOWN),
    Phase.LEFT_OUT: (TaskRecord.LEFT_OUT, Exchange.UNKNOWN, Exchange.UNASKED),
}


def put(task: TaskRecord, phase: Phase) -> TaskRecord:
    """The task, standing there now."""
    task.status, task.do.status, task.undo.status = _RECORDED[phase]
    if phase is Phase.PROBED:
        task.probe.status = Exchange.OPEN
    if phase is Phase.UNDER_WAY:
        task.inner = 1
    if phase is Phase.TO_APPROVE:
        task.digest = "0123456789abcdef"
    return task


def task_in(
    phase: Phase,
    path: str,
    *,
    address: str = "",
    do: Exchange | None = None,
    undo: Exchange | None = None,
    stuck: bool = False,
) -> TaskRecord:
    """A task that stands there; its questions are as given but for their status."""
    return put(TaskRecord(path=path, address=address, do=do, undo=undo, stuck=stuck), phase)
