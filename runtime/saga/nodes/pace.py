"""What is not finished yet: a do, or an undo, that is asked again at a fixed pace until its actor says what came of it.

    "not finished yet" ──heard──▶ WORKING, a timer ──fired──▶ over? fails, as by silence
                                                      └─────▶ asked again, with a new command

No budget counts such an answer. A second copy of one, and one to a command before the last, sets no timer.
"""

from __future__ import annotations

from runtime.durable.behaviour import SetTimer
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import exchange
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.verdict import NOTHING, TaskVerdict, failed

__all__ = ["heard", "over"]


def heard(
    saga: Instance, step: StepDefinition, task: TaskRecord, question: Exchange, command_id: bytes, name: str
) -> TaskVerdict:
    """An answer says that what was asked is accepted and not finished; `question` is the task's do, or its undo."""
    if not exchange.working(question, command_id, saga.now_s):
        saga.note = f"{name} came once more"
        return NOTHING
    if command_id != question.command_id:  # the step was asked again since: the answer to that command decides
        if task.stuck and not _is_past(step, question, saga.now_s):
            _go_on(saga, step, task, question)
        return NOTHING
    if task.stuck:
        saga.unstick(task)
    if ended := over(saga, step, question):
        return ended
    at_s = saga.now_s + step.every_s
    if step.at_most_s:
        at_s = min(at_s, question.working_since_s + step.at_most_s)
    saga.timers.append(SetTimer(step.timer, at_s))
    return NOTHING


def over(saga: Instance, step: StepDefinition, question: Exchange) -> TaskVerdict | None:
    """The failure of what is still worked on past its limit; None while there is time."""
    if question.status != Exchange.WORKING or not _is_past(step, question, saga.now_s):
        return None
    error = f"still working after {step.at_most_s:g} s"
    exchange.unclear(question, error)
    return failed(error)


def _is_past(step: StepDefinition, question: Exchange, now_s: float) -> bool:
    return step.at_most_s > 0 and now_s >= question.working_since_s + step.at_most_s


def _go_on(saga: Instance, step: StepDefinition, task: TaskRecord, question: Exchange) -> None:
    """It was given up for what this answer, which came late, does not count: is there an ask left?"""
    asks = exchange.counted(question)
    if asks < step.budget.asks_max:
        saga.unstick(task)
        saga.timers.append(SetTimer(step.timer, saga.now_s + step.budget.pause_s(asks)))
