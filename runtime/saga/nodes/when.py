"""A choice: its condition is asked once, and what it says is recorded. The branch that is not chosen is passed over."""

from __future__ import annotations

from runtime.durations import shown
from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.instance import Instance
from runtime.saga.node import WhenDefinition
from runtime.saga.verdict import DONE, TaskVerdict, failed

__all__ = ["begin", "next_to"]


def begin(saga: Instance, when: WhenDefinition, task: TaskRecord) -> TaskVerdict:
    what = f"condition of {when.name}"
    try:
        holds = author.made_by(saga.definition, saga.record, what, when.condition)
    except AuthorFailed as error:
        return failed(str(error))
    if not isinstance(holds, bool):
        return failed(f"{what} made {shown(holds)}, which is neither True nor False")
    if task.stuck:
        saga.unstick(task)
    task.holds = holds
    saga.set_status(task, TaskRecord.DONE)
    for index in _passed(when, task):
        saga.set_status(saga.tasks[index], TaskRecord.PASSED)
    return DONE


def next_to(saga: Instance, when: WhenDefinition) -> tuple[int, ...]:
    """What comes after the choice, and after all that it passed over."""
    passed = _passed(when, saga.tasks[when.index])
    after = [later for index in passed for later in saga.definition.nodes[index].after]
    return tuple(dict.fromkeys((*when.after, *after)))


def _passed(when: WhenDefinition, task: TaskRecord) -> tuple[int, ...]:
    return when.otherwise if task.holds else when.then
