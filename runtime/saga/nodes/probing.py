"""A probe on its way: a step of unknown outcome that declares one does not fail before its actor's runtime was asked.

    failed, UNKNOWN ──ask_first──▶ the probe is OPEN ──▶ its answer: `probed`
                                     │  silent, to the last ask; faulted
                                     └─────────────────▶ failed, as without a probe

The step's own answer may come all the while, and settles it.
"""

from __future__ import annotations

from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.envelope import body_of, content_of, parse_address
from runtime.protos.durable_pb2 import ProbeCommands
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import exchange
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.timer_acts import limit
from runtime.saga.verdict import NOTHING, Came, TaskVerdict, failed

__all__ = ["ask_first", "in_vain", "silent"]


def ask_first(saga: Instance, step: StepDefinition, task: TaskRecord, verdict: TaskVerdict) -> TaskVerdict:
    """The verdict, unless it says that a step has failed which may have happened and was not probed yet."""
    if step.probe is None or verdict.came is not Came.FAILED:
        return verdict
    if task.status != TaskRecord.RUNNING or task.do.status != Exchange.UNKNOWN:
        return verdict
    if task.probe.status != Exchange.UNASKED:
        return verdict
    task.do.error = verdict.why
    _ask(saga, step, task)
    return NOTHING


def silent(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
    """The timer of an open probe has fired."""
    assert step.probe is not None or task.HasField("probe")
    exchange.unclear(task.probe, f"no answer to its probe {limit(saga, step.timer, f'{step.timeout_s:g} s', task)}")
    if step.probe is not None and task.probe.attempts < step.probe.asks_max:
        _ask(saga, step, task)
        return NOTHING
    return in_vain(task)


def in_vain(task: TaskRecord) -> TaskVerdict:
    """The step has failed, and its probe told nothing."""
    return failed(f"{task.do.error}; {task.probe.error}")


def _ask(saga: Instance, step: StepDefinition, task: TaskRecord) -> None:
    question = ProbeCommands(commands=reversed(exchange.ids(task.do)))
    body, (kind, key) = body_of(question), parse_address(task.address)
    id = saga.next_id(task.address, content_of(question.DESCRIPTOR.full_name, body))
    exchange.ask(task.probe, id, saga.now_s)
    saga.outgoing.append(Outgoing(question, kind, key, id, wants_reply=True, body=body))
    saga.timers.append(SetTimer(step.timer, saga.now_s + step.timeout_s))
