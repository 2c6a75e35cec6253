"""What a node says of its task after an input: a value, on which the interpreter acts."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from runtime.protos.saga_pb2 import TaskRecord

__all__ = ["DONE", "NOTHING", "OWES", "UNDONE", "Came", "TaskVerdict", "begun", "failed", "owing", "refused"]


class Came(Enum):
    """What has come of a task."""

    NOTHING = auto()  # it waits on, or the input was none of its business
    DONE = auto()  # what comes after it may begin
    REFUSED = auto()  # nothing of it happened: the saga turns back
    FAILED = auto()  # it cannot go on: the saga turns back while that is possible, else the task is stuck
    OWES = auto()  # it was refused, and has happened all the same: its undo is owed
    UNDONE = auto()  # it owes nothing any more


class TaskVerdict(NamedTuple):
    """`to_begin` and `to_undo` are tasks within the one of which this is said: their turn has come."""

    came: Came
    why: str = ""
    to_begin: tuple[TaskRecord, ...] = ()
    to_undo: tuple[TaskRecord, ...] = ()


NOTHING = TaskVerdict(Came.NOTHING)
DONE = TaskVerdict(Came.DONE)
OWES = TaskVerdict(Came.OWES)
UNDONE = TaskVerdict(Came.UNDONE)


def begun(*to_begin: TaskRecord, to_undo: tuple[TaskRecord, ...] = ()) -> TaskVerdict:
    """Tasks within are under way, or are about to be."""
    return TaskVerdict(Came.NOTHING, "", to_begin, to_undo)


def owing(*to_undo: TaskRecord) -> TaskVerdict:
    """As OWES, of a task that has others within: these are undone now."""
    return TaskVerdict(Came.OWES, "", (), to_undo)


def refused(why: str) -> TaskVerdict:
    return TaskVerdict(Came.REFUSED, why)


def failed(why: str) -> TaskVerdict:
    return TaskVerdict(Came.FAILED, why)
