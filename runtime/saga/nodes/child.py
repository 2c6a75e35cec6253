"""A child saga: a step whose command starts the child, and which the child's end answers.

    begin ──the starting event──▶ KIND/KEY ──SagaUnderWay, SagaStuck──▶ asked again at its pace
                                           ──SagaCompleted──▶ DONE   ──SagaCompensated, StartRefused──▶ REFUSED
    undo  ──UndoSaga────────────▶ KIND/KEY ──SagaUnderWay, SagaStuck──▶ asked again at its pace
                                           ──SagaCompensated──▶ UNDONE
                                           ──UndoRefused, SagaAbandoned──▶ FAILED; where the child may stay it is
                                                               skipped, or given up if it was left half undone

Beside that it is a step: `step`, `undoing`. What the child says of being stuck is kept as the error of the question.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.durable.behaviour import CancelTimer
from runtime.envelope import parse_address
from runtime.protos.saga_pb2 import Exchange, SagaAbandoned, SagaStuck, SagaUnderWay, TaskRecord, UndoRefused, UndoSaga
from runtime.saga import exchange
from runtime.saga.inputs import Answered
from runtime.saga.instance import Instance
from runtime.saga.node import ChildDefinition
from runtime.saga.nodes import step as steps
from runtime.saga.nodes import undoing
from runtime.saga.verdict import NOTHING, UNDONE, Came, TaskVerdict, failed, refused
from runtime.saga.view import task_name

__all__ = ["answered", "fired", "retry", "undo", "undo_answered"]


def answered(saga: Instance, node: ChildDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    message = answer.message
    is_open = task.status == TaskRecord.RUNNING
    if is_open and isinstance(message, SagaAbandoned):
        error = f"{task.address} was abandoned: {message.reason}"
        exchange.unclear(task.do, error)
        return failed(error)
    verdict = steps.answered(saga, node, task, answer.command_id, message)
    if is_open:
        _note_stuck(saga, task, task.do, answer)
    reason = getattr(message, "reason", "")
    return refused(f"{verdict.why}: {reason}") if verdict.came is Came.REFUSED and reason else verdict


def undo_answered(saga: Instance, node: ChildDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    message = answer.message
    is_owed = task.status == TaskRecord.OWED
    if isinstance(message, UndoRefused | SagaAbandoned):
        return _stays(saga, node, task, message)
    verdict = undoing.undo_answered(saga, node, task, answer.command_id, message)
    if is_owed:
        _note_stuck(saga, task, task.undo, answer)
    return verdict


def fired(saga: Instance, node: ChildDefinition, task: TaskRecord) -> TaskVerdict:
    return steps.fired(saga, _undoing(node, task), task)


def undo(saga: Instance, node: ChildDefinition, task: TaskRecord) -> TaskVerdict:
    return undoing.undo(saga, _undoing(node, task), task)


def retry(saga: Instance, node: ChildDefinition, task: TaskRecord) -> TaskVerdict:
    return steps.retry(saga, _undoing(node, task), task)


def _note_stuck(saga: Instance, task: TaskRecord, question: Exchange, answer: Answered) -> None:
    """Keep what the child says of how it stands, which may be news though its command was answered before."""
    if answer.command_id != question.command_id:
        return
    error = question.error
    if isinstance(answer.message, SagaStuck):
        error = f"{task.address} is stuck: {answer.message.reason}"
    elif isinstance(answer.message, SagaUnderWay) and question.status == Exchange.WORKING:
        error = ""
    if error != question.error:
        question.error, saga.note = error, ""


def _stays(saga: Instance, node: ChildDefinition, task: TaskRecord, answer: UndoRefused | SagaAbandoned) -> TaskVerdict:
    """The child cannot be undone, or an operator has taken it out of the way as it is."""
    is_abandoned = isinstance(answer, SagaAbandoned)
    error = f"{task.address} {'was abandoned' if is_abandoned else 'cannot be undone'}: {answer.reason}"
    if task.status != TaskRecord.OWED or (task.stuck and task.undo.error == error):
        saga.note = f"{answer.DESCRIPTOR.name} came late: step {node.name} is {task_name(task)}"
        return NOTHING
    if not node.may_stay:
        exchange.unclear(task.undo, error)
        return failed(error)
    # An abandoned child owes what nobody will undo, so this saga cannot end as if all was undone.
    saga.set_status(task, TaskRecord.GIVEN_UP if is_abandoned else TaskRecord.SKIPPED)
    exchange.answered(task.undo, answer.DESCRIPTOR.full_name)
    task.undo.error = error
    saga.record.reason += f"; {task.address} {'was abandoned' if is_abandoned else 'stays'}: {answer.reason}"
    saga.timers.append(CancelTimer(node.timer))
    saga.unstick(task)
    return UNDONE


def _undoing(node: ChildDefinition, task: TaskRecord) -> ChildDefinition:
    """The same with an undo that goes to the child that was started: the state may name another key by now."""
    key = parse_address(task.address)[1] if task.address else ""
    return replace(node, undo=lambda _state, reason: UndoSaga(key=key, reason=reason))
