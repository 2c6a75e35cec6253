"""Whether a timer that has come to its actor still stands, and whether mail goes first."""

from __future__ import annotations

from runtime.durable.turn.draft import Draft
from runtime.envelope import Envelope, timer_id

__all__ = ["mail_comes_first", "timer_stands"]

_MAIL_MAX = 1000  # Messages of one actor that a timer looks for before it fires.


def timer_stands(draft: Draft, envelope: Envelope) -> bool:
    """Whether a timer is still set. One that was cancelled, moved, or has fired is no longer in the row."""
    timer = draft.timers.get(envelope.timer)
    return timer is not None and timer_id(draft.address, timer) == envelope.id


async def mail_comes_first(draft: Draft, envelope: Envelope) -> bool:
    """Whether a timer has to wait for mail that is already there. It stays in the row, and a sweep fires it again.

    Raises StoreError.
    """
    if not draft.timers[envelope.timer].after_mail:
        return False
    mail = await draft.kind.store.waiting_for(draft.address, draft.shard, limit=_MAIL_MAX)
    return any(not row.parked and row.id not in draft.consumed for row in mail)
