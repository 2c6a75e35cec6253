"""What each timer of a saga is for, as the record tells it: for listings, `explain`, and acts of operators on timers.

    record ──purposes_of──▶ the name of each timer that it has, and its Purpose

The record is enough. So a listing tells it of instances whose definition this build does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.timer_names import CLOSING, DEADLINE, REMIND
from runtime.saga.view import Phase, heading, phase_of

__all__ = ["Purpose", "purpose_of", "purposes_of", "task_of"]


class Purpose(StrEnum):
    """Values are the words in which listings say it."""

    DEADLINE = "deadline of the saga"
    REMINDER = "reminder"
    PAUSE = "pause"  # a task that waits for an instant
    APPROVAL = "time limit of an approval"
    EVENT = "time limit of a wait for an event"
    LOCK = "time limit of a wait for a lock"
    TIMEOUT = "step timeout"
    PROBE = "timeout of a probe"
    ASK_AGAIN = "pause before a step is asked again"
    UNDO_PAUSE = "pause before an undo is asked for again"


_RUNNING = {
    Phase.TIMED: Purpose.PAUSE,
    Phase.TO_APPROVE: Purpose.APPROVAL,
    Phase.ASKED: Purpose.TIMEOUT,
    Phase.PROBED: Purpose.PROBE,
    Phase.WORKING: Purpose.ASK_AGAIN,
    Phase.UNKNOWN: Purpose.ASK_AGAIN,
}
_MOVING = (SagaRecord.RUNNING, SagaRecord.COMPENSATING)
_UNDONE_AGAIN = (Exchange.UNKNOWN, Exchange.WORKING)


def purposes_of(record: SagaRecord) -> Iterator[tuple[str, Purpose]]:
    """Each timer that the record has use for, by name. One that was not declared, or was cancelled, is not set."""
    for name in (DEADLINE, *(f"{REMIND}{one.name}" for one in record.reminders)):
        if (purpose := purpose_of(record, name)) is not None:
            yield name, purpose
    is_moving, seen = heading(record) in _MOVING, set[str]()
    for task in record.tasks if is_moving else ():
        if (purpose := _of_task(task)) is not None:
            yield f"{CLOSING}{task.path}" if task.path in seen else task.path, purpose
        seen.add(task.path)


def purpose_of(record: SagaRecord, timer: str) -> Purpose | None:
    """None of a timer that would change nothing, such as one that is set for what has been settled."""
    if heading(record) not in _MOVING:
        return None
    if timer == DEADLINE:
        return Purpose.DEADLINE if heading(record) == SagaRecord.RUNNING and not record.overdue else None
    if timer.startswith(REMIND):
        due = [one.due_at_s for one in record.reminders if one.name == timer.removeprefix(REMIND)]
        return Purpose.REMINDER if any(due) else None
    task = task_of(record, timer)
    return None if task is None else _of_task(task)


def task_of(record: SagaRecord, timer: str) -> TaskRecord | None:
    """The task whose timer has this name; None of the deadline, of reminders, and of names that no timer has."""
    found = [task for task in record.tasks if task.path == timer.removeprefix(CLOSING)]
    return found[-1 if timer.startswith(CLOSING) else 0] if found else None


def _of_task(task: TaskRecord) -> Purpose | None:
    if task.stuck:
        return None
    if task.status == TaskRecord.OWED:
        return Purpose.UNDO_PAUSE if task.undo.status in _UNDONE_AGAIN else None
    if task.status != TaskRecord.RUNNING:
        return None
    phase = phase_of(task)
    purpose = None if phase is None else _RUNNING.get(phase)
    if purpose is Purpose.TIMEOUT and task.awaits:
        return Purpose.EVENT
    return Purpose.LOCK if purpose is Purpose.TIMEOUT and task.HasField("lock") else purpose
