"""In which conversations the timers of an actor will fire, as its row says it: the store keeps the history of these.

Draft ──other_conversations──▶ ActorRow.timer_conversations ──live_conversations──▶ Store.purge
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from runtime.store.records import ActorRow

__all__ = ["live_conversations", "other_conversations"]


def other_conversations(all: Iterable[bytes], own: bytes) -> str:
    """Those that are not the actor's own, as a JSON array of hex in capitals; empty where none is."""
    others = set(all) - {b"", own}
    return json.dumps(sorted(one.hex().upper() for one in others)) if others else ""


def live_conversations(row: ActorRow) -> tuple[bytes, ...]:
    """The actor's own and the others, if it has a timer."""
    if row.due_at_s is None:
        return ()
    others = json.loads(row.timer_conversations) if row.timer_conversations else ()
    return (row.conversation, *map(bytes.fromhex, others))
