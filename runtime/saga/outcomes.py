"""What one input made of a saga's steps and undos, in words to count: a comparison of its tasks before and after.

    record ──tasks_before──▶ TasksBefore ─┐
    the input is applied                  ├──outcomes──▶ StepOutcome, counted once the turn has committed
    record, definition ───────────────────┘

A step may come to FAULTED or SILENT several times, as it is asked again, before it comes to what settles it.
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.durable.behaviour import StepOutcome
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.record import record as value
from runtime.saga import inputs
from runtime.saga.definition import Definition
from runtime.saga.node import ChildDefinition, StepDefinition

__all__ = ["FAULTED", "SILENT", "STUCK", "TasksBefore", "outcomes", "tasks_before"]

FAULTED = "faulted"
"""Its actor has given a command up."""

SILENT = "silent"
"""No answer came in time."""

STUCK = "stuck"
"""A person has to see to it."""

# Looked up once, since each turn of a saga compares its tasks.
_WAITING, _RUNNING, _OWED, _SKIPPED = TaskRecord.WAITING, TaskRecord.RUNNING, TaskRecord.OWED, TaskRecord.SKIPPED
_OPEN = (_WAITING, _RUNNING)
_STEP = {TaskRecord.DONE: "done", TaskRecord.REFUSED: "refused", TaskRecord.LEFT_OUT: "left_out"}
_UNDO = {TaskRecord.UNDONE: "done", TaskRecord.GIVEN_UP: "given_up"}


@value(frozen=True, slots=True)
class TasksBefore:
    """How the tasks stand before an input. `silent` is the place of the task for whose answer a timer has waited."""

    tasks: list[TaskRecord]  # made at once, they cost a third less to go through
    statuses: list[TaskRecord.Status.ValueType]
    silent: int | None


def tasks_before(record: SagaRecord, definition: Definition, given: inputs.Input) -> TasksBefore:
    tasks = record.tasks[:]
    silent = _silent(record, definition, given.name) if isinstance(given, inputs.TimerFired) else None
    return TasksBefore(tasks, [task.status for task in tasks], silent)


def outcomes(
    before: TasksBefore, record: SagaRecord, definition: Definition, given: inputs.Input, step: inputs.Advance
) -> tuple[StepOutcome, ...]:
    """Of an input without an effect there are none."""
    if step.note:
        return ()
    found = _settled(before, record, definition)
    if before.silent is not None:
        found.append(StepOutcome(_name(record, definition, before.silent), SILENT))
    if isinstance(given, inputs.Faulted):
        found += _faulted(record, definition, given.command_id)
    if step.alarm:
        found += _stuck(record, definition)
    return tuple(found)


def _settled(before: TasksBefore, record: SagaRecord, definition: Definition) -> list[StepOutcome]:
    found: list[StepOutcome] = []
    tasks, statuses = before.tasks, before.statuses
    if len(record.tasks) > len(tasks):  # it has begun now, or tasks within others have
        tasks = record.tasks[:]
        statuses = statuses + [_WAITING] * (len(tasks) - len(statuses))
    now = [task.status for task in tasks]
    if now == statuses:
        return found
    for place, came in enumerate(now):
        was = statuses[place]
        if came == was:
            continue
        is_undo = came in _UNDO
        outcome = _UNDO[came] if is_undo else ""
        if was in _OPEN and not is_undo:
            outcome = _STEP.get(came) or _left_open(tasks[place], was)
        if outcome and (name := _name(record, definition, place)):
            found.append(StepOutcome(name, outcome, is_undo))
    return found


def _left_open(task: TaskRecord, was: TaskRecord.Status.ValueType) -> str:
    """Of a step that is to be undone, or left. If nobody knew what had become of it, its outcome is unknown."""
    if was != _RUNNING or task.status not in (_OWED, _SKIPPED):
        return ""
    return "done" if task.do.status == Exchange.DONE else "unknown"


def _faulted(record: SagaRecord, definition: Definition, command_id: bytes) -> Iterator[StepOutcome]:
    for place, task in enumerate(record.tasks):
        if command_id in task.do.faulted_ids:
            yield StepOutcome(_name(record, definition, place), FAULTED)
        elif command_id in task.undo.faulted_ids:
            yield StepOutcome(_name(record, definition, place), FAULTED, is_undo=True)


def _stuck(record: SagaRecord, definition: Definition) -> Iterator[StepOutcome]:
    for place, task in enumerate(record.tasks):
        if task.stuck and task.moved_at == record.revision and (name := _name(record, definition, place)):
            yield StepOutcome(name, STUCK, is_undo=task.status == _OWED)


def _silent(record: SagaRecord, definition: Definition, timer: str) -> int | None:
    """The step that waits for an answer, and whose time is over by this timer."""
    nodes = definition.nodes
    for place, task in enumerate(record.tasks):
        is_its = timer == (nodes[place].timer if place < len(nodes) else task.path)
        if is_its and task.status == _RUNNING and task.do.status == Exchange.OPEN:
            is_step = place >= len(nodes) or type(nodes[place]) in (StepDefinition, ChildDefinition)
            return place if is_step else None
    return None


def _name(record: SagaRecord, definition: Definition, place: int) -> str:
    """Of the step in its definition, so that there are few; empty of what is no step. A part has that of the whole."""
    if place >= len(definition.nodes):
        return definition.nodes[record.tasks[place].within - 1].name
    node = definition.nodes[place]
    return node.name if isinstance(node, StepDefinition) else ""
