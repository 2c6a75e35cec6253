"""What one input does to one running saga, without I/O, clock or chance.

    definition, record, input, now ──advance──▶ the next record, commands to send, timers to set, a note

    RUNNING ──every step done──────────────────────────────────▶ COMPLETED
       │  refusal, silence, fault, cancellation, deadline; never past the pivot
       ▼
    COMPENSATING ──each owed undo confirmed, last first; closing commands confirmed──▶ COMPENSATED
       │  (either way) out of budget                 ▲ what was missing is confirmed after all
       ▼                                             │
    STUCK ───────────────────────────────────────────┘

An undo is owed from the moment a step's command is sent, and only a refusal, or having no undo, ends that: silence and
faults mean "maybe done". This file is the way forward and what turns a saga round; `compensation` is the way back.
The author's functions run inside: what they raise ends in turning back, or stuck, never in a half-changed record.
Undo in reverse follows H. Garcia-Molina and K. Salem, "Sagas" (1987); the pivot, C. Richardson's later account.
"""

from __future__ import annotations

from typing import assert_never

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, NextId, Outgoing, SetTimer
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, SagaRecord, StepRecord
from runtime.saga import compensation, retry
from runtime.saga.definition import Definition, Meaning, Role, StepDefinition
from runtime.saga.inputs import (
    Advance,
    Answered,
    CancelRequested,
    Faulted,
    Input,
    NothingToUndo,
    RetryRequested,
    Start,
    TimerFired,
    Unmatched,
)
from runtime.saga.instance import DEADLINE, OPEN, AuthorFailed, Instance, status_name

__all__ = ["advance"]


def advance(
    definition: Definition, record: SagaRecord, input: Input, now_s: float, next_id: NextId, body_bytes_max: int = 0
) -> Advance:
    """Apply one input to `record`, in place; an empty one means that there is no instance.

    `next_id` gives the id of the next command for its destination `kind/key` and what it says; the same calls have to
    give the same ids. A command of more than `body_bytes_max` (0: any number) bytes is its author's failure.
    Never raises for what an author's function raises.
    """
    saga = Instance(definition, record, now_s, next_id, body_bytes_max)
    match input:
        case Answered():
            _answered(saga, input)
        case Start():
            _start(saga, input)
        case Faulted():
            _faulted(saga, input)
        case NothingToUndo():
            compensation.nothing_to_undo(saga, input)
        case TimerFired():
            _timer_fired(saga, input.name)
        case CancelRequested():
            _cancel(saga, input.reason)
        case RetryRequested():
            retry.retry(saga, _ask, _done_with)
        case Unmatched():
            _unmatched(saga, input)
        case _:
            assert_never(input)
    return saga.result()


# --- forward ---


def _start(saga: Instance, start: Start) -> None:
    record, definition = saga.record, saga.definition
    if record.definition:
        saga.note = f"the instance was started before; it is {status_name(record)}"
        return
    record.CopyFrom(definition.template)
    record.conversation = start.conversation
    record.started_at_s = saga.now_s
    record.state = start.state.SerializeToString()
    if definition.deadline_s:
        saga.timers.append(SetTimer(DEADLINE, saga.now_s + definition.deadline_s))
    _go_on(saga, definition.entries)


def _go_on(saga: Instance, candidates: tuple[int, ...]) -> None:
    """Ask those of these steps that wait for nothing more; where the flow has no more steps, see if all are done."""
    steps = saga.steps
    for index in candidates:
        step = saga.definition.steps[index]
        ready = steps[index].status == StepRecord.WAITING and _all_done(saga, step.before)
        if ready:
            _ask(saga, step, steps[index])
            if saga.heading != SagaRecord.RUNNING:
                return
    all_done = not candidates and _all_done(saga, range(saga.definition.closing_from))
    if all_done and saga.record.status == SagaRecord.RUNNING:
        if saga.definition.deadline_s:
            saga.timers.append(CancelTimer(DEADLINE))
        saga.end(SagaRecord.COMPLETED)


def _all_done(saga: Instance, indexes: range | tuple[int, ...]) -> bool:
    steps = saga.steps
    for index in indexes:  # noqa: SIM110 - a loop costs a third of all() over a generator, and each order is asked often
        if steps[index].status != StepRecord.DONE:
            return False
    return True


def _ask(saga: Instance, step: StepDefinition, taken: StepRecord) -> None:
    try:
        saga.ask(step, taken)
    except AuthorFailed as error:
        _give_up(saga, step, str(error))


