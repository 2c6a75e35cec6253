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
faults mean "maybe done". This file is the way forward and what turns a saga round; `cancellation` turns it round
from outside, and `compensation` is the way back.
The author's functions run inside: what they raise ends in turning back, or stuck, never in a half-changed record.
Undo in reverse follows H. Garcia-Molina and K. Salem, "Sagas" (1987); the pivot, C. Richardson's later account.
"""

from __future__ import annotations

from typing import assert_never

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, NextId, SetTimer
from runtime.protos.saga_pb2 import SagaRecord, StepRecord
from runtime.saga import cancellation, compensation, inputs, retry
from runtime.saga.definition import Definition, Meaning, Role, StepDefinition
from runtime.saga.instance import DEADLINE, OPEN, AuthorFailed, Instance, status_name

__all__ = ["advance"]


def advance(
    definition: Definition, record: SagaRecord, given: inputs.Input, now_s: float, next_id: NextId, size_max: int = 0
) -> inputs.Advance:
    """Apply one input to `record`, in place; an empty one means that there is no instance.

    `next_id` gives the id of the next command for its destination `kind/key` and what it says; the same calls have to
    give the same ids. A command of more than `size_max` (0: any number) bytes is its author's failure.
    Never raises for what an author's function raises.
    """
    saga = Instance(definition, record, now_s, next_id, size_max)
    match given:
        case inputs.Answered():
            _answered(saga, given)
        case inputs.Start():
            _start(saga, given)
        case inputs.Faulted():
            _faulted(saga, given)
        case inputs.NothingToUndo():
            compensation.nothing_to_undo(saga, given)
        case inputs.TimerFired():
            _timer_fired(saga, given.name)
        case inputs.CancelRequested():
            cancellation.cancel(saga, given.reason)
        case inputs.RetryRequested():
            retry.retry(saga, _ask, _done_with)
        case inputs.Unmatched():
            _unmatched(saga, given)
        case _:
            assert_never(given)
    return saga.result()


# --- forward ---


def _start(saga: Instance, start: inputs.Start) -> None:
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


def _ask(saga: Instance, step: StepDefinition, progress: StepRecord) -> None:
    try:
        saga.ask(step, progress)
    except AuthorFailed as error:
        _give_up(saga, step, str(error))


def _answered(saga: Instance, answer: inputs.Answered) -> None:
    name = answer.message.DESCRIPTOR.name
    found = saga.find(answer.command_id)
    if found is None:
        saga.note = f"{name} answers no command of this saga"
        return
    step, progress, of_undo = found
    if of_undo:
        compensation.undo_answered(saga, step, progress, answer.message)
        return
    meaning = step.meanings.get(type(answer.message))
    if meaning is Meaning.DONE and progress.status == StepRecord.REFUSED and answer.command_id == progress.command_id:
        compensation.owe(saga, step, progress, answer.message)
    elif progress.status not in OPEN:
        saga.note = f"{name} came late: step {step.name} is {status_name(progress)}"
    elif meaning is Meaning.DONE:
        _done(saga, step, progress, answer.message)
    elif meaning is Meaning.REFUSED:
        _refused(saga, step, progress, answer)
    elif meaning is Meaning.IGNORED:
        saga.note = f"{name} says nothing about step {step.name}"
    else:
        _unknown(saga, step, progress, f"{name} is no answer that the step declares")
        _give_up(saga, step, progress.error)


def _done(saga: Instance, step: StepDefinition, progress: StepRecord, answer: Message) -> None:
    _settle(saga, step, progress, StepRecord.DONE, answer)
    if step.role is Role.PIVOT:
        saga.record.pivot_passed = True
    _done_with(saga, step, progress, answer)


def _done_with(saga: Instance, step: StepDefinition, progress: StepRecord, answer: Message) -> None:
    """Keep what the answer says, and go on."""
    try:
        saga.keep(step, answer)
    except AuthorFailed as error:
        progress.unkept = answer.SerializePartialToString()
        _give_up(saga, step, str(error))
        return
    progress.ClearField("unkept")
    if step.role is Role.CLOSING:
        compensation.close(saga)
    else:
        _go_on(saga, step.after)


def _refused(saga: Instance, step: StepDefinition, progress: StepRecord, answer: inputs.Answered) -> None:
    name, id = answer.message.DESCRIPTOR.name, answer.command_id
    is_last = id == progress.command_id
    if is_last and progress.status == StepRecord.UNKNOWN and not _in_doubt(progress, id):
        saga.note = f"{name} came once more"
        return
    for ids in (progress.earlier_ids, progress.faulted_ids):
        if id in ids:
            ids.remove(id)
    last_is_open = progress.status == StepRecord.ASKED and not is_last
    if last_is_open or progress.earlier_ids or (not is_last and _in_doubt(progress, progress.command_id)):
        # Another command of this step may have been, or still be, carried out: its answer decides, or the timer has it
        # asked again.
        progress.error = f"{name}, while another {step.command.name} is without an answer"
        progress.status = StepRecord.ASKED if last_is_open else StepRecord.UNKNOWN
        return
    _settle(saga, step, progress, StepRecord.REFUSED, answer.message)
    try:
        saga.keep(step, answer.message)
    except AuthorFailed as error:
        progress.error = str(error)
    compensation.turn_back(saga, f"{step.name}: {name}")


def _in_doubt(progress: StepRecord, command_id: bytes) -> bool:
    """Whether this command, which is not open, may have been carried out all the same."""
    return command_id in progress.earlier_ids or command_id in progress.faulted_ids


def _settle(
    saga: Instance, step: StepDefinition, progress: StepRecord, status: StepRecord.Status.ValueType, answer: Message
) -> None:
    was_unknown = progress.status == StepRecord.UNKNOWN
    progress.status = status
    if was_unknown:
        saga.unstick(progress)
    progress.outcome = answer.DESCRIPTOR.full_name
    saga.timers.append(CancelTimer(step.timer))


# --- silence and faults ---


def _timer_fired(saga: Instance, name: str) -> None:
    if name == DEADLINE:
        cancellation.deadline_passed(saga)
        return
    step = saga.definition.step_of_timer(name)
    if step is None or saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPENSATING):
        saga.note = f"timer {name} came when nothing waited for it"
        return
    progress = saga.steps[step.index]
    if progress.status == StepRecord.ASKED:
        _timed_out(saga, step, progress)
    elif progress.status == StepRecord.UNKNOWN:
        _ask_again(saga, step, progress, progress.error)
    elif progress.status == StepRecord.OWED and progress.undo_attempts:
        compensation.undo_again(saga, step, progress)
    else:
        saga.note = f"timer {name} came late: the step is {status_name(progress)}"


def _timed_out(saga: Instance, step: StepDefinition, progress: StepRecord) -> None:
    error = f"no answer within {step.patience_s(progress.attempts):g} s"
    _unknown(saga, step, progress, error)
    if step.retriable:
        progress.earlier_ids.append(progress.command_id)
        _ask_again(saga, step, progress, error)
    else:
        _give_up(saga, step, error)


def _ask_again(saga: Instance, step: StepDefinition, progress: StepRecord, error: str) -> None:
    if progress.attempts < step.budget.asks_max:
        _ask(saga, step, progress)
    else:
        _give_up(saga, step, error)


def _faulted(saga: Instance, fault: inputs.Faulted) -> None:
    found = saga.find(fault.command_id)
    if found is None:
        saga.note = f"a fault answers no command of this saga: {fault.error}"
        return
    step, progress, of_undo = found
    if of_undo:
        compensation.undo_faulted(saga, step, progress, fault)
    elif progress.status not in OPEN:
        saga.note = f"a fault came late: step {step.name} is {status_name(progress)}: {fault.error}"
    elif progress.status == StepRecord.UNKNOWN or fault.command_id != progress.command_id:
        _earlier_faulted(saga, step, progress, fault)
    else:
        progress.faulted_ids.append(fault.command_id)
        _unknown(saga, step, progress, fault.error)
        if step.retriable and progress.attempts < step.budget.asks_max:
            saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(progress.attempts)))
        else:
            _give_up(saga, step, f"given up by {progress.address}: {fault.error}")


def _earlier_faulted(saga: Instance, step: StepDefinition, progress: StepRecord, fault: inputs.Faulted) -> None:
    """Of a command after which the step was asked again, or is about to be: that one decides."""
    if fault.command_id in progress.faulted_ids:
        saga.note = f"a fault of step {step.name} came once more: {fault.error}"
        return
    # It stays among the earlier ones until the step is asked again: who refuses the last may not know of this one.
    progress.faulted_ids.append(fault.command_id)
    progress.error = fault.error


def _unknown(saga: Instance, step: StepDefinition, progress: StepRecord, error: str) -> None:
    """It may have happened, or may yet: nobody can tell."""
    progress.status = StepRecord.UNKNOWN
    progress.error = error
    saga.timers.append(CancelTimer(step.timer))


def _give_up(saga: Instance, step: StepDefinition, error: str) -> None:
    """The step cannot go on: turn back while that is possible, else rest, for a person to look at."""
    if saga.record.status == SagaRecord.RUNNING and not saga.no_way_back():
        compensation.turn_back(saga, f"{step.name}: {error}")
    else:
        saga.stick(step, error)


def _unmatched(saga: Instance, input: inputs.Unmatched) -> None:
    if input.starts:
        saga.note = f"{input.type} has started this instance before; it is {status_name(saga.record)}"
    elif saga.record.definition:
        saga.note = f"{input.type} answers no command of this saga"
    else:
        saga.note = f"{input.type} starts no instance, and there is none of this key"
