"""Alternatives: asked one after another until one is done. One that may have happened is undone before the next."""

from __future__ import annotations

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.node import FirstOfDefinition
from runtime.saga.nodes import within
from runtime.saga.verdict import DONE, NOTHING, Came, TaskVerdict, begun, refused

__all__ = ["begin", "came", "undo"]

_UNDER_WAY = frozenset((TaskRecord.RUNNING, TaskRecord.OWED))


def begin(saga: Instance, first_of: FirstOfDefinition, task: TaskRecord) -> TaskVerdict:
    task.status = TaskRecord.RUNNING
    task.inner = len(first_of.alternatives)
    for one in first_of.alternatives:
        saga.tasks.add(path=one.name, within=first_of.index + 1)
    return _next(saga, first_of)


def came(
    saga: Instance, first_of: FirstOfDefinition, task: TaskRecord, one: TaskRecord, verdict: TaskVerdict
) -> TaskVerdict:
    """What came of the alternative `one`."""
    if saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPLETED):
        return within.back(task, saga.inner(first_of.index), one, verdict, _order(first_of))
    if verdict.came is Came.OWES:
        return within.owes(saga, one)
    if verdict.came is Came.FAILED:
        if one.status == TaskRecord.WAITING or within.is_final(saga, one):
            return verdict
        one.do.error = verdict.why
        within.give_up(saga, one)
    if verdict.came is Came.DONE:
        task.status = TaskRecord.DONE
        for other in saga.inner(first_of.index):
            if other.status == TaskRecord.WAITING:
                other.status = TaskRecord.PASSED
    return DONE if task.status == TaskRecord.DONE else _next(saga, first_of)


def undo(saga: Instance, first_of: FirstOfDefinition, task: TaskRecord) -> TaskVerdict:
    return within.undo(task, saga.inner(first_of.index), _order(first_of))


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
    return refused("; ".join(f"{one.path}: {one.do.error or one.do.outcome}" for one in inner))
