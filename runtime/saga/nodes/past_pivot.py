"""What a step past the pivot has declared for when its budget is spent: there is no way back, so it is not undone.

failed ──as_declared──▶ failed: the saga is stuck
                   ├──▶ "retry": a timer, then it is asked on; an alarm with each budget that is spent
                   └──▶ "skip": it is left out, and what comes after it begins
"""

from __future__ import annotations

from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import exchange
from runtime.saga.instance import Instance
from runtime.saga.node import PastPivot, StepDefinition
from runtime.saga.verdict import DONE, NOTHING, Came, TaskVerdict

__all__ = ["as_declared"]


def as_declared(saga: Instance, step: StepDefinition, task: TaskRecord, verdict: TaskVerdict) -> TaskVerdict:
    """The verdict, unless it says that a question has failed of which the step declares what comes then.

    A step that cannot be asked, or whose answer cannot be kept, is the author's mistake: the saga is stuck.
    """
    if step.past_pivot is PastPivot.STUCK or verdict.came is not Came.FAILED:
        return verdict
    if task.status != TaskRecord.RUNNING or task.do.status != Exchange.UNKNOWN:
        return verdict
    return (_asked_on if step.past_pivot is PastPivot.RETRY else _left_out)(saga, step, task, verdict.why)


def _asked_on(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    asks = exchange.counted(task.do)
    task.do.error = error
    exchange.forget_oldest(task.do)
    saga.timers.append(SetTimer(step.timer, saga.now_s + step.pause_s(asks)))
    if asks % step.budget.asks_max == 0:
        saga.alarm = f"step {step.name} has failed {asks} times, and is asked on: {error}"
    return NOTHING


def _left_out(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
    saga.set_status(task, TaskRecord.LEFT_OUT)
    task.do.error = error
    saga.timers.append(CancelTimer(step.timer))
    return DONE
