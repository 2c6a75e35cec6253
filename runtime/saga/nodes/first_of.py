"""Alternatives: asked one after another until one is done. One that may have happened is undone before the next.

Past the pivot there is no way back. So the last is asked until it is done, and says what happens when its budget is
spent.
"""

from __future__ import annotations

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.node import FirstOfDefinition, Role
from runtime.saga.nodes import within
from runtime.saga.verdict import DONE, NOTHING, Came, TaskVerdict, begun, failed, refused
from runtime.saga.view import SETTLED

__all__ = ["begin", "came", "retry", "undo"]

_UNDER_WAY = frozenset((TaskRecord.RUNNING, TaskRecord.OWED))


def begin(saga: Instance, first_of: FirstOfDefinition, task: TaskRecord) -> TaskVerdict:
    saga.set_status(task, TaskRecord.RUNNING)
    task.inner = len(first_of.alternatives)
    for one in first_of.alternatives:
        saga.tasks.add(path=one.name, within=first_of.index + 1)
    return _next(saga, first_of)


def came(
    saga: Instance, first_of: FirstOfDefinition, task: TaskRecord, one: TaskRecord, verdict: TaskVerdict
) -> TaskVerdict:
    """What came of the alternative `one`."""
    if saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPLETED):
        return within.back(saga, task, saga.inner(first_of.index), one, verdict, _order(first_of))
    if verdict.came is Came.OWES:
        return within.owes(saga, one)
    if verdict.came is Came.FAILED:
        if _is_final(saga, first_of, one):
            return verdict
        one.do.error = verdict.why
        within.give_up(saga, one)
    waiting = [other for other in saga.inner(first_of.index) if other.status == TaskRecord.WAITING]
    if verdict.came is Came.DONE and not (waiting and one.status == TaskRecord.LEFT_OUT):
        saga.set_status(task, one.status)
        for other in waiting:
            saga.set_status(other, TaskRecord.PASSED)
    return DONE if task.status in SETTLED else _next(saga, first_of)


def retry(saga: Instance, first_of: FirstOfDefinition, task: TaskRecord) -> TaskVerdict:
    return _next(saga, first_of) if task.HasField("inner") else begin(saga, first_of, task)


def _is_final(saga: Instance, first_of: FirstOfDefinition, one: TaskRecord) -> bool:
    """Whether a failure of this one is for a person, and the next is not asked."""
    if one.status == TaskRecord.WAITING:
        return True  # Its command could not be made.
    if first_of.role is not Role.RETRIABLE:
        return within.is_final(saga, one)
    return one.status in (TaskRecord.OWED, TaskRecord.DONE) or one.path == first_of.alternatives[-1].name


def undo(saga: Instance, first_of: FirstOfDefinition, task: TaskRecord) -> TaskVerdict:
    return within.undo(saga, task, saga.inner(first_of.index), _order(first_of))


def _order(first_of: FirstOfDefinition) -> within.UndoOrder:
    return within.UndoOrder(len(first_of.alternatives))


def _next(saga: Instance, first_of: FirstOfDefinition) -> TaskVerdict:
    """Ask the next alternative, once nothing of those before it is left."""
    inner = saga.inner(first_of.index)
    if any(one.status in _UNDER_WAY for one in inner):
        unasked = within.unasked(inner)
        return begun(to_undo=tuple(unasked)) if unasked else NOTHING
    waiting = next((one for one in inner if one.status == TaskRecord.WAITING), None)
    if waiting is not None:
        return begun(waiting)
    why = "; ".join(f"{one.path}: {one.do.error or one.do.outcome}" for one in inner)
    return failed(why) if first_of.role is Role.RETRIABLE else refused(why)
