"""Which sagas start which as their children: each is hosted as its parent knows it, and none comes back to itself."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.errors import InvalidDefinition
from runtime.saga.definition import Definition
from runtime.saga.node import ChildDefinition, full_name

__all__ = ["check_children"]


def check_children(sagas: Sequence[Definition]) -> None:
    """Raises InvalidDefinition for a child that could not be started, or whose end could not be taken."""
    by_kind = {one.name: one for one in sagas}
    for saga in sagas:
        for node in saga.children:
            _check_child(f"{saga.title}.{node.name}", node, by_kind.get(node.saga))
    for saga in sagas:
        _check_circle(saga, by_kind, (saga.name,))


def _check_child(where: str, node: ChildDefinition, child: Definition | None) -> None:
    if child is None:
        raise InvalidDefinition(f"{where}: {node.saga} is a kind that is not hosted as a saga")
    if node.command.message_type not in [one.event_type for one in child.starts]:
        raise InvalidDefinition(f"{where}: {child.title}, as it is hosted, is not started by {node.command.name}")
    if node.result_type is not child.result_type and node.on_answer:
        made = "nothing" if child.result_type is None else full_name(child.result_type)
        raise InvalidDefinition(f"{where}.on_done: the result of {child.title}, as it is hosted, is {made}")


def _check_circle(saga: Definition, by_kind: dict[str, Definition], path: tuple[str, ...]) -> None:
    for node in saga.children:
        if node.saga == path[0]:
            raise InvalidDefinition(
                f"{saga.title}.{node.name}: {' starts '.join((*path, node.saga))} as its child, and so without end; "
                "start the next one by an event (Publish), or end the circle"
            )
        if node.saga not in path:
            _check_circle(by_kind[node.saga], by_kind, (*path, node.saga))
