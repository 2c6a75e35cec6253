"""Keeps the deadline of a choreography's conversations: one durable actor for each, with one timer.

    the event that starts it ──▶ NAME-deadline/CONVERSATION ──timer──▶ overdue: an alarm, and the command of on_overdue
    an event that settles it ──▶            "                          the timer is forgotten
    an act of an operator    ──▶            "                          the timer is moved, forgotten, or set again

The actor hears by subscription, as every kind does, so the mail that it hears by is committed with the event. Its timer
fires only when no such mail waits: a conversation that has been settled is never called overdue, however late its owner
comes to know.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Decision, Delivery, Outgoing, RetryPolicy, SetTimer
from runtime.durable.timer_acts import ACT, decide
from runtime.errors import FinalError
from runtime.failures import text_of
from runtime.protos import durable_pb2
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.saga_pb2 import RepairSaga
from runtime.saga.checks import check_condition
from runtime.saga.deadline import Deadline
from runtime.saga.deadline_summary import deadline_summary
from runtime.saga.node import full_name
from runtime.store.records import Outcome, Subscription

__all__ = ["DeadlineBehaviour", "cancelled_timers"]

_TIMER = "deadline"
_TIMER_PAUSE_S = 60.0  # until on_overdue is tried again once it has failed: a build may come in which it does not
_BY_CONVERSATION = ""  # as the field that names the key: see Subscription


class DeadlineBehaviour:
    """The deadline of one choreography as the turn sees it."""

    retries = RetryPolicy(timer_pause=_TIMER_PAUSE_S)
    state_type: type[Message] = DeadlineRecord

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.kind = deadline.kind
        self.process = deadline.process
        self._settling = {full_name(one) for one in deadline.settled_by}
        self.subscriptions = (_start(deadline), *(_settling(deadline, one) for one in deadline.settled_by))
        own = (full_name(durable_pb2.TimerFired), ACT)
        self.accepts = frozenset((*(one.event_type for one in self.subscriptions), *own))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        """See Behaviour."""
        assert isinstance(state, DeadlineRecord)
        if delivery.envelope.timer:
            return self._fire(state, delivery)
        if delivery.envelope.type == ACT:
            return _act(state, delivery)
        if delivery.envelope.type in self._settling:
            return _settle(state, delivery)
        return self._begin(state, delivery)

    def _begin(self, record: DeadlineRecord, delivery: Delivery) -> Decision:
        """Note the start. What settles the conversation may have overtaken it: they come from different actors."""
        if record.start_type:
            return _nothing("the time of this conversation began before")
        envelope = delivery.envelope
        record.process = self.process
        record.started_by, record.start_type = envelope.sender, envelope.type
        record.started_at_s = envelope.sent_at_s
        record.due_at_s = envelope.sent_at_s + self.deadline.within_s
        record.awaited.extend(full_name(one) for one in self.deadline.settled_by)
        if record.status != DeadlineRecord.NONE:
            record.status = DeadlineRecord.LATE if record.settled_at_s > record.due_at_s else DeadlineRecord.SETTLED
            return Decision(ended=True, summary=deadline_summary)
        record.status, record.start = DeadlineRecord.WATCHED, envelope.body
        timer = SetTimer(_TIMER, max(record.due_at_s, delivery.now_s), after_mail=True)
        return Decision(timers=(timer,), summary=deadline_summary)

    def _fire(self, record: DeadlineRecord, delivery: Delivery) -> Decision:
        if record.status != DeadlineRecord.WATCHED:
            return _nothing("the deadline was met")
        command = self._command(record)
        record.status = DeadlineRecord.OVERDUE
        record.ClearField("start")
        alarm = (
            f"{self.process}: {record.start_type} of {record.started_by} was followed by none of "
            f"{', '.join(record.awaited)} within {record.due_at_s - record.started_at_s:g} s; the conversation is "
            f"{delivery.envelope.conversation.hex()}"
        )
        outgoing = () if command is None else (Outgoing(command),)
        return Decision(outgoing, note=alarm, ended=True, alarm=alarm, summary=deadline_summary)

    def _command(self, record: DeadlineRecord) -> Message | None:
        """What is sent when it is overdue. Raises FinalError for what the author's function does wrong."""
        function, contract = self.deadline.function, self.deadline.command
        if function is None or contract is None:
            return None
        where = f"{self.deadline.title}.on_overdue"
        if record.start_type != full_name(self.deadline.starts.event_type):
            raise FinalError(f"{where}: the conversation was started by {record.start_type}, of another build")
        event = self.deadline.starts.event_type.FromString(record.start)
        try:
            command = function(event)
        except BaseException as error:  # the author's code; its bug must not end what keeps the time
            raise FinalError(f"{where} raised {text_of(error)}") from error
        if command is not None and type(command) is not contract.message_type:
            raise FinalError(f"{where} made a {type(command).__name__}, and is declared to make {contract.name}")
        return command


def _settle(record: DeadlineRecord, delivery: Delivery) -> Decision:
    if record.status in (DeadlineRecord.SETTLED, DeadlineRecord.LATE):
        return _nothing(f"{record.settled_by} has settled it before")
    sent_at_s = delivery.envelope.sent_at_s
    is_late = record.status == DeadlineRecord.OVERDUE or 0 < record.due_at_s < sent_at_s
    record.status = DeadlineRecord.LATE if is_late else DeadlineRecord.SETTLED
    record.settled_by, record.settled_at_s = delivery.envelope.type, sent_at_s
    record.ClearField("start")
    return Decision(timers=(CancelTimer(_TIMER),), ended=True, summary=deadline_summary)


def cancelled_timers(record: DeadlineRecord) -> tuple[str, ...]:
    """The timers that an operator has cancelled, and can set again."""
    return (_TIMER,) if record.status == DeadlineRecord.UNLIMITED else ()


def _act(record: DeadlineRecord, delivery: Delivery) -> Decision:
    """What an operator decides of the deadline: it is at another instant, there is none any more, or there is again."""
    act = delivery.message
    assert isinstance(act, RepairSaga)
    cancelled = cancelled_timers(record)
    decided = decide(act, delivery.timers or {}, delivery.revision, delivery.now_s, cancelled=cancelled)
    if decided.refusal:
        return _nothing(decided.refusal)
    if decided.due_at_s is None:
        record.status, record.due_at_s = DeadlineRecord.UNLIMITED, 0.0
        record.cancelled = f"{act.who}: {act.reason}"
        return Decision(timers=(CancelTimer(_TIMER),), note=decided.text, summary=deadline_summary)
    record.status, record.due_at_s = DeadlineRecord.WATCHED, decided.due_at_s
    record.ClearField("cancelled")
    timer = SetTimer(_TIMER, decided.due_at_s, after_mail=True)
    return Decision(timers=(timer,), note=decided.text, summary=deadline_summary)


def _nothing(note: str) -> Decision:
    return Decision(outcome=Outcome.IGNORED, note=note, ended=True)


def _start(deadline: Deadline) -> Subscription:
    event = deadline.starts.event_type
    condition = check_condition(event, dict(deadline.starts.where), deadline.title)
    return Subscription(full_name(event), deadline.kind, _BY_CONVERSATION, deadline.process, True, *condition)


def _settling(deadline: Deadline, event: type[Message]) -> Subscription:
    return Subscription(full_name(event), deadline.kind, _BY_CONVERSATION, deadline.process)
