"""A wait for an event: a step that asks the actor of a key, which the event answers.

    begin ──AwaitEvent──▶ KIND-keys/KEY ──EventCame──▶ answered ──▶ DONE
                                 │      ──KeyTaken───▶ answered ──▶ REFUSED: it names the holder
    fired, nothing came ──▶ FAILED, and undo takes the wait back; or DONE, where the saga goes on without the event

Beside that it is a step: `step`. Its time runs from its first ask on, however often the actor of the key is asked. The
time is over only once no mail waits for the saga, so that an event which came in time counts, even if a node was down.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.envelope import parse_address
from runtime.protos.saga_pb2 import Exchange, KeyTaken, StopWaiting, TaskRecord
from runtime.saga import exchange
from runtime.saga.inputs import Answered
from runtime.saga.instance import Instance
from runtime.saga.node import AwaitDefinition, full_name
from runtime.saga.nodes import step as steps
from runtime.saga.nodes import undoing
from runtime.saga.timer_acts import limit
from runtime.saga.verdict import DONE, NOTHING, Came, TaskVerdict, failed

__all__ = ["answered", "begin", "fired", "moved", "retry", "undo", "withdraw"]


def begin(saga: Instance, node: AwaitDefinition, task: TaskRecord) -> TaskVerdict:
    """Ask the actor of the key, for the first time or again."""
    verdict = steps.begin(saga, node, task)
    if verdict.came is Came.NOTHING:
        task.awaits = full_name(node.event)
        task.until_s = task.until_s or saga.now_s + node.timeout_s
        saga.timers.append(SetTimer(node.timer, max(task.until_s, saga.now_s), after_mail=True))
    return verdict


def answered(saga: Instance, node: AwaitDefinition, task: TaskRecord, answer: Answered) -> TaskVerdict:
    was_done = task.status == TaskRecord.DONE
    verdict = steps.answered(saga, node, task, answer.command_id, answer.message)
    if isinstance(answer.message, KeyTaken) and verdict.came in (Came.REFUSED, Came.FAILED):
        if verdict.came is Came.REFUSED and node.standing and _is_stuck_at(saga, node.standing):
            saga.set_status(task, TaskRecord.WAITING)  # until the saga holds the key
            task.until_s = 0.0
            return NOTHING
        return TaskVerdict(verdict.came, _taken(answer.message))
    if task.status == TaskRecord.DONE and not was_done:
        task.heard_from = answer.said_by
        if node.standing and answer.command_id != task.do.command_id:
            withdraw(saga, task)  # it came by the key's former value, and the saga waits by the present one
    return verdict


def moved(saga: Instance, node: AwaitDefinition, task: TaskRecord) -> TaskVerdict:
    """Its key has another value: it waits by that, in the time that it has left. What came by the old one counts."""
    withdraw(saga, task)
    exchange.unclear(task.do, "its key has another value")
    return begin(saga, node, task)


def fired(saga: Instance, node: AwaitDefinition, task: TaskRecord) -> TaskVerdict:
    """Its time is over; or a pause is, after which the actor of the key is asked again."""
    if task.status != TaskRecord.RUNNING:
        return steps.fired(saga, _withdrawing(node, task), task)
    if task.do.status == Exchange.UNKNOWN and saga.now_s < task.until_s:
        return begin(saga, node, task)
    key = parse_address(task.address)[1]
    by = limit(saga, node.timer, str(timedelta(seconds=node.timeout_s)), task)
    error = f"no {node.event.DESCRIPTOR.name} with key {key!r} came {by}"
    if not node.goes_on:
        exchange.unclear(task.do, error)
        return failed(error)
    saga.set_status(task, TaskRecord.DONE)
    exchange.answered(task.do, error)
    withdraw(saga, task)
    return DONE


def withdraw(saga: Instance, task: TaskRecord) -> None:
    """The saga does not wait for the event any more, and no answer to that is waited for."""
    if task.awaits:
        saga.outgoing.append(Outgoing(_withdrawal(task), *parse_address(task.address)))


def undo(saga: Instance, node: AwaitDefinition, task: TaskRecord) -> TaskVerdict:
    return undoing.undo(saga, _withdrawing(node, task), task)


def retry(saga: Instance, node: AwaitDefinition, task: TaskRecord) -> TaskVerdict:
    """An operator has it tried once more: if it is asked again, its time begins anew."""
    if task.status == TaskRecord.OWED:
        exchange.refresh(task.undo)
        return undo(saga, node, task)
    if task.status == TaskRecord.WAITING or (task.status == TaskRecord.RUNNING and task.do.status == Exchange.UNKNOWN):
        exchange.refresh(task.do)
        task.until_s = 0.0
        return begin(saga, node, task)
    return steps.retry(saga, node, task)


def _is_stuck_at(saga: Instance, key: str) -> bool:
    """Whether the saga is stuck, and does not turn back, where another holds this key."""
    return any(one.name == key and one.sticks for one in saga.definition.keys)


def _withdrawing(node: AwaitDefinition, task: TaskRecord) -> AwaitDefinition:
    """The same with an undo that goes to where the wait was asked for: the state may name another key by now."""
    withdrawal = _withdrawal(task)
    return replace(node, undo=lambda _state, _reason: withdrawal)


def _withdrawal(task: TaskRecord) -> StopWaiting:
    return StopWaiting(key=parse_address(task.address)[1], event_type=task.awaits, task=task.path)


def _taken(answer: KeyTaken) -> str:
    if not answer.task:
        return f"{answer.holder} holds the key {answer.key!r} already"
    event = answer.event_type.rpartition(".")[2]
    return f"{answer.holder} waits for {event} with key {answer.key!r} already, in its step {answer.task}"
