"""What a saga was given, message by message, and what each of them changed: its state, its steps, its timers.

States of the past are in no store. They are made again by the definition of the version that began the saga. So the
page has to know the project's catalogue, in that version.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.envelope import Address, address_of
from runtime.errors import InvalidMessage
from runtime.operate.dead_letters import NotFound
from runtime.operate.differences import Difference, differences
from runtime.operate.history import HistoryEntry, InstanceHistory, read_history
from runtime.operate.history_objects import fate_of
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, actor_link, conversation_link, link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.saga.view import status_name

__all__ = ["history", "history_link", "past_of"]

_MESSAGES_MAX = 2_000
_ROOM = "/history"


@dataclass(frozen=True, slots=True)
class PastRow:
    """One message that the saga was given."""

    entry: HistoryEntry
    changed: tuple[Difference, ...]
    sent: tuple[tuple[str, str, str], ...]  # type, receiver, and what became of it


def history_link(kind: str, key: str) -> str:
    return _ROOM + actor_link(kind, key).removeprefix("/sagas")


async def past_of(desk: PageDesk, address: Address) -> InstanceHistory:
    """Raises NotFound for what is no saga, or one with too many messages for a page, and StoreError."""
    async with desk.view() as store:
        (row,) = await store.load([address])
        if row is not None and (total := (await store.conversation_size(row.conversation)).total) > _MESSAGES_MAX:
            where = address_of(*address)
            raise NotFound(
                f"the conversation of {where} has {total:,} messages, and a page reads up to {_MESSAGES_MAX:,} of them "
                f"to make its history again. This command takes its time: amends admin history {where}"
            )
        behaviours = desk.known.behaviours if desk.known is not None else {}
        return await read_history(store, desk.contracts, behaviours, address)


async def history(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for what is no saga, InvalidMessage for a page or a revision that is none, StoreError."""
    kind, key = target.path[1], target.path[2] if len(target.path) > 2 else target.query.get("key", "")
    first = target.integer("from")
    past = await past_of(desk, (kind, key))
    here = history_link(kind, key)
    entries = past.entries[first : first + ROWS_MAX]
    values = {
        "rows": [_row(desk, entry) for entry in entries],
        "total": len(past.entries),
        "revision": past.record.revision,
        "status": status_name(past.record),
        "untold": past.untold,
        "here": here,
        "key": key,
        "saga": actor_link(kind, key),
        "conversation": conversation_link(past.row.conversation),
        "between": target.query.get("between", ""),
        "compared": _compared(desk, past, target.query.get("between", "")),
        "before": _from(here, max(0, first - ROWS_MAX)) if first else "",
        "next": _from(here, first + ROWS_MAX) if first + ROWS_MAX < len(past.entries) else "",
    }
    return Screen("history", f"History of {past.address}", still=("compare", "entries"), values=values)


def _from(here: str, first: int) -> str:
    return f"{here}&from={first}" if first and "?" in here else link(here, {"from": first})


def _row(desk: PageDesk, entry: HistoryEntry) -> PastRow:
    made = entry.replayed
    changed = () if made is None else differences(desk.contracts, made.before, made.after)
    return PastRow(entry, changed, tuple((one.short_type, one.to, fate_of(one)) for one in entry.sent))


def _compared(desk: PageDesk, past: InstanceHistory, between: str) -> tuple[Difference, ...] | None:
    """What two revisions differ in, as in `between=0,7`; None if nobody asks. Raises InvalidMessage, NotFound."""
    if not between.strip():
        return None
    one, _, other = (text.strip() for text in between.partition(","))
    if not (one.isascii() and one.isdigit() and other.isascii() and other.isdigit() and len(one + other) < 19):
        raise InvalidMessage(f"between={between!r} names no two revisions; write two numbers, such as 0,7")
    return differences(desk.contracts, past.record_at(int(one)), past.record_at(int(other)))
