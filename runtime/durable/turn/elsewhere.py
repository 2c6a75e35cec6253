"""Mail that another build can handle and this one cannot: it is put off, uncounted, and what comes after it waits too.

Turn ──mail, why──▶ leave ──▶ Draft: the same row, due later;   False once it has waited for `version_wait_s`
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.behaviour import Versioned
from runtime.durable.facts import MessagePutOff
from runtime.durable.kind import Kind
from runtime.durable.turn.draft import Draft
from runtime.envelope import Envelope, address_of
from runtime.store.records import MailRow

__all__ = ["lacks", "leave", "waits_too_long"]

_SHARE = 0.25  # of a message's age: the pause until it is tried again, in these bounds
_MIN_S = 1.0
_MAX_S = 60.0


def lacks(kind: Kind, state: Message, envelope: Envelope) -> str:
    """Why this build cannot handle mail of this actor, if another one can; else empty.

    What a client sends to an actor that has not begun, and no version is known to take, is a client's mistake, which
    is told at once. An event comes only to who has subscribed to it. A service has one version: what it does not know
    waits while a live node says that it does.
    """
    behaviour = kind.behaviour
    if not isinstance(behaviour, Versioned):
        return _others_take(kind, envelope)
    lack = behaviour.lacks(state, envelope.key, envelope.type)
    return lack.reason if lack is not None and (lack.is_begun or envelope.sender) else ""


def _others_take(kind: Kind, envelope: Envelope) -> str:
    if envelope.type in kind.behaviour.accepts:
        return ""
    others = [name for name, _ in kind.carriers.of(f"{kind.name}<{envelope.type}")]
    if not others:
        return ""
    return (
        f"this build of {kind.name} has no handler for {envelope.type}, and that of {', '.join(others)} has: "
        "nothing was done, until the node that owns it has such a build, too"
    )


def leave(kind: Kind, draft: Draft, envelope: Envelope, error: str, attempts: int) -> bool:
    """Put mail off. False for a timer, which is no mail, and for what has waited long enough.

    How often it was put off is nowhere kept: the pauses grow with its age.
    """
    if envelope.timer or waits_too_long(kind, envelope):
        return False
    age_s = max(0.0, draft.now_s - max(envelope.sent_at_s, envelope.due_at_s))
    pause_s = min(max(age_s * _SHARE, _MIN_S), _MAX_S)
    due_at_s = draft.now_s + pause_s
    draft.reschedule(MailRow.of(envelope, draft.shard, attempts=attempts, due_at_s=due_at_s))
    draft.blocked_until_s = due_at_s
    where = address_of(*draft.address)
    kind.ports.report(MessagePutOff(where, envelope.type, envelope.id.hex(), round(pause_s, 3), error))
    return True


def waits_too_long(kind: Kind, envelope: Envelope) -> bool:
    """Whether mail has waited for its version for as long as it may. A timer may wait for ever."""
    age_s = kind.ports.clock.now_s() - max(envelope.sent_at_s, envelope.due_at_s)
    return not envelope.timer and age_s >= kind.limits.version_wait_s
