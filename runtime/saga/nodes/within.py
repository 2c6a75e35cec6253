"""Tasks within a task: what items of a list and alternatives have in common when one fails, and on the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.durable.behaviour import CancelTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.verdict import NOTHING, OWES, UNDONE, Came, TaskVerdict, begun, owing

__all__ = ["UndoOrder", "back", "give_up", "is_final", "owes", "unasked", "undo"]


@dataclass(frozen=True, slots=True)
class UndoOrder:
    """In which order those within are undone."""

    at_once: int
    is_reverse: bool = False  # one after another, the last one first
    goes_past_stuck: bool = False  # of those in reverse: one that is stuck holds up none

    def next(self, inner: Sequence[TaskRecord]) -> tuple[TaskRecord, ...]:
        """Those whose turn it is, and whose undo has not begun."""
        owed = [one for one in inner if one.status == TaskRecord.OWED]
        if self.is_reverse:
            holding = [one for one in owed if not (one.stuck and self.goes_past_stuck)]
            return tuple(unasked(holding[-1:]))
        waiting = unasked(owed)
        free = self.at_once - sum(not one.stuck for one in owed) + len(waiting)
        return tuple(waiting[: max(free, 0)])


def is_final(saga: Instance, one: TaskRecord) -> bool:
    """Whether a failure of this one is for a person: its undo has failed, or there is no way back."""
    return one.status == TaskRecord.OWED or bool(saga.no_way_back())


def give_up(saga: Instance, one: TaskRecord) -> None:
    """This one has failed, and the flow does without: what may have happened of it is owed."""
    if one.status == TaskRecord.RUNNING:
        saga.timers.append(CancelTimer(one.path))
    may_have = one.status in (TaskRecord.RUNNING, TaskRecord.DONE) and saga.node_of(one).is_undoable
    saga.set_status(one, TaskRecord.OWED if may_have else TaskRecord.SKIPPED)


def owes(saga: Instance, one: TaskRecord) -> TaskVerdict:
    """This one was refused, and has happened all the same, while the saga went on without: it is undone at once."""
    return owing(one) if saga.record.status == SagaRecord.COMPLETED else begun(to_undo=(one,))


def unasked(inner: Sequence[TaskRecord]) -> list[TaskRecord]:
    """Those whose undo is owed and has not begun."""
    return [
        one for one in inner if one.status == TaskRecord.OWED and one.undo.status == Exchange.UNASKED and not one.stuck
    ]


def undo(saga: Instance, task: TaskRecord, inner: Sequence[TaskRecord], order: UndoOrder) -> TaskVerdict:
    """The turn of the whole to be undone has come, or one within is undone: begin the next undos, if any are left."""
    task.undo.status = Exchange.OPEN
    owed = [one for one in inner if one.status == TaskRecord.OWED]
    if not owed:
        saga.set_status(task, TaskRecord.UNDONE)
        task.undo.status = Exchange.DONE
        return UNDONE
    return begun(to_undo=order.next(inner))


def back(
    saga: Instance,
    task: TaskRecord,
    inner: Sequence[TaskRecord],
    one: TaskRecord,
    came: TaskVerdict,
    order: UndoOrder,
) -> TaskVerdict:
    """What came of a task within once the saga has turned back."""
    match came.came:
        case Came.UNDONE:
            if task.undo.status != Exchange.OPEN:
                return NOTHING  # It was begun on the way forward, before the turn of the whole.
            verdict = undo(saga, task, inner, order)
            is_at_rest = all(other.stuck for other in inner if other.status == TaskRecord.OWED)
            return UNDONE if is_at_rest else verdict  # Then what waits behind it may go on.
        case Came.OWES:
            if task.undo.status == Exchange.OPEN:
                return owing(*order.next(inner))
            saga.set_status(task, TaskRecord.OWED)
            task.undo.status = Exchange.UNASKED  # It begins once nothing holds it up.
            return OWES
        case Came.FAILED:
            if order.is_reverse and not order.goes_past_stuck:
                return came
            others = [other for other in inner if other.path != one.path]  # It rests, so another may be under way.
            return came._replace(to_undo=order.next(others) if order.is_reverse else tuple(unasked(others)[:1]))
        case _:
            return NOTHING
