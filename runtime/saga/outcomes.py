"""What one input made of a saga's steps and undos, in words to count.

    Advance.changes, of the interpreter ──┐
    StepOutcomes.silent, before the input ├──StepOutcomes.of──▶ StepOutcome, counted once the turn has committed
    the record after the input ───────────┘

The interpreter tells which tasks came to another status, so that no task is looked at which the input has not moved.
A step may come to FAULTED or SILENT several times, as it is asked again, before it comes to what settles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.durable.behaviour import StepOutcome
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga import inputs
from runtime.saga.definition import Definition
from runtime.saga.node import ChildDefinition, StepDefinition

__all__ = ["FAULTED", "SILENT", "STUCK", "StepOutcomes"]

FAULTED = "faulted"
"""Its actor has given a command up."""

SILENT = "silent"
"""No answer came in time."""

STUCK = "stuck"
"""A person has to see to it."""

# Looked up once, since each turn of a saga asks for them.
_RUNNING, _OWED, _SKIPPED = TaskRecord.RUNNING, TaskRecord.OWED, TaskRecord.SKIPPED
_OPEN = (TaskRecord.WAITING, _RUNNING)
_STEP = {TaskRecord.DONE: "done", TaskRecord.REFUSED: "refused", TaskRecord.LEFT_OUT: "left_out"}
_UNDO = {TaskRecord.UNDONE: "done", TaskRecord.GIVEN_UP: "given_up"}
_COUNTED = frozenset((*_STEP, *_UNDO, _OWED, _SKIPPED))


class StepOutcomes:
    """Of instances of one definition."""

    __slots__ = ("_nodes", "_steps")

    def __init__(self, definition: Definition) -> None:
        self._nodes = definition.nodes
        self._steps = frozenset(node.name for node in definition.nodes if isinstance(node, StepDefinition))

    def silent(self, record: SagaRecord, timer: str) -> TaskRecord | None:
        """Of the record before the input: the step that waits for an answer, and whose time is over by this timer."""
        nodes = self._nodes
        for place, task in enumerate(record.tasks):
            is_its = timer == (nodes[place].timer if place < len(nodes) else task.path)
            if is_its and task.status == _RUNNING and task.do.status == Exchange.OPEN:
                is_step = place >= len(nodes) or type(nodes[place]) in (StepDefinition, ChildDefinition)
                return task if is_step else None
        return None

    def of(
        self, silent: TaskRecord | None, record: SagaRecord, given: inputs.Input, step: inputs.Advance
    ) -> tuple[StepOutcome, ...]:
        """Of an input without an effect there are none. `silent` is what was said of the record before the input."""
        if step.note:
            return ()
        found = self._settled(step.changes)
        if silent is not None:
            found.append(StepOutcome(self._name(silent), SILENT))
        if isinstance(given, inputs.Faulted):
            found += self._faulted(record, given.command_id)
        if step.alarm:
            found += self._stuck(record)
        return tuple(found)

    def _settled(self, changes: Sequence[inputs.StatusChange]) -> list[StepOutcome]:
        """Of each task that has changed: from what it was before the input to what it is now."""
        found: list[StepOutcome] = []
        seen: list[str] = []
        for task, was in changes:
            came = task.status
            if came not in _COUNTED or (path := task.path) in seen:
                continue
            seen.append(path)
            if came == was:
                continue
            is_undo = came in _UNDO
            outcome = _UNDO[came] if is_undo else ""
            if was in _OPEN and not is_undo:
                outcome = _STEP.get(came) or _left_open(task, was)
            if outcome and (name := self._name(task)):
                found.append(StepOutcome(name, outcome, is_undo))
        return found

    def _faulted(self, record: SagaRecord, command_id: bytes) -> Iterator[StepOutcome]:
        for task in record.tasks:
            if command_id in task.do.faulted_ids:
                yield StepOutcome(self._name(task), FAULTED)
            elif command_id in task.undo.faulted_ids:
                yield StepOutcome(self._name(task), FAULTED, is_undo=True)

    def _stuck(self, record: SagaRecord) -> Iterator[StepOutcome]:
        for task in record.tasks:
            if task.stuck and task.moved_at == record.revision and (name := self._name(task)):
                yield StepOutcome(name, STUCK, is_undo=task.status == _OWED)

    def _name(self, task: TaskRecord) -> str:
        """Of the step in its definition, so that there are few; empty of what is no step. A part has the whole's."""
        if task.within:
            return self._nodes[task.within - 1].name
        return task.path if task.path in self._steps else ""


def _left_open(task: TaskRecord, was: TaskRecord.Status.ValueType) -> str:
    """Of a step that is to be undone, or left. If nobody knew what had become of it, its outcome is unknown."""
    if was != _RUNNING or task.status not in (_OWED, _SKIPPED):
        return ""
    return "done" if task.do.status == Exchange.DONE else "unknown"
