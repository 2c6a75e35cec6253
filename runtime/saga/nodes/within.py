"""Tasks within a task: what items of a list and alternatives have in common when one fails, and on the way back."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.durable.behaviour import CancelTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.verdict import NOTHING, UNDONE, Came, TaskVerdict, begun, owing

__all__ = ["back", "give_up", "is_final", "owes", "unasked", "undo"]


def is_final(saga: Instance, one: TaskRecord) -> bool:
    """Whether a failure of this one is for a person: its undo has failed, or there is no way back."""
    return one.status == TaskRecord.OWED or bool(saga.no_way_back())


def give_up(saga: Instance, one: TaskRecord) -> None:
    """This one has failed, and the flow does without: what may have happened of it is owed."""
    if one.status == TaskRecord.RUNNING:
        saga.timers.append(CancelTimer(one.path))
    may_have = one.status in (TaskRecord.RUNNING, TaskRecord.DONE) and saga.node_of(one).is_undoable
    one.status = TaskRecord.OWED if may_have else TaskRecord.SKIPPED


def owes(saga: Instance, one: TaskRecord) -> TaskVerdict:
    """This one was refused, and has happened all the same, while the saga went on without: it is undone at once."""
    return owing(one) if saga.record.status == SagaRecord.COMPLETED else begun(to_undo=(one,))


def unasked(inner: Sequence[TaskRecord]) -> list[TaskRecord]:
    """Those whose undo is owed and has not begun."""
    return [
        one for one in inner if one.status == TaskRecord.OWED and one.undo.status == Exchange.UNASKED and not one.stuck
    ]


def undo(task: TaskRecord, inner: Sequence[TaskRecord], at_once: int) -> TaskVerdict:
    """The turn of the whole to be undone has come, or one within is undone: begin the next undos, if any are left."""
    task.undo.status = Exchange.OPEN
    owed = [one for one in inner if one.status == TaskRecord.OWED]
    if not owed:
        task.status = TaskRecord.UNDONE
        task.undo.status = Exchange.DONE
        return UNDONE
    waiting = unasked(inner)
    free = at_once - sum(not one.stuck for one in owed) + len(waiting)
    return begun(to_undo=tuple(waiting[: max(free, 0)]))


def back(
    task: TaskRecord, inner: Sequence[TaskRecord], one: TaskRecord, came: TaskVerdict, at_once: int
) -> TaskVerdict:
    """What came of a task within once the saga has turned back."""
    match came.came:
        case Came.UNDONE:
            # Before the turn of the whole, this is an undo that was begun on the way forward.
            return undo(task, inner, at_once) if task.undo.status == Exchange.OPEN else NOTHING
        case Came.OWES:
            task.status = TaskRecord.OWED
            task.undo.status = Exchange.OPEN
            return owing(one)
        case Came.FAILED:
            return came._replace(to_undo=tuple(unasked(inner)[:1]))  # It rests, so another one may be under way.
        case _:
            return NOTHING
