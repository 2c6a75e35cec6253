"""What a message means to the process that it belongs to, as far as the store's subscriptions tell."""

from __future__ import annotations

from runtime.envelope import Envelope, address_of
from runtime.store.records import ActorRow, ClusterView

__all__ = ["choreographies_of", "lost_with"]


def choreographies_of(view: ClusterView) -> frozenset[str]:
    """The processes that nobody drives: a saga's subscriptions are those of its own kind."""
    return frozenset(one.process for one in view.subscriptions if one.process not in ("", one.kind))


def lost_with(view: ClusterView, envelope: Envelope, row: ActorRow | None) -> str:
    """What ends for good when this message is never handled; empty when somebody waits for it, or nobody needs it.

    `row` is the row of the actor it is for.
    """
    to = address_of(envelope.kind, envelope.key)
    if envelope.reply_to or envelope.in_reply_to:
        return ""  # a saga asked for it, and asks again or turns back
    if _starts_saga(view, envelope):
        if row is not None:
            return ""  # it has begun, by another one
        return f"{envelope.type} is what starts {to}. Discarded, that process never begins, and nobody is told"
    if envelope.process in choreographies_of(view):
        return (
            f"{envelope.type} moves the choreography {envelope.process} on, in which nobody asks twice. Discarded, "
            f"{to} never hears of it, and what was done before stays as it is, neither finished nor undone"
        )
    return ""


def _starts_saga(view: ClusterView, envelope: Envelope) -> bool:
    return any(
        one.starts and one.event_type == envelope.type and one.kind == one.process == envelope.kind
        for one in view.subscriptions
    )
