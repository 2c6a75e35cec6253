"""What becomes of a message that was not handled: it is tried again, put off, or given up.

    Turn ──message, why──▶ retry_later       it has failed, and has runs left
                           put_off           a timer has none left, and nothing else would come after it
                           leave_to_others   another build can handle it, this one cannot
                           give_up           it is parked, and its sender is told

All of it is written into the Draft; nothing happens before the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.backoff import spread
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope, address_of
from runtime.failpoints import Failpoint
from runtime.ports import Fact
from runtime.protos import durable_pb2
from runtime.store.records import MailRow, Outcome

__all__ = [
    "HandlerFailed",
    "MessagePutOff",
    "give_up",
    "leave_to_others",
    "put_off",
    "retry_later",
    "retry_timer",
]

_SHARE = 0.25  # of a message's age: the pause until it is tried again, in these bounds
_MIN_S = 1.0
_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class HandlerFailed(Fact):
    level: ClassVar[str] = "warning"
    address: str
    message: str
    id: str
    attempts: int
    retry_in_s: float
    error: str
    conversation: str
    trace: str  # empty: it is not traced


@dataclass(frozen=True, slots=True)
class MessagePutOff(Fact):
    """No node that tried it can handle it, as the error says; one of another build can."""

    level: ClassVar[str] = "warning"
    address: str
    message: str
    id: str
    again_in_s: float
    error: str
    conversation: str
    trace: str  # empty: it is not traced


def retry_later(draft: Draft, envelope: Envelope, error: str, failed: int) -> None:
    kind, policy = draft.kind, draft.kind.behaviour.retries
    steady_s = policy.delays_s[max(failed // (policy.immediate + 1) - 1, 0)]
    delay_s = spread(steady_s, policy.jitter, kind.ports.randomness.fraction())
    due_at_s = draft.now_s + delay_s
    draft.failed = True
    if envelope.timer:
        retry_timer(draft, envelope, error, failed, due_at_s)  # no mail was sent after it, so none waits with it
    else:
        draft.reschedule(MailRow.of(envelope, draft.shard, attempts=failed, due_at_s=due_at_s))
        draft.blocked_until_s = due_at_s
    where = address_of(*draft.address)
    kind.ports.failpoint(Failpoint.RETRY_PLANNED)
    id, pause_s, about = envelope.id.hex(), round(delay_s, 3), _about(draft, envelope)
    kind.ports.report(HandlerFailed(where, envelope.type, id, failed, pause_s, error, *about))


def put_off(draft: Draft, envelope: Envelope, error: str, failed: int) -> bool:
    """Set a timer again that nothing else would come after, and tell a person why; false for what is none."""
    pause_s = draft.kind.behaviour.retries.timer_pause_s
    if envelope.timer and pause_s:
        draft.failed = True
        draft.alarm = f"the timer {envelope.timer!r} fails, and comes again every {pause_s:g} s: {error}"
        retry_timer(draft, envelope, error, failed, draft.now_s + pause_s)
    return bool(envelope.timer and pause_s)


def retry_timer(draft: Draft, envelope: Envelope, error: str, failed: int, due_at_s: float) -> None:
    """A timer's retry is the timer itself, set again: it is no row of mail."""
    timer = durable_pb2.Timer()
    timer.CopyFrom(draft.timers[envelope.timer])
    timer.due_at_s, timer.set_by, timer.attempts = due_at_s, envelope.id, failed
    timer.first_id = timer.first_id or envelope.id
    draft.move_timer(timer)
    draft.note(envelope, Outcome.FAULTED, attempts=failed, error=error, consume=False)


def give_up(draft: Draft, envelope: Envelope, error: str, attempts: int, stack: str = "") -> None:
    """Park the message where an operator sees it, with the stack, and tell who sent it."""
    draft.failed = True
    sends = Sends(draft, envelope)
    sends.fault(error, attempts)
    if envelope.timer:
        draft.drop_timer(envelope.timer)
        sends.close(Outcome.FAULTED, attempts, error + stack)
    else:
        draft.outgoing.extend(sends.sent)
        reason = error + stack or "failed"
        parked = MailRow.of(envelope, draft.shard, attempts=attempts, parked=reason, parked_at_s=draft.now_s)
        draft.reschedule(parked)
        sends.tell_client(error)
    where = address_of(*draft.address)
    draft.kind.ports.failpoint(Failpoint.MESSAGE_PARKED)
    trace = draft.trace_of(envelope.id)
    draft.facts.append(
        draft.kind.parked(where, envelope.type, envelope.id, attempts, error, envelope.conversation, trace)
    )


def leave_to_others(draft: Draft, envelope: Envelope, error: str, attempts: int) -> bool:
    """Put mail off that another build can handle, uncounted; what comes after it waits too.

    False for a timer, which is no mail, and for mail that has waited for `version_wait_s`. Nothing keeps how often mail
    was put off: the pauses grow with its age.
    """
    if envelope.timer or draft.kind.waits_too_long(envelope, draft.now_s):
        return False
    age_s = max(0.0, draft.now_s - max(envelope.sent_at_s, envelope.due_at_s))
    pause_s = min(max(age_s * _SHARE, _MIN_S), _MAX_S)
    due_at_s = draft.now_s + pause_s
    draft.reschedule(MailRow.of(envelope, draft.shard, attempts=attempts, due_at_s=due_at_s))
    draft.blocked_until_s = due_at_s
    where = address_of(*draft.address)
    id, about = envelope.id.hex(), _about(draft, envelope)
    draft.kind.ports.report(MessagePutOff(where, envelope.type, id, round(pause_s, 3), error, *about))
    return True


def _about(draft: Draft, envelope: Envelope) -> tuple[str, str]:
    """Its conversation and its trace, as facts name them."""
    return envelope.conversation.hex(), draft.trace_of(envelope.id)
