"""A conversation as a table, a message a row: who sent what to whom, and what became of it."""

from __future__ import annotations

from runtime.observe.conversation import read_conversation
from runtime.operate.dead_letters import NotFound
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, conversation_link, link
from runtime.page.screen import ROWS_MAX, Screen

__all__ = ["messages"]

_DIGITS = 32


async def messages(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for an id without a message, InvalidMessage for a page that is none, and StoreError."""
    id, first = _id_of(target.path[1] if len(target.path) == 2 else ""), target.integer("from")
    async with desk.view() as store:
        found = await read_conversation(store, id)
    if not found.messages:
        raise NotFound(f"the store has no message of the conversation {id.hex()}; it may be older than the retention")
    here, total = conversation_link(id), len(found.messages)
    rows = found.messages[first : first + ROWS_MAX]
    values = {
        "conversation": found,
        "rows": rows,
        "numbers": {message.id: number for number, message in enumerate(found.messages, 1)},
        "first": first,
        "total": total,
        "before": link(here, {"from": max(0, first - ROWS_MAX)}) if first else "",
        "next": link(here, {"from": first + ROWS_MAX}) if first + ROWS_MAX < total else "",
        "open": len(found.open),
    }
    return Screen("conversation", f"Conversation {id.hex()}", ("messages",), values=values)


def _id_of(text: str) -> bytes:
    try:
        id = bytes.fromhex(text) if len(text) == _DIGITS else b""
    except ValueError:
        id = b""
    if not id:
        raise NotFound(f"{text!r} is no conversation: one is named by {_DIGITS} hexadecimal digits")
    return id
