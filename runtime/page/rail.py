"""The steps of a saga as pairs of do and undo, in the order of its flow, with the point of no return between them.

SagaRecord      what became of each task ──┐
                                           ├──▶ RailRow, one for each task
SagaDefinition  what each would do      ───┘    as the store keeps it; without it the pivot is not known
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.protos.definition_pb2 import NodeShape, NodeTerms, SagaDefinition
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.view import OPEN, OWING, Phase, TaskView, heading, phase_of, task_name, view_task

__all__ = ["RailRow", "rail_of", "remaining"]

_FAILED = (Phase.REFUSED, Phase.GIVEN_UP, Phase.LEFT_OUT)
_MOVING = OPEN | {Phase.TIMED, Phase.TO_APPROVE, Phase.UNDER_WAY}
_UNDO = {
    Phase.OWED: "owed",
    Phase.UNDOING: "sent, not confirmed",
    Phase.UNDONE: "confirmed",
    Phase.GIVEN_UP: "given up by an operator",
    Phase.SKIPPED: "nothing to undo",
}


@dataclass(frozen=True, slots=True)
class RailRow:
    """One task. Names of messages are without their packages, and empty where the definition is not known."""

    task: TaskView
    depth: int  # 0, or deeper within a list or alternatives
    do: str  # the command, or the kind of a node that sends none
    do_is: str  # what became of it
    undo: str  # the command, or why there is none
    undo_is: str  # what became of the undo; empty as long as none is owed
    tone: str  # done, moving, owed, failed, remaining or quiet
    is_pivot: bool
    is_closing: bool  # it says to those concerned that all is undone
    is_stuck: bool


def rail_of(record: SagaRecord, stored: SagaDefinition | None) -> tuple[RailRow, ...]:
    """One row for each task of the record."""
    nodes = list(_nodes(record, stored))
    return tuple(_row(record, task, *node) for task, node in zip(record.tasks, nodes, strict=True))


def _nodes(
    record: SagaRecord, stored: SagaDefinition | None
) -> Iterator[tuple[NodeShape | None, NodeTerms | None, int]]:
    """Of each task its node, if that is known, and how deep it stands."""
    depths: list[int] = []
    found: list[tuple[NodeShape | None, NodeTerms | None]] = []
    shapes = stored.shape.nodes if stored else []
    terms = stored.terms.nodes if stored else []
    for place, task in enumerate(record.tasks):
        parent = task.within - 1
        if not 0 <= parent < place:
            depths.append(0)
            known = place < len(shapes) and shapes[place].name == task.path
            found.append((shapes[place], terms[place]) if known else (None, None))
        else:
            depths.append(depths[parent] + 1)
            found.append(_inner(task, *found[parent]))
        yield (*found[-1], depths[-1])


def _inner(
    task: TaskRecord, shape: NodeShape | None, terms: NodeTerms | None
) -> tuple[NodeShape | None, NodeTerms | None]:
    """The node of an item or an alternative: the one of that name, or the only one."""
    if shape is None or terms is None:
        return None, None
    named = task.path.rpartition("[")[2].removesuffix("]")
    for one, of_it in zip(shape.inner, terms.inner, strict=False):
        if one.name in (named, task.path) or len(shape.inner) == 1:
            return one, of_it
    return None, None


def _row(record: SagaRecord, task: TaskRecord, shape: NodeShape | None, terms: NodeTerms | None, depth: int) -> RailRow:
    phase = phase_of(task)
    return RailRow(
        task=view_task(task),
        depth=depth,
        do=_short(shape.command) or shape.kind if shape else "",
        do_is=_do_is(task, phase),
        undo=_undo(shape, terms),
        undo_is=_UNDO.get(phase, "") if phase else "",
        tone=_tone(record, task, phase),
        is_pivot=shape is not None and shape.role == NodeShape.PIVOT,
        is_closing=shape is not None and shape.role == NodeShape.CLOSING,
        is_stuck=task.stuck,
    )


def _do_is(task: TaskRecord, phase: Phase | None) -> str:
    """The phase, unless that is one of the undo."""
    if phase not in _UNDO or phase is Phase.SKIPPED:
        return task_name(task)
    return "done" if task.do.status == Exchange.DONE else "may have been done"


def _undo(shape: NodeShape | None, terms: NodeTerms | None) -> str:
    if shape is None or terms is None or not shape.command:
        return ""
    return _short(shape.undo) or (f"none: {terms.no_undo}" if terms.no_undo else "none")


def _tone(record: SagaRecord, task: TaskRecord, phase: Phase | None) -> str:
    if task.stuck or phase in _FAILED:
        return "failed"
    if phase in OWING:
        return "owed"
    if phase in _MOVING:
        return "moving"
    if phase is Phase.DONE:
        return "done"
    going = heading(record) == SagaRecord.RUNNING
    return "remaining" if phase is Phase.WAITING and going else "quiet"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def remaining(rows: Sequence[RailRow]) -> int:
    """How many steps have not begun."""
    return sum(row.tone == "remaining" and not row.is_closing for row in rows)
