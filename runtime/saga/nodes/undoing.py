"""The way back of a step: the command that takes it back, and what its answers mean.

    undo ──▶ undo_answered, nothing_to_undo, undo_faulted ──▶ UNDONE, FAILED

A silent undo is waited for: its mail is durable, so an answer or a fault will come, and a second undo could only be one
too many. An undo that is not finished yet is asked again: `pace`.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Outgoing, SetTimer
from runtime.envelope import address_of, content_of
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import author, exchange, frozen
from runtime.saga.author import AuthorFailed
from runtime.saga.inputs import Faulted
from runtime.saga.instance import Instance
from runtime.saga.node import Meaning, StepDefinition, full_name
from runtime.saga.nodes import pace
from runtime.saga.verdict import NOTHING, UNDONE, TaskVerdict, failed
from runtime.saga.view import task_name

__all__ = ["nothing_to_undo", "undo", "undo_answered", "undo_faulted"]


def undo(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """Send the undo, for the first time or again; or find that this instance needs none."""
    try:
        return _ask_undo(saga, step, task)
    except AuthorFailed as error:
        return failed(str(error))


def undo_answered(
    saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Message
) -> TaskVerdict:
    name = answer.DESCRIPTOR.name
    if task.status != TaskRecord.OWED:
        saga.note = f"{name} came late: step {step.name} is {task_name(task)}"
        return NOTHING
    if type(answer) in step.undone:
        return _undone(saga, step, task, answer.DESCRIPTOR.full_name)
    if type(answer) in step.undo_working:
        return pace.heard(saga, step, task, task.undo, command_id, name)
    if step.meanings.get(type(answer)) is Meaning.IGNORED:
        saga.note = f"{name} says nothing about the undo of step {step.name}"
        return NOTHING
    return _undeclared(saga, step, task, command_id, f"{name} is no answer that confirms the undo")


def nothing_to_undo(saga: Instance, step: StepDefinition, task: TaskRecord, reason: str) -> TaskVerdict:
    """The participant's runtime vouches that the do never ran, was refused, or is undone already."""
    if task.status != TaskRecord.OWED:
        saga.note = f"nothing to undo ({reason}) came late: step {step.name} is {task_name(task)}"
        return NOTHING
    return _undone(saga, step, task, f"nothing to undo: {reason}")


def undo_faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Faulted) -> TaskVerdict:
    """The participant has given the undo up, after retries of its own."""
    if task.status != TaskRecord.OWED or task.undo.status != Exchange.OPEN or fault.command_id != task.undo.command_id:
        saga.note = f"the fault of an undo came late: step {step.name} is {task_name(task)}: {fault.error}"
        return NOTHING
    exchange.faulted(task.undo, fault.command_id, fault.error)
    return _ask_later(saga, step, task, f"given up by {task.address}: {fault.error}")


def _undeclared(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, error: str) -> TaskVerdict:
    """Nobody can make sense of what the participant has said. As after a fault, it is asked again."""
    if command_id != task.undo.command_id:
        saga.note = f"{error}; it was asked again since, and the answer to that command decides"
        return NOTHING
    if task.undo.status == Exchange.UNKNOWN and not task.stuck:
        saga.note = f"{error}; it is asked again soon"
        return NOTHING
    exchange.unclear(task.undo, error)
    return _ask_later(saga, step, task, error)


def _ask_later(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    """After a pause, if the budget has an ask left."""
    if (asks := exchange.counted(task.undo)) < step.budget.asks_max:
        saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(asks)))
        return NOTHING
    return failed(error)


def _ask_undo(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """Raises AuthorFailed; then nothing has changed."""
    assert step.undo is not None and step.undo_command is not None  # owed only then
    what = f"undo of step {step.name}"
    if not task.do.command_id:
        raise AuthorFailed(f"{what}: no command was sent, and what was done by hand is undone by hand")
    command = author.made_by(saga.definition, saga.record, what, step.undo, frozen.state_for(saga.record, task))
    if command is None:
        saga.set_status(task, TaskRecord.SKIPPED)
        if task.stuck:
            saga.unstick(task)
        return UNDONE
    key = author.key_of(what, step.undo_command, command)
    if address_of(step.undo_command.kind, key) != task.address:
        raise AuthorFailed(f"{what} goes to key {key!r}; its do went to {task.address}")
    body = author.body(what, command, saga.bounds.message_bytes_max)
    undo_of = task.do.command_id
    id = saga.next_id(task.address, content_of(command.DESCRIPTOR.full_name, body, undo_of))
    earlier = tuple(exchange.unsettled_ids(task.undo))
    exchange.ask(task.undo, id, saga.now_s)
    if task.stuck:
        saga.unstick(task)
    saga.outgoing.append(
        Outgoing(
            command,
            step.undo_command.kind,
            key,
            id,
            wants_reply=True,
            undo_of=undo_of,
            refusals=step.refusals,
            dones=step.dones,
            earlier_undos=earlier,
            undones=tuple(sorted([full_name(one) for one in step.undone])),
            begun=task.do.workings > 0,
        )
    )
    return NOTHING


def _undone(saga: Instance, step: StepDefinition, task: TaskRecord, outcome: str) -> TaskVerdict:
    was_open = task.undo.status == Exchange.OPEN
    saga.set_status(task, TaskRecord.UNDONE)
    exchange.answered(task.undo, outcome)
    if not was_open:  # confirmed after it was given up, as by an operator's replay
        saga.timers.append(CancelTimer(step.timer))
        saga.unstick(task)
    return UNDONE
