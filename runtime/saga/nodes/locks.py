"""A lock: a step that asks the actor of a key, and is done once that actor says that its turn has come.

    begin ──AcquireLock──▶ NAME-lock/KEY ──LockGranted───▶ answered ──▶ DONE
    fired, or DeadlockFound: the saga turns back ──▶ FAILED, and undo takes its place in the queue back
    undo, the end ──ReleaseLock──▶ NAME-lock/KEY ──LockGranted──▶ who waits next

Beside that it is a step: `step`. Whatever ends the saga releases what it holds, in the same commit: `let_go`. A lock
that expires goes to another, and the record of its former holder says so. The saga goes on all the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.envelope import parse_address
from runtime.protos.lock_pb2 import AcquireLock, DeadlockFound, LockGranted, LockLost, ReleaseLock
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga import exchange
from runtime.saga.inputs import Answered
from runtime.saga.instance import Instance
from runtime.saga.node import LockDefinition
from runtime.saga.nodes import step as steps
from runtime.saga.nodes import undoing
from runtime.saga.timer_acts import limit
from runtime.saga.verdict import NOTHING, Came, TaskVerdict, failed
from runtime.saga.view import task_name

__all__ = ["answered", "begin", "fired", "let_go", "retry", "undo"]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


def begin(saga: Instance, node: LockDefinition, task: TaskRecord) -> TaskVerdict:
    """Ask the actor of the key, for the first time or again."""
    verdict = steps.begin(saga, _asking(saga, node, task), task)
    if verdict.came is Came.NOTHING:
        task.lock.SetInParent()
        task.until_s = task.until_s or saga.now_s + node.timeout_s
        saga.timers.append(SetTimer(node.timer, max(task.until_s, saga.now_s), after_mail=True))
    return verdict


def answered(saga: Instance, node: LockDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    message, is_open = answer.message, task.status == TaskRecord.RUNNING
    if isinstance(message, LockLost):
        return _lost(saga, task, message)
    if isinstance(message, DeadlockFound):
        return _deadlocked(saga, task, message)
    verdict = steps.answered(saga, node, task, answer.command_id, message)
    if is_open and task.status == TaskRecord.DONE and isinstance(message, LockGranted):
        task.lock.granted_at_s, task.lock.expires_at_s = saga.now_s, message.expires_at_s
    return verdict


def fired(saga: Instance, node: LockDefinition, task: TaskRecord) -> TaskVerdict:
    """Its time is over; or a pause is, after which the actor of the key is asked again."""
    if task.status != TaskRecord.RUNNING:
        return steps.fired(saga, _releasing(node, task), task)
    if task.do.status == Exchange.UNKNOWN and saga.now_s < task.until_s:
        return begin(saga, node, task)
    by = limit(saga, node.timer, str(timedelta(seconds=node.timeout_s)), task)
    error = f"{task.address} was not free {by}"
    exchange.unclear(task.do, error)
    return failed(error)


def undo(saga: Instance, node: LockDefinition, task: TaskRecord) -> TaskVerdict:
    return undoing.undo(saga, _releasing(node, task), task)


def retry(saga: Instance, node: LockDefinition, task: TaskRecord) -> TaskVerdict:
    """An operator has it tried once more: if it is asked again, its time begins anew."""
    if task.status == TaskRecord.OWED:
        exchange.refresh(task.undo)
        return undo(saga, node, task)
    if task.status == TaskRecord.WAITING or (task.status == TaskRecord.RUNNING and task.do.status == Exchange.UNKNOWN):
        exchange.refresh(task.do)
        task.until_s = 0.0
        return begin(saga, node, task)
    return steps.retry(saga, node, task)


def let_go(saga: Instance, before: SagaRecord.Status.ValueType) -> None:
    """Release what a saga that ends now holds, and leave the queues in which it stands."""
    if saga.record.status not in _ENDED or before in _ENDED:
        return
    for task in saga.tasks:
        is_released = task.status == TaskRecord.UNDONE and not task.by_hand
        if task.HasField("lock") and not is_released:
            saga.outgoing.append(Outgoing(_release(task), *parse_address(task.address)))


def _lost(saga: Instance, task: TaskRecord, lost: LockLost) -> TaskVerdict:
    if task.status not in (TaskRecord.DONE, TaskRecord.OWED) or saga.record.status in _ENDED or task.lock.lost_at_s:
        saga.note = f"{task.address} went to {lost.went_to}: step {task.path} is {task_name(task)}"
        return NOTHING
    task.lock.lost_at_s, task.lock.went_to = lost.at_s, lost.went_to
    saga.alarm = f"its lock {task.address} has expired, and went to {lost.went_to}, while the saga goes on"
    return NOTHING


def _deadlocked(saga: Instance, task: TaskRecord, found: DeadlockFound) -> TaskVerdict:
    if task.status != TaskRecord.RUNNING or task.do.command_id != found.command_id:
        saga.note = f"a deadlock is over: step {task.path} is {task_name(task)}"
        return NOTHING
    error = f"deadlock: {found.circle}"
    exchange.unclear(task.do, error)
    return failed(error)


def _asking(saga: Instance, node: LockDefinition, task: TaskRecord) -> LockDefinition:
    """The same with what the actor of the key has to know of the instance."""
    started_at_s, parent = saga.record.started_at_s, saga.record.asker.address

    def ask(state: Any, reason: str) -> Message:
        asked = node.do(state, reason)
        assert isinstance(asked, AcquireLock)
        asked.task, asked.started_at_s, asked.parent = task.path, started_at_s, parent
        return asked

    return replace(node, do=ask)


def _releasing(node: LockDefinition, task: TaskRecord) -> LockDefinition:
    """The same with an undo that goes to the lock that was asked for: the state may name another key by now."""
    release = _release(task)
    return replace(node, undo=lambda _state, _reason: release)


def _release(task: TaskRecord) -> ReleaseLock:
    return ReleaseLock(key=parse_address(task.address)[1], task=task.path)
