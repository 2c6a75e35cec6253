"""The way back of a saga: which undo is owed, in which order, and when all is undone.

    turn_back ──▶ undo_next ──▶ an undo is confirmed ──▶ undo_next ──▶ ... ──▶ close ──▶ COMPENSATED
                                                              (an operator gave an undo up: ABANDONED)

Each undo waits until every task that came after its own owes nothing any more. One that is out of budget leaves the
saga STUCK. What comes earlier then waits behind it, or goes on if the saga is declared with undo="independent".
"""

from __future__ import annotations

from runtime.durable.behaviour import CancelTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.node import Node
from runtime.saga.nodes import kinds
from runtime.saga.timer_names import DEADLINE
from runtime.saga.verdict import Came
from runtime.saga.view import SETTLED

__all__ = ["close", "reopen", "turn_back", "undo_next"]


def turn_back(saga: Instance, reason: str) -> None:
    """From now on undo. What may have happened is owed; what has no undo is skipped, and recorded as such.

    A saga that is stuck turns back as well, and stays stuck: of a list, an undo may have failed on the way forward.
    """
    saga.ask_again_for_keys()
    record = saga.record
    if record.status == SagaRecord.STUCK:
        record.stuck_in = SagaRecord.COMPENSATING
    else:
        record.status = SagaRecord.COMPENSATING
    record.reason = reason
    if saga.definition.deadline_s:
        saga.timers.append(CancelTimer(DEADLINE))
    wholes = {task.within for task in saga.tasks[len(saga.definition.nodes) :] if _owe(saga, task, saga.node_of(task))}
    for node in saga.definition.flow_nodes:
        task = saga.tasks[node.index]
        if not task.HasField("inner"):
            _owe(saga, task, node)
        elif task.status in (TaskRecord.RUNNING, TaskRecord.DONE):
            saga.set_status(task, TaskRecord.OWED if node.index + 1 in wholes else TaskRecord.SKIPPED)
    saga.say_why_stuck()
    undo_next(saga)


def _owe(saga: Instance, task: TaskRecord, node: Node) -> bool:
    """Whether the undo of this task is owed now that the saga turns back."""
    if task.status == TaskRecord.RUNNING:
        saga.timers.append(CancelTimer(node.timer))
    if task.status in (TaskRecord.RUNNING, TaskRecord.DONE):
        saga.set_status(task, TaskRecord.OWED if node.is_undoable else TaskRecord.SKIPPED)
        saga.moved(task)
    return task.status == TaskRecord.OWED


def reopen(saga: Instance) -> None:
    """An undo is owed after all, perhaps after the end."""
    record = saga.record
    if record.status == SagaRecord.COMPENSATED:
        record.status, record.ended_at_s = SagaRecord.COMPENSATING, 0.0
    elif record.status == SagaRecord.COMPLETED:
        record.status, record.ended_at_s = SagaRecord.RUNNING, 0.0
    if saga.heading == SagaRecord.COMPENSATING:
        undo_next(saga)


def undo_next(saga: Instance) -> None:
    """Begin each undo that no later task holds up; when none is owed any more, close."""
    tasks = saga.tasks
    for node in reversed(saga.definition.flow_nodes):
        task = tasks[node.index]
        begun = task.status != TaskRecord.OWED or task.undo.status != Exchange.UNASKED or task.stuck
        if begun or any(_holds_up(saga, index) for index in node.all_after):
            continue
        saga.moved(task)
        verdict = kinds.undo(saga, node, task)
        saga.undos += verdict.to_undo
        if verdict.came is Came.FAILED:
            saga.stick(node, task, verdict.why)
    if all(task.status != TaskRecord.OWED for task in tasks):
        close(saga)


def _holds_up(saga: Instance, place: int) -> bool:
    later = saga.tasks[place]
    return later.status == TaskRecord.OWED and not (saga.definition.undoes_past_stuck and _rests(saga, later, place))


def _rests(saga: Instance, task: TaskRecord, place: int) -> bool:
    """Whether nothing of it goes on by itself."""
    if task.stuck or not task.HasField("inner"):
        return task.stuck
    return all(one.stuck for one in saga.inner(place) if one.status == TaskRecord.OWED)


def close(saga: Instance) -> None:
    """All is undone: send what the saga has to say about that, one after another, then end."""
    for step in saga.definition.closing_steps:
        task = saga.tasks[step.index]
        if task.status == TaskRecord.WAITING:
            saga.moved(task)
            verdict = kinds.begin(saga, step, task)
            if verdict.came is Came.FAILED:
                saga.stick(step, task, verdict.why)
        if task.status not in SETTLED:
            return
    given_up = any(task.status == TaskRecord.GIVEN_UP for task in saga.tasks)
    saga.end(SagaRecord.ABANDONED if given_up else SagaRecord.COMPENSATED)
