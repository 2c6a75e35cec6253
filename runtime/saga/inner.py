"""The tasks within a task: which node each is of. An item's step is the list's step with the item given.

nodes ──Instance.node_at──▶ inner_node ──▶ a step that knows nothing of lists
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import TaskRecord
from runtime.saga.node import EachDefinition, FirstOfDefinition, Node, StepDefinition

__all__ = ["inner_node", "path_of"]


def path_of(container: str, name: str) -> str:
    """The path of a task within another: of an item by its key, of an alternative by its name."""
    return f"{container}[{name}]"


def inner_node(container: Node, task: TaskRecord) -> StepDefinition:
    """The node of a task within one of this node. Its name, and its timer's, are the path of the task."""
    match container:
        case EachDefinition():
            return _of_item(container, task)
        case FirstOfDefinition():
            return next(one for one in container.alternatives if one.name == task.path)
        case _:
            raise AssertionError(f"{container.name} has no tasks within")


def _of_item(each: EachDefinition, task: TaskRecord) -> StepDefinition:
    step = each.step
    do, undo = step.do, step.undo

    def with_item(function: Callable[..., Any]) -> Callable[[Any, str], Any]:
        return lambda state, reason: function(state, reason, each.item_of(task.item))

    def kept(function: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
        return lambda _state, answer: _keep(each, task, function, answer)

    return replace(
        step,
        name=task.path,
        timer=task.path,
        do=with_item(do),
        undo=None if undo is None else with_item(undo),
        on_answer={type_: kept(function) for type_, function in step.on_answer.items()},
    )


def _keep(each: EachDefinition, task: TaskRecord, function: Callable[[Any, Any], object], answer: Message) -> object:
    """The facts of an answer go into the item. If this raises, the item is as before."""
    item = each.item_of(task.item)
    returned = function(item, answer)
    task.item = item.SerializeToString(deterministic=True)
    return returned