def _answered(saga: Instance, answer: Answered) -> None:
    name = answer.message.DESCRIPTOR.name
    found = saga.find(answer.command_id)
    if found is None:
        saga.note = f"{name} answers no command of this saga"
        return
    step, taken, of_undo = found
    if of_undo:
        compensation.undo_answered(saga, step, taken, answer.message)
        return
    meaning = step.meanings.get(type(answer.message))
    if meaning is Meaning.DONE and taken.status == StepRecord.REFUSED and answer.command_id == taken.command_id:
        compensation.owe(saga, step, taken, answer.message)
    elif taken.status not in OPEN:
        saga.note = f"{name} came late: step {step.name} is {status_name(taken)}"
    elif meaning is Meaning.DONE:
        _done(saga, step, taken, answer.message)
    elif meaning is Meaning.REFUSED:
        _refused(saga, step, taken, answer)
    elif meaning is Meaning.IGNORED:
        saga.note = f"{name} says nothing about step {step.name}"
    else:
        _unknown(saga, step, taken, f"{name} is no answer that the step declares")
        _give_up(saga, step, taken.error)


def _done(saga: Instance, step: StepDefinition, taken: StepRecord, answer: Message) -> None:
    _settle(saga, step, taken, StepRecord.DONE, answer)
    if step.role is Role.PIVOT:
        saga.record.pivot_passed = True
    _done_with(saga, step, taken, answer)


def _done_with(saga: Instance, step: StepDefinition, taken: StepRecord, answer: Message) -> None:
    """Keep what the answer says, and go on."""
    try:
        saga.keep(step, answer)
    except AuthorFailed as error:
        taken.unkept = answer.SerializePartialToString()
        _give_up(saga, step, str(error))
        return
    taken.ClearField("unkept")
    if step.role is Role.CLOSING:
        compensation.close(saga)
    else:
        _go_on(saga, step.after)


def _refused(saga: Instance, step: StepDefinition, taken: StepRecord, answer: Answered) -> None:
    name, id = answer.message.DESCRIPTOR.name, answer.command_id
    is_last = id == taken.command_id
    if is_last and taken.status == StepRecord.UNKNOWN and not _in_doubt(taken, id):
        saga.note = f"{name} came once more"
        return
    for ids in (taken.earlier_ids, taken.faulted_ids):
        if id in ids:
            ids.remove(id)
    last_is_open = taken.status == StepRecord.ASKED and not is_last
    if last_is_open or taken.earlier_ids or (not is_last and _in_doubt(taken, taken.command_id)):
        # Another command of this step may have been, or still be, carried out: its answer decides, or the timer has it
        # asked again.
        taken.error = f"{name}, while another {step.command.name} is without an answer"
        taken.status = StepRecord.ASKED if last_is_open else StepRecord.UNKNOWN
        return
    _settle(saga, step, taken, StepRecord.REFUSED, answer.message)
    try:
        saga.keep(step, answer.message)
    except AuthorFailed as error:
        taken.error = str(error)
    compensation.turn_back(saga, f"{step.name}: {name}")


def _in_doubt(taken: StepRecord, command_id: bytes) -> bool:
    """Whether this command, which is not open, may have been carried out all the same."""
    return command_id in taken.earlier_ids or command_id in taken.faulted_ids


def _settle(
    saga: Instance, step: StepDefinition, taken: StepRecord, status: StepRecord.Status.ValueType, answer: Message
) -> None:
    was_unknown = taken.status == StepRecord.UNKNOWN
    taken.status = status
    if was_unknown:
        saga.unstick(taken)
    taken.outcome = answer.DESCRIPTOR.full_name
    saga.timers.append(CancelTimer(step.timer))


# --- silence and faults ---


def _timer_fired(saga: Instance, name: str) -> None:
    if name == DEADLINE:
        _deadline_passed(saga)
        return
    step = saga.definition.step_of_timer(name)
    if step is None or saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPENSATING):
        saga.note = f"timer {name} came when nothing waited for it"
        return
    taken = saga.steps[step.index]
    if taken.status == StepRecord.ASKED:
        _timed_out(saga, step, taken)
    elif taken.status == StepRecord.UNKNOWN:
        _ask_again(saga, step, taken, taken.error)
    elif taken.status == StepRecord.OWED and taken.undo_attempts:
        compensation.undo_again(saga, step, taken)
    else:
        saga.note = f"timer {name} came late: the step is {status_name(taken)}"


