"""A step on its way forward: a command, and what its answers mean.

    begin ──▶ answered, faulted, fired ──▶ DONE, REFUSED, FAILED

Silence after a command means "maybe done". A step that can be undone then fails, and its undo is owed; one past the
pivot is asked again, with a new command, to its budget. One that declares a probe asks first whether it has happened:
`probing`. What is not finished yet is asked again: `pace`. The way back is `undoing`.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.contracts import names_of
from runtime.durable.behaviour import CancelTimer, Outgoing, SetTimer
from runtime.envelope import address_of, content_of
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import author, exchange, frozen
from runtime.saga.author import AuthorFailed
from runtime.saga.exchange import Refusal
from runtime.saga.inputs import Faulted
from runtime.saga.instance import Instance
from runtime.saga.node import Meaning, PastPivot, Role, StepDefinition
from runtime.saga.nodes import pace, probing, undoing
from runtime.saga.nodes.past_pivot import as_declared
from runtime.saga.nodes.probing import ask_first
from runtime.saga.timer_acts import limit
from runtime.saga.verdict import DONE, NOTHING, OWES, TaskVerdict, failed, refused
from runtime.saga.view import task_name

__all__ = ["answered", "begin", "faulted", "fired", "give_up", "hear", "keep", "retry", "settle"]


def begin(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """Send the step's command, for the first time or again."""
    try:
        _ask(saga, step, task)
    except AuthorFailed as error:
        return failed(str(error))
    return NOTHING


def answered(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Message) -> TaskVerdict:
    verdict = hear(saga, step, task, command_id, answer)
    if verdict is DONE:  # nearly always; what comes now is about failures
        return DONE
    return as_declared(saga, step, task, ask_first(saga, step, task, verdict))


def faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Faulted) -> TaskVerdict:
    """The participant has given a command up, after retries of its own."""
    return as_declared(saga, step, task, ask_first(saga, step, task, _faulted(saga, step, task, fault)))


def fired(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """The step's timer has: the answer is late, or a pause is over."""
    return as_declared(saga, step, task, ask_first(saga, step, task, _fired(saga, step, task)))


def hear(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Message) -> TaskVerdict:
    """What an answer means by itself, whatever the step declares for when it fails."""
    meaning = step.meanings.get(type(answer))
    if task.status != TaskRecord.RUNNING:
        if meaning is Meaning.DONE and task.status == TaskRecord.REFUSED and command_id == task.do.command_id:
            return _done_after_refusal(saga, step, task, answer)
        saga.note = f"{answer.DESCRIPTOR.name} came late: step {step.name} is {task_name(task)}"
        return NOTHING
    if meaning is Meaning.DONE:
        return _done(saga, step, task, answer)
    name = answer.DESCRIPTOR.name
    if meaning is Meaning.REFUSED:
        return _refused(saga, step, task, command_id, answer)
    if meaning is Meaning.WORKING:
        return pace.heard(saga, step, task, task.do, command_id, name)
    if meaning is Meaning.IGNORED:
        saga.note = f"{name} says nothing about step {step.name}"
        return NOTHING
    return _undeclared(saga, step, task, command_id, f"{name} is no answer that the step declares")


def _faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Faulted) -> TaskVerdict:
    if task.status != TaskRecord.RUNNING:
        saga.note = f"a fault came late: step {step.name} is {task_name(task)}: {fault.error}"
        return NOTHING
    was_open = task.do.status == Exchange.OPEN
    if not exchange.faulted(task.do, fault.command_id, fault.error):
        saga.note = f"a fault of step {step.name} came once more: {fault.error}"
        return NOTHING
    if not was_open or task.do.status == Exchange.OPEN:
        return NOTHING  # the step was asked again since, or is about to be: that command decides
    return _ask_later(saga, step, task, f"given up by {task.address}: {fault.error}")


def _undeclared(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, error: str) -> TaskVerdict:
    """Nobody can make sense of what the participant has said. As after a fault, it is asked again where it can be."""
    if step.retriable and command_id != task.do.command_id:
        saga.note = f"{error}; it was asked again since, and the answer to that command decides"
        return NOTHING
    exchange.unclear(task.do, error)
    return _ask_later(saga, step, task, error)


