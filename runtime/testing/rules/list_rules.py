"""Rules for the items of a list that is in order: begun one after another, and undone in reverse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.definition import Definition
from runtime.saga.node import EachDefinition
from runtime.saga.view import OWING, Phase, phase_of

__all__ = ["badly_ordered"]

_NOT_BEGUN = (TaskRecord.WAITING, TaskRecord.PASSED)
_OPEN = (TaskRecord.WAITING, TaskRecord.RUNNING)


def badly_ordered(definition: Definition, earlier: SagaRecord, record: SagaRecord) -> Iterator[tuple[str, str]]:
    """The invariant and a text for each item that had to wait for another of its list."""
    undoing_before = {task.path for task in earlier.tasks if phase_of(task) is Phase.UNDOING}
    for node in definition.nodes:
        if isinstance(node, EachDefinition) and node.in_order:
            items = [task for task in record.tasks if task.within == node.index + 1]
            yield from _begun_early(items)
            yield from _undone_early(definition, undoing_before, items)


def _begun_early(items: Iterable[TaskRecord]) -> Iterator[tuple[str, str]]:
    open_ones: list[str] = []
    for item in items:
        if open_ones and item.status not in _NOT_BEGUN:
            yield "I6", f"item {item.path} was begun before {open_ones[0]} was settled"
        if item.status in _OPEN:
            open_ones.append(item.path)


def _undone_early(
    definition: Definition, undoing_before: Iterable[str], items: list[TaskRecord]
) -> Iterator[tuple[str, str]]:
    """One whose undo was under way before may stand beside one that was refused, and has happened all the same."""
    owing: list[str] = []
    for item in reversed(items):
        phase = phase_of(item)
        if owing and phase is Phase.UNDOING and item.path not in undoing_before:
            yield "I6", f"item {item.path} is being undone before {owing[0]}, which came after it"
        if phase in OWING and not (item.stuck and definition.undoes_past_stuck):
            owing.append(item.path)
