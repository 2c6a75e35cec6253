"""Forgets old conversations in small steps: found by a reader, removed by the writer in one short transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence

import apsw

from runtime.store.sqlite.queries import named_queries

__all__ = ["forget", "old_conversations"]


def old_conversations(
    connection: apsw.Connection, handled_before_s: float, limit: int, after: bytes
) -> tuple[list[bytes], bytes]:
    """Conversations to forget among about `limit` rows behind `after`; and where to go on, empty at the end.

    Reads the mail once per step, since it has no index by conversation: most mail is gone within milliseconds, and an
    index would cost each message. A message that arrives for one of them after this look is handled all the same;
    only the history from before it is forgotten.
    """
    sql = named_queries()
    old: list[bytes] = []
    looked_at = 0
    next_after = b""
    for conversation, rows, handled_at_s in connection.execute(sql["old_conversations"], {"after": after}):
        if looked_at >= limit:
            next_after = after
            break
        looked_at += rows
        after = conversation
        if handled_at_s < handled_before_s:
            old.append(conversation)
    if old:
        hexes = json.dumps([conversation.hex().upper() for conversation in old])
        live = {found for (found,) in connection.execute(sql["live_conversations"], {"conversations": hexes})}
        old = [conversation for conversation in old if conversation.hex().upper() not in live]
    return old, next_after


def forget(connection: apsw.Connection, conversations: Sequence[bytes], handled_before_s: float) -> int:
    """Remove their history, unless something was handled since; gives how many rows went."""
    gone = 0
    for conversation in conversations:
        parameters = {"conversation": conversation, "handled_before_s": handled_before_s}
        connection.execute(named_queries()["forget"], parameters)
        gone += connection.changes()
    return gone