def _fired(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    if task.status == TaskRecord.RUNNING:
        if task.do.status == Exchange.WORKING:
            return pace.over(saga, step, task.do) or begin(saga, step, task)
        if task.do.status == Exchange.UNKNOWN:
            if task.probe.status == Exchange.OPEN:
                silent = probing.silent(saga, step, task)
                return silent if silent is NOTHING else give_up(saga, step, task, silent.why)
            is_endless = step.past_pivot is PastPivot.RETRY
            return begin(saga, step, task) if is_endless else _ask_again(saga, step, task, task.do.error)
        patience = f"{step.patience_s(exchange.counted(task.do)):g} s"
        error = f"no answer {limit(saga, step.timer, patience, task)}"
        silent = _unclear(task, error)
        return _ask_again(saga, step, task, error) if step.retriable else silent
    if task.status == TaskRecord.OWED and task.undo.status in (Exchange.WORKING, Exchange.UNKNOWN):
        return pace.over(saga, step, task.undo) or undoing.undo(saga, step, task)
    saga.note = f"timer {step.timer} came late: the step is {task_name(task)}"
    return NOTHING


def keep(saga: Instance, step: StepDefinition, task: TaskRecord, answer: Message) -> TaskVerdict:
    """The step is done: have `on_answer` take facts of the answer into the state. If it fails, the answer is stored."""
    try:
        author.keep(saga.definition, saga.record, step, task, answer, saga.bounds)
    except AuthorFailed as error:
        task.unkept = answer.SerializePartialToString(deterministic=True)
        return failed(str(error))
    finally:
        frozen.take_present(task)
    return DONE


def _ask(saga: Instance, step: StepDefinition, task: TaskRecord) -> None:
    """Raises AuthorFailed; then nothing has changed."""
    what = f"do of step {step.name}"
    command = author.made_by(saga.definition, saga.record, what, step.do)
    key = author.key_of(what, step.command, command)
    body = author.body(what, command, saga.bounds.message_bytes_max)
    task.address = address_of(step.command.kind, key)
    id = saga.next_id(task.address, content_of(command.DESCRIPTOR.full_name, body, b""))
    question = task.do
    exchange.ask(question, id, saga.now_s)
    if task.HasField("probe"):
        exchange.set_aside(task.probe)
    frozen.take_present(task)
    saga.set_status(task, TaskRecord.RUNNING)
    if task.stuck:
        saga.unstick(task)
    saga.outgoing.append(Outgoing(command, step.command.kind, key, id, wants_reply=True, body=body))
    saga.timers.append(SetTimer(step.timer, saga.now_s + step.patience_s(exchange.counted(question))))


def _ask_later(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    """After a pause, if there is no way back and the budget has an ask left."""
    if step.retriable and (asks := exchange.counted(task.do)) < step.budget.asks_max:
        saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(asks)))
        return NOTHING
    return failed(error)


def give_up(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    """No probe has told what became of it. What was only worked on has used up no budget."""
    return _ask_again(saga, step, task, error) if step.retriable else failed(error)


def _ask_again(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    if exchange.counted(task.do) < step.budget.asks_max:
        return begin(saga, step, task)
    return failed(error)


def _unclear(task: TaskRecord, error: str) -> TaskVerdict:
    exchange.unclear(task.do, error)
    return failed(error)


def _done(saga: Instance, step: StepDefinition, task: TaskRecord, answer: Message) -> TaskVerdict:
    settle(saga, step, task, TaskRecord.DONE)
    exchange.answered(task.do, answer.DESCRIPTOR.full_name)
    if step.role is Role.PIVOT:
        saga.record.pivot_passed = True
    return keep(saga, step, task, answer)


def _refused(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Message) -> TaskVerdict:
    name = answer.DESCRIPTOR.name
    refusal = exchange.refused(task.do, command_id, answer.DESCRIPTOR.full_name)
    if refusal is Refusal.REPEATED:
        saga.note = f"{name} came once more"
        return NOTHING
    if refusal is Refusal.IN_DOUBT:
        task.do.error = f"{name}, while another {step.command.name} is without an answer"
        return NOTHING
    settle(saga, step, task, TaskRecord.REFUSED)
    try:
        author.keep(saga.definition, saga.record, step, task, answer, saga.bounds)
    except AuthorFailed as error:
        task.do.error = str(error)
    return refused(name)


def _done_after_refusal(saga: Instance, step: StepDefinition, task: TaskRecord, answer: Message) -> TaskVerdict:
    """A participant that has refused a command says, of the same command, that it is done."""
    if step.undo is None:
        saga.note = f"{answer.DESCRIPTOR.name} came after step {step.name} was refused, and it has no undo"
        saga.alarm = f"{saga.note}: {task.address} has done what this saga counts as not done"
        return NOTHING
    saga.set_status(task, TaskRecord.OWED)
    exchange.answered(task.do, answer.DESCRIPTOR.full_name)
    try:
        author.keep(saga.definition, saga.record, step, task, answer, saga.bounds)
    except AuthorFailed as error:
        task.do.error = str(error)
    frozen.take_present(task)
    return OWES


def settle(saga: Instance, step: StepDefinition, task: TaskRecord, status: TaskRecord.Status.ValueType) -> None:
    """The step waits for nothing more."""
    saga.set_status(task, status)
    if task.stuck:
        saga.unstick(task)
    saga.timers.append(CancelTimer(step.timer))


# --- an operator's second try ---


def retry(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """Try a task that was stuck once more, with a fresh budget. What was tried before it may have gone on already."""
    if task.status == TaskRecord.OWED:
        exchange.refresh(task.undo)
        return undoing.undo(saga, step, task)
    if task.status == TaskRecord.DONE:
        return _keep_again(saga, step, task)
    if task.status == TaskRecord.WAITING or (task.status == TaskRecord.RUNNING and task.do.status == Exchange.UNKNOWN):
        exchange.refresh(task.do)
        return begin(saga, step, task)
    return NOTHING


def _keep_again(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    types = [type_ for type_ in step.meanings if task.do.outcome in names_of(type_)]
    if not types or not task.HasField("unkept"):
        return failed(f"{task.do.error} (its answer was not stored, so it cannot be kept again)")
    verdict = keep(saga, step, task, types[0].FromString(task.unkept))
    if verdict is DONE:
        task.ClearField("unkept")
    return verdict