def _timed_out(saga: Instance, step: StepDefinition, taken: StepRecord) -> None:
    error = f"no answer within {step.patience_s(taken.attempts):g} s"
    _unknown(saga, step, taken, error)
    if step.retriable:
        taken.earlier_ids.append(taken.command_id)
        _ask_again(saga, step, taken, error)
    else:
        _give_up(saga, step, error)


def _ask_again(saga: Instance, step: StepDefinition, taken: StepRecord, error: str) -> None:
    if taken.attempts < step.budget.asks_max:
        _ask(saga, step, taken)
    else:
        _give_up(saga, step, error)


def _faulted(saga: Instance, fault: Faulted) -> None:
    found = saga.find(fault.command_id)
    if found is None:
        saga.note = f"a fault answers no command of this saga: {fault.error}"
        return
    step, taken, of_undo = found
    if of_undo:
        compensation.undo_faulted(saga, step, taken, fault)
    elif taken.status not in OPEN:
        saga.note = f"a fault came late: step {step.name} is {status_name(taken)}: {fault.error}"
    elif taken.status == StepRecord.UNKNOWN or fault.command_id != taken.command_id:
        _earlier_faulted(saga, step, taken, fault)
    else:
        taken.faulted_ids.append(fault.command_id)
        _unknown(saga, step, taken, fault.error)
        if step.retriable and taken.attempts < step.budget.asks_max:
            saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(taken.attempts)))
        else:
            _give_up(saga, step, f"given up by {taken.address}: {fault.error}")


def _earlier_faulted(saga: Instance, step: StepDefinition, taken: StepRecord, fault: Faulted) -> None:
    """Of a command after which the step was asked again, or is about to be: that one decides."""
    if fault.command_id in taken.faulted_ids:
        saga.note = f"a fault of step {step.name} came once more: {fault.error}"
        return
    # It stays among the earlier ones until the step is asked again: who refuses the last may not know of this one.
    taken.faulted_ids.append(fault.command_id)
    taken.error = fault.error


def _unknown(saga: Instance, step: StepDefinition, taken: StepRecord, error: str) -> None:
    """It may have happened, or may yet: nobody can tell."""
    taken.status = StepRecord.UNKNOWN
    taken.error = error
    saga.timers.append(CancelTimer(step.timer))


def _give_up(saga: Instance, step: StepDefinition, error: str) -> None:
    """The step cannot go on: turn back while that is possible, else rest, for a person to look at."""
    if saga.record.status == SagaRecord.RUNNING and not saga.no_way_back():
        compensation.turn_back(saga, f"{step.name}: {error}")
    else:
        saga.stick(step, error)


# --- from outside ---


def _deadline_passed(saga: Instance) -> None:
    status = saga.record.status
    if status not in (SagaRecord.RUNNING, SagaRecord.STUCK):
        saga.note = f"the deadline came late: the saga is {status_name(saga.record)}"
    elif status == SagaRecord.STUCK or saga.no_way_back():
        saga.record.overdue = True
    else:
        compensation.turn_back(saga, f"timeout: not past the pivot within {saga.definition.deadline_s:g} s")


def _cancel(saga: Instance, reason: str) -> None:
    record = saga.record
    refusal = _cancel_refusal(saga)
    if refusal:
        saga.note = f"cancellation refused: {refusal}"
        saga.outgoing.append(Outgoing(CancelRefused(reason=refusal)))
        return
    if record.status == SagaRecord.RUNNING:
        compensation.turn_back(saga, f"cancelled: {reason}" if reason else "cancelled")
    else:
        saga.note = f"it has turned back before: {record.reason}"
    saga.outgoing.append(Outgoing(CancelAccepted(reason=record.reason)))


def _cancel_refusal(saga: Instance) -> str:
    """Why this saga cannot be cancelled; empty if it can be, or has turned back already."""
    status = saga.record.status
    if status == SagaRecord.NONE:
        return "there is no such process"
    if status == SagaRecord.COMPLETED:
        return "it has completed"
    if status == SagaRecord.STUCK:
        return f"it is stuck: {saga.record.stuck_reason}"
    return saga.no_way_back() if status == SagaRecord.RUNNING else ""


def _unmatched(saga: Instance, input: Unmatched) -> None:
    if input.starts:
        saga.note = f"{input.type} has started this instance before; it is {status_name(saga.record)}"
    elif saga.record.definition:
        saga.note = f"{input.type} answers no command of this saga"
    else:
        saga.note = f"{input.type} starts no instance, and there is none of this key"
