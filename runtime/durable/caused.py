"""What the handling of a message led to, as its row of history keeps it: without what the row itself tells.

    Sends ──note_caused──▶ HistoryRow.caused ──came_of──▶ CausedList, with each id, address and type in full

    id        10 bytes: its first 6 are the ms at which the row's message was sent, as `message_id` makes them
    address   "": the sender of the row's message. "KIND/": the actor of that kind that has the row's own key
    type      ".Done": in the package of the type of the row's message

A row is kept for each message that was ever handled, and most messages go back to who asks, or stay with one key.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from google.protobuf.message import DecodeError

from runtime.envelope import Envelope, address_of, id_head
from runtime.protos.durable_pb2 import CausedList
from runtime.store.records import HistoryRow

__all__ = ["came_of", "note_caused", "readable_came_of"]

_SHORT_ID_BYTES = 10


def note_caused(caused: CausedList, cause: Envelope, sent: Iterable[Envelope]) -> None:
    """Add messages that were sent to what came of their cause."""
    head, entries = id_head(cause.sent_at_s), caused.caused
    kind, _, key = cause.sender.partition("/")
    for one in sent:
        entry = entries.add()  # In place: a message that is made first would be copied by way of its bytes.
        entry.id = one.id[len(head) :] if one.id.startswith(head) else one.id
        if one.key != key or one.kind != kind:  # An empty field that is set costs as much as a full one.
            entry.address = address_of(one.kind, "" if one.key == cause.key else one.key)
        entry.type = _type_beside(one.type, cause.type)


@lru_cache(maxsize=4096)
def _type_beside(type: str, other: str) -> str:
    package, dot, name = type.rpartition(".")
    return dot + name if package == other.rpartition(".")[0] else type


def came_of(row: HistoryRow) -> CausedList:
    """What a row says of what came of its message. Raises DecodeError."""
    found = CausedList.FromString(row.caused)
    for one in found.caused:
        if len(one.id) == _SHORT_ID_BYTES:
            one.id = id_head(row.sent_at_s) + one.id
        _, slash, key = one.address.partition("/")
        if not slash:
            one.address = one.address or row.sender
        elif not key:
            one.address += row.key
        if one.type.startswith("."):
            one.type = row.type.rpartition(".")[0] + one.type
    return found


def readable_came_of(row: HistoryRow) -> CausedList:
    """The same; nothing where the row's bytes are no such list, which is worth no failure of whoever shows it."""
    try:
        return came_of(row)
    except DecodeError:
        return CausedList()
