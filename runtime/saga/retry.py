"""An operator's "try again": what got a saga stuck is mended, so each step that could not go on is tried anew.

    undo owed             the undo is made and sent again
    waiting, or unknown   the step is asked again
    done, and not kept    the answer is kept, and the saga goes on

Each has a fresh budget. What fails once more leaves the saga stuck as before, so trying too early does no harm, and
neither does trying twice: an instance that is not stuck says so.
"""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.protos.saga_pb2 import RetryAccepted, RetryRefused, SagaRecord, StepRecord
from runtime.saga import compensation
from runtime.saga.definition import StepDefinition
from runtime.saga.instance import Instance, status_name

__all__ = ["retry"]

Ask = Callable[[Instance, StepDefinition, StepRecord], None]
DoneWith = Callable[[Instance, StepDefinition, StepRecord, Message], None]


def retry(saga: Instance, ask: Ask, done_with: DoneWith) -> None:
    """Try each stuck step again. `ask` sends a step's command; `done_with` keeps an answer and goes on."""
    status = saga.record.status
    if status != SagaRecord.STUCK:
        nothing = status == SagaRecord.NONE
        refusal = "there is no such process" if nothing else f"it is {status_name(saga.record)}, not stuck"
        saga.note = f"trying again refused: {refusal}"
        saga.outgoing.append(Outgoing(RetryRefused(reason=refusal)))
        return
    stuck = [step for step in saga.definition.steps if saga.steps[step.index].stuck]
    for step in stuck:
        saga.unstick(saga.steps[step.index])
    for step in stuck:
        progress = saga.steps[step.index]
        if progress.status == StepRecord.OWED:
            progress.undo_attempts = 0
            compensation.undo_again(saga, step, progress)
        elif progress.status == StepRecord.DONE:
            _keep_again(saga, step, progress, done_with)
        elif progress.status in (StepRecord.WAITING, StepRecord.UNKNOWN):
            _ask_again(saga, step, progress, ask)  # or else what was tried before it has asked it already
    saga.outgoing.append(Outgoing(RetryAccepted()))


def _ask_again(saga: Instance, step: StepDefinition, progress: StepRecord, ask: Ask) -> None:
    id = progress.command_id
    if progress.status == StepRecord.UNKNOWN and id not in progress.earlier_ids and id not in progress.faulted_ids:
        progress.earlier_ids.append(id)  # what it was answered with says nothing: it may have been carried out
    progress.attempts = 0
    ask(saga, step, progress)


def _keep_again(saga: Instance, step: StepDefinition, progress: StepRecord, done_with: DoneWith) -> None:
    types = [type_ for type_ in step.meanings if type_.DESCRIPTOR.full_name == progress.outcome]
    if not types or not progress.HasField("unkept"):
        saga.stick(step, f"{progress.error} (its answer was not stored, so it cannot be kept again)")
        return
    done_with(saga, step, progress, types[0].FromString(progress.unkept))
