"""The way back of a saga: which undo is owed, in which order, and when all is undone.

    turn_back ──▶ undo_next ──▶ an undo is confirmed ──▶ undo_next ──▶ ... ──▶ close ──▶ COMPENSATED

Each undo waits until every task that came after its own owes nothing any more. One that is out of budget leaves the
saga STUCK. What comes earlier then waits behind it, or goes on if the saga is declared with undo="independent".
"""

from __future__ import annotations

from runtime.durable.behaviour import CancelTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.instance import DEADLINE, Instance
from runtime.saga.nodes import kinds
from runtime.saga.verdict import Came

__all__ = ["close", "reopen", "turn_back", "undo_next"]


def turn_back(saga: Instance, reason: str) -> None:
    """From now on undo. What may have happened is owed; what has no undo is skipped, and recorded as such."""
    record = saga.record
    record.status = SagaRecord.COMPENSATING
    record.reason = reason
    if saga.definition.deadline_s:
        saga.timers.append(CancelTimer(DEADLINE))
    for node in saga.definition.flow_nodes:
        task = saga.tasks[node.index]
        if task.status == TaskRecord.RUNNING:
            saga.timers.append(CancelTimer(node.timer))
        if task.status in (TaskRecord.RUNNING, TaskRecord.DONE):
            task.status = TaskRecord.OWED if node.is_undoable else TaskRecord.SKIPPED
    undo_next(saga)


def reopen(saga: Instance) -> None:
    """An undo is owed after all, perhaps after the end."""
    record = saga.record
    if record.status == SagaRecord.COMPENSATED:
        record.status, record.ended_at_s = SagaRecord.COMPENSATING, 0.0
    undo_next(saga)


def undo_next(saga: Instance) -> None:
    """Begin each undo that no later task holds up; when none is owed any more, close."""
    tasks = saga.tasks
    for node in reversed(saga.definition.flow_nodes):
        task = tasks[node.index]
        begun = task.status != TaskRecord.OWED or task.undo.status != Exchange.UNASKED or task.stuck
        if begun or any(_holds_up(saga, tasks[index]) for index in node.all_after):
            continue
        verdict = kinds.undo(saga, node, task)
        if verdict.came is Came.FAILED:
            saga.stick(node, verdict.why)
    if all(task.status != TaskRecord.OWED for task in tasks):
        close(saga)


def _holds_up(saga: Instance, later: TaskRecord) -> bool:
    return later.status == TaskRecord.OWED and not (later.stuck and saga.definition.undoes_past_stuck)


def close(saga: Instance) -> None:
    """All is undone: send what the saga has to say about that, one after another, then end."""
    for step in saga.definition.closing_steps:
        task = saga.tasks[step.index]
        if task.status == TaskRecord.WAITING:
            verdict = kinds.begin(saga, step, task)
            if verdict.came is Came.FAILED:
                saga.stick(step, verdict.why)
        if task.status != TaskRecord.DONE:
            return
    saga.end(SagaRecord.COMPENSATED)
