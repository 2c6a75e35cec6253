"""A wait: nothing is done until its timer fires. There is nothing to undo, and turning back ends it."""

from __future__ import annotations

from datetime import datetime

from runtime.durable.behaviour import SetTimer
from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.instance import Instance
from runtime.saga.node import Node, WaitDefinition
from runtime.saga.verdict import DONE, NOTHING, TaskVerdict, failed
from runtime.saga.view import task_name

__all__ = ["begin", "fired"]


def begin(saga: Instance, wait: WaitDefinition, task: TaskRecord) -> TaskVerdict:
    try:
        due_at_s = saga.now_s + wait.span_s if wait.until is None else _instant(saga, wait)
    except AuthorFailed as error:
        return failed(str(error))
    if task.stuck:
        saga.unstick(task)
    if due_at_s <= saga.now_s:
        saga.set_status(task, TaskRecord.DONE)
        return DONE
    saga.set_status(task, TaskRecord.RUNNING)
    saga.timers.append(SetTimer(wait.timer, due_at_s))
    return NOTHING


def fired(saga: Instance, wait: Node, task: TaskRecord) -> TaskVerdict:
    if task.status != TaskRecord.RUNNING:
        saga.note = f"timer {wait.timer} came late: {wait.name} is {task_name(task)}"
        return NOTHING
    saga.set_status(task, TaskRecord.DONE)
    return DONE


def _instant(saga: Instance, wait: WaitDefinition) -> float:
    """Seconds since the epoch. Raises AuthorFailed."""
    assert wait.until is not None
    what = f"until of wait {wait.name}"
    made = author.made_by(saga.definition, saga.record, what, wait.until)
    if not isinstance(made, datetime):
        raise AuthorFailed(f"{what} made a {type(made).__name__}, not a datetime")
    if made.tzinfo is None:
        raise AuthorFailed(f"{what} made {made}, which has no time zone; say which one: datetime(..., tzinfo=UTC)")
    return made.timestamp()
