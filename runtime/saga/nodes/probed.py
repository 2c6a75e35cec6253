"""What the answer to a probe means: for each command of the step what became of it, the oldest first.

handled  its answers count as if they came now   ──▶ DONE, REFUSED
absent   it is known not to have happened, and ruled out for ever; once that is so of all of them
                                                 ──▶ REFUSED, or asked again
unknown  the step has failed, as without a probe ──▶ FAILED
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.contracts import names_of
from runtime.protos.durable_pb2 import CommandsProbed, ProbedAnswer, ProbedCommand
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import exchange
from runtime.saga.exchange import Refusal
from runtime.saga.inputs import Answered, Faulted
from runtime.saga.instance import Instance
from runtime.saga.node import Meaning, StepDefinition
from runtime.saga.nodes import step as steps
from runtime.saga.nodes.past_pivot import as_declared
from runtime.saga.nodes.probing import in_vain
from runtime.saga.probe import ASK_AGAIN
from runtime.saga.verdict import NOTHING, Came, TaskVerdict, refused
from runtime.saga.view import task_name

__all__ = ["answered", "faulted"]

_ABSENT = "it has not happened, and no longer can"


def answered(saga: Instance, step: StepDefinition, task: TaskRecord, given: Answered) -> TaskVerdict:
    answer = given.message
    if not isinstance(answer, CommandsProbed):
        saga.note = f"{answer.DESCRIPTOR.name} is no answer to a probe"
        return NOTHING
    if task.status != TaskRecord.RUNNING or task.do.status != Exchange.UNKNOWN:
        saga.note = f"the answer to a probe came late: step {step.name} is {task_name(task)}"
        return NOTHING
    verdict, before = NOTHING, task.SerializeToString(deterministic=True)
    nothing_begun = not task.do.working_ids and all(one.finding != ProbedCommand.UNKNOWN for one in answer.commands)
    for one in answer.commands:
        verdict = _found(saga, step, task, one, may_be_absent=nothing_begun or step.retriable)
        if verdict.came is not Came.NOTHING or task.do.status != Exchange.UNKNOWN:
            break
    saga.note = ""  # of what the answers within have said before
    if verdict.came is Came.NOTHING and task.do.status == Exchange.UNKNOWN:
        if task.probe.status == Exchange.OPEN and given.command_id == task.probe.command_id:
            return _not_known(saga, step, task, answer)
        if task.SerializeToString(deterministic=True) == before:
            saga.note = f"the answer to an earlier probe of step {step.name} does not tell whether it happened"
        return NOTHING
    if task.probe.status != Exchange.UNASKED:  # as it is once the step is asked again
        exchange.answered(task.probe, answer.DESCRIPTOR.full_name)
    return as_declared(saga, step, task, verdict)


def faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Faulted) -> TaskVerdict:
    """The actor's runtime cannot answer: it is of a build that knows no probes, say."""
    if task.probe.status != Exchange.OPEN or task.status != TaskRecord.RUNNING or task.do.status != Exchange.UNKNOWN:
        saga.note = f"the fault of a probe came late: step {step.name} is {task_name(task)}: {fault.error}"
        return NOTHING
    if not exchange.faulted(task.probe, fault.command_id, f"its probe was given up: {fault.error}"):
        saga.note = f"a fault of a probe of step {step.name} came once more: {fault.error}"
        return NOTHING
    if task.probe.status == Exchange.OPEN:
        return NOTHING  # a later probe decides
    return as_declared(saga, step, task, steps.give_up(saga, step, task, in_vain(task).why))


def _found(
    saga: Instance, step: StepDefinition, task: TaskRecord, one: ProbedCommand, *, may_be_absent: bool
) -> TaskVerdict:
    """`may_be_absent`: no command of the step is known to have begun something, or it is asked on in any case."""
    if one.finding == ProbedCommand.ABSENT:
        return _absent(saga, step, task, one.command) if may_be_absent else NOTHING
    if one.finding != ProbedCommand.HANDLED:
        return NOTHING
    told = [(type_, told) for told in one.answers for type_ in step.meanings if told.type in names_of(type_)]
    for meaning in (Meaning.DONE, Meaning.REFUSED, Meaning.WORKING):  # who says two things is done
        for type_, said in told:
            message = _message(step, type_, said)
            if step.meanings[type_] is meaning and message is not None:
                return steps.hear(saga, step, task, one.command, message)
    return NOTHING


def _message(step: StepDefinition, type_: type[Message], told: ProbedAnswer) -> Message | None:
    """The answer; None if nobody has its body any more, and `on_answer` would need that."""
    if told.HasField("body"):
        return type_.FromString(told.body)
    return None if type_ in step.on_answer else type_()


def _absent(saga: Instance, step: StepDefinition, task: TaskRecord, id: bytes) -> TaskVerdict:
    if exchange.refused(task.do, id, _ABSENT) is not Refusal.SETTLED:
        return NOTHING
    asks_again = step.probe is not None and step.probe.absent == ASK_AGAIN
    is_left = exchange.counted(task.do) < step.budget.asks_max
    if step.retriable or (asks_again and is_left):  # with no way back, nobody has given up what never came
        return steps.begin(saga, step, task)
    steps.settle(saga, step, task, TaskRecord.REFUSED)
    return refused(_ABSENT)


def _not_known(saga: Instance, step: StepDefinition, task: TaskRecord, answer: CommandsProbed) -> TaskVerdict:
    reasons = "; ".join(dict.fromkeys(one.reason for one in answer.commands if one.reason))
    exchange.answered(task.probe, answer.DESCRIPTOR.full_name)
    task.probe.error = (
        f"its probe could not tell whether it happened: {reasons or 'it was handled, and no answer says so'}"
    )
    return as_declared(saga, step, task, steps.give_up(saga, step, task, in_vain(task).why))
