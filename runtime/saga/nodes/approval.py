"""A wait for a person: nothing is sent, and what comes is an act that names the digest of what was approved.

begin ──▶ asked, with its digest ──approved──▶ DONE
                                 ──declined, or time over──▶ REFUSED; stuck where there is no way back
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from google.protobuf import text_format
from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.protos.saga_pb2 import RepairSaga, TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.instance import Instance
from runtime.saga.node import ApprovalDefinition, full_name
from runtime.saga.timer_acts import limit
from runtime.saga.verdict import DONE, NOTHING, TaskVerdict, failed, refused
from runtime.saga.view import task_name

__all__ = ["begin", "decided", "digest_of", "fired", "refusal", "retry"]

_SHOWN_MAX = 400
"""Characters of what is asked that the record shows; the state has all of it."""


def begin(saga: Instance, node: ApprovalDefinition, task: TaskRecord) -> TaskVerdict:
    try:
        asked = _asked(saga, node)
    except AuthorFailed as error:
        return failed(str(error))
    if task.stuck:
        saga.unstick(task)
    shown = text_format.MessageToString(asked, as_one_line=True)
    saga.set_status(task, TaskRecord.RUNNING)
    task.digest = digest_of(asked)
    task.asks = shown if len(shown) <= _SHOWN_MAX else shown[: _SHOWN_MAX - 3] + "..."
    if node.within_s:
        saga.timers.append(SetTimer(node.timer, saga.now_s + node.within_s))
    return NOTHING


def retry(saga: Instance, node: ApprovalDefinition, task: TaskRecord) -> TaskVerdict:
    """Ask anew: it was declined, or its time was over, where there is no way back."""
    return begin(saga, node, task)


def fired(saga: Instance, node: ApprovalDefinition, task: TaskRecord) -> TaskVerdict:
    if task.status != TaskRecord.RUNNING:
        saga.note = f"timer {node.timer} came late: {node.name} is {task_name(task)}"
        return NOTHING
    by = limit(saga, node.timer, str(timedelta(seconds=node.within_s)), task)
    why = f"nobody has approved {by}"
    if not node.goes_on:
        return _not_approved(saga, task, why)
    saga.set_status(task, TaskRecord.DONE)
    task.do.outcome = why
    return DONE


def refusal(saga: Instance, node: ApprovalDefinition, task: TaskRecord, act: RepairSaga) -> str:
    """Why this act decides nothing; empty if it does."""
    if task.status != TaskRecord.RUNNING:
        return f"{node.name} is {task_name(task)}: nobody is asked"
    try:
        asked = digest_of(_asked(saga, node))
        may = _may(saga, node, act.who)
    except AuthorFailed as error:
        return str(error)
    if act.digest != asked:
        given = act.digest or "none"
        return f"what is asked now has the digest {asked}, and the act names {given}; look at it again, and name that"
    return "" if may is True else f"{act.who} may not decide {node.name}"


def _may(saga: Instance, node: ApprovalDefinition, who: str) -> object:
    """Raises AuthorFailed."""
    may = node.by
    if may is None:
        return True
    return author.made_by(saga.definition, saga.record, f"by of {node.name}", lambda state, _reason: may(state, who))


def decided(saga: Instance, node: ApprovalDefinition, task: TaskRecord, act: RepairSaga) -> TaskVerdict:
    """The act was allowed: it approves, or declines."""
    saga.timers.append(CancelTimer(node.timer))
    task.digest = act.digest
    if act.act == RepairSaga.DECLINE:
        return _not_approved(saga, task, f"declined by {act.who}: {act.reason}")
    task.by_hand = f"approved by {act.who}"
    task.do.outcome = task.by_hand
    if node.on_approved is not None:
        try:
            what = f"on_approved of {node.name}"
            author.change(saga.definition, saga.record, what, node.on_approved, act.who, saga.bounds)
        except AuthorFailed as error:
            return failed(str(error))
    if task.stuck:  # It was declined, or late, where there is no way back.
        saga.unstick(task)
    saga.set_status(task, TaskRecord.DONE)
    return DONE


def _not_approved(saga: Instance, task: TaskRecord, why: str) -> TaskVerdict:
    task.do.error = why
    if saga.no_way_back():
        return failed(why)
    saga.set_status(task, TaskRecord.REFUSED)
    task.do.outcome = why
    return refused(why)


def _asked(saga: Instance, node: ApprovalDefinition) -> Message:
    """Raises AuthorFailed."""
    what = f"asks of {node.name}"
    made = author.made_by(saga.definition, saga.record, what, node.asks)
    if type(made) is not node.asked_type:
        raise AuthorFailed(f"{what} made a {type(made).__name__}, not a {full_name(node.asked_type)}")
    author.body(what, made, saga.bounds.message_bytes_max)
    return made


def digest_of(asked: Message) -> str:
    """16 hex digits of the message's type and bytes, the same in every process."""
    said = asked.DESCRIPTOR.full_name.encode() + b"|" + asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(said, digest_size=8).hexdigest()
