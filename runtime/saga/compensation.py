"""The way back of a saga: which undo is owed, in which order, and when all is undone.

    turn_back ──▶ undo_next ──▶ undo confirmed ──▶ undo_next ──▶ ... ──▶ close ──▶ COMPENSATED
                      │ given up by the participant: again after a pause, to the budget, and then STUCK

Each undo waits until every step that came after its own owes nothing any more. A silent undo is waited for: its mail
is durable, so an answer or a fault will come, and a second undo could only be one too many.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.protos.saga_pb2 import SagaRecord, StepRecord
from runtime.saga.definition import Meaning, StepDefinition
from runtime.saga.inputs import Faulted, NothingToUndo
from runtime.saga.instance import DEADLINE, OPEN, OWING, AuthorFailed, Instance, status_name

__all__ = ["close", "nothing_to_undo", "owe", "turn_back", "undo", "undo_again", "undo_answered", "undo_faulted"]


def turn_back(saga: Instance, reason: str) -> None:
    """From now on undo. What may have happened is owed; what has no undo is skipped, and recorded as such."""
    record = saga.record
    record.status = SagaRecord.COMPENSATING
    record.reason = reason
    if saga.definition.deadline_s:
        saga.timers.append(CancelTimer(DEADLINE))
    for step in saga.definition.flow_steps:
        progress = saga.steps[step.index]
        if progress.status in OPEN:
            saga.timers.append(CancelTimer(step.timer))
        if progress.status in OPEN or progress.status == StepRecord.DONE:
            progress.status = StepRecord.SKIPPED if step.undo is None else StepRecord.OWED
    _undo_next(saga)


def owe(saga: Instance, step: StepDefinition, progress: StepRecord, answer: Message) -> None:
    """A step that was refused says, of the same command, that it is done: so its undo is owed, even after the end."""
    record = saga.record
    if step.undo is None:
        saga.note = f"{answer.DESCRIPTOR.name} came after step {step.name} was refused, and it has no undo"
        return
    progress.status = StepRecord.OWED
    progress.outcome = answer.DESCRIPTOR.full_name
    if record.status == SagaRecord.COMPENSATED:
        record.status, record.ended_at_s = SagaRecord.COMPENSATING, 0.0
    try:
        saga.keep(step, answer)
    except AuthorFailed as error:
        progress.error = str(error)
    _undo_next(saga)


def undo(saga: Instance, step: StepDefinition, progress: StepRecord) -> None:
    """Send the undo of a step, for the first time or again; or find that this instance needs none."""
    try:
        saga.ask_undo(step, progress)
    except AuthorFailed as error:
        saga.stick(step, str(error))


def undo_again(saga: Instance, step: StepDefinition, progress: StepRecord) -> None:
    """Send an undo once more; should this instance need none any longer, go on."""
    undo(saga, step, progress)
    if progress.status == StepRecord.SKIPPED:
        _undo_next(saga)


def undo_answered(saga: Instance, step: StepDefinition, progress: StepRecord, answer: Message) -> None:
    name = answer.DESCRIPTOR.name
    if progress.status not in OWING:
        saga.note = f"{name} came late: step {step.name} is {status_name(progress)}"
    elif type(answer) in step.undone:
        _undone(saga, step, progress, answer.DESCRIPTOR.full_name)
    elif step.meanings.get(type(answer)) is Meaning.IGNORED:
        saga.note = f"{name} says nothing about the undo of step {step.name}"
    else:
        progress.status = StepRecord.OWED
        saga.stick(step, f"{name} is no answer that confirms the undo")


def nothing_to_undo(saga: Instance, answer: NothingToUndo) -> None:
    """The participant's runtime vouches that the do never ran, was refused, or is undone already."""
    found = saga.find(answer.command_id)
    if found is None or not found[2]:
        saga.note = f"nothing to undo ({answer.reason}), but no undo of this saga asked"
        return
    step, progress, _ = found
    if progress.status in OWING:
        _undone(saga, step, progress, f"nothing to undo: {answer.reason}")
    else:
        saga.note = f"nothing to undo ({answer.reason}) came late: step {step.name} is {status_name(progress)}"


def undo_faulted(saga: Instance, step: StepDefinition, progress: StepRecord, fault: Faulted) -> None:
    """The participant has given the undo up, after retries of its own."""
    if progress.status != StepRecord.UNDOING or fault.command_id != progress.undo_id:
        saga.note = f"the fault of an undo came late: step {step.name} is {status_name(progress)}: {fault.error}"
        return
    progress.status = StepRecord.OWED
    progress.error = fault.error
    if progress.undo_attempts < step.budget.asks_max:
        saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(progress.undo_attempts)))
    else:
        saga.stick(step, f"given up by {progress.address}: {fault.error}")


def close(saga: Instance) -> None:
    """All is undone: send what the saga has to say about that, one after another, then end."""
    for step in saga.definition.closing_steps:
        progress = saga.steps[step.index]
        if progress.status == StepRecord.WAITING:
            try:
                saga.ask(step, progress)
            except AuthorFailed as error:
                saga.stick(step, str(error))
        if progress.status != StepRecord.DONE:
            return
    saga.end(SagaRecord.COMPENSATED)


def _undone(saga: Instance, step: StepDefinition, progress: StepRecord, outcome: str) -> None:
    was_owed = progress.status == StepRecord.OWED
    progress.status = StepRecord.UNDONE
    progress.undo_outcome = outcome
    if was_owed:  # confirmed after it was given up, as by an operator's replay
        saga.timers.append(CancelTimer(step.timer))
        saga.unstick(progress)
    _undo_next(saga)


def _undo_next(saga: Instance) -> None:
    """Begin each undo that no later step holds up; when none is owed any more, close."""
    for step in reversed(saga.definition.flow_steps):
        progress = saga.steps[step.index]
        begun = progress.status != StepRecord.OWED or progress.undo_attempts
        if begun or any(saga.steps[index].status in OWING for index in step.all_after):
            continue
        undo(saga, step, progress)
    if all(progress.status not in OWING for progress in saga.steps):
        close(saga)
