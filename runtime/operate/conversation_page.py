"""One page of a conversation, read without the others: what was handled by its time, and what is still open.

oldest first    handled, the oldest first ──▶ open, the oldest first
newest first    open, the oldest first ──▶ handled, the newest first

store.handled_in, mail_in ──rows of the page──▶ MessagePage ──place_text──▶ the next page
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runtime.durable.caused import readable_came_of
from runtime.envelope import address_of, parse_address
from runtime.errors import InvalidMessage
from runtime.observe.conversation import (
    MessageStatus,
    TracedMessage,
    by_cause,
    elsewhere_message,
    handled_message,
    waiting_message,
)
from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.port import OperatorStore
from runtime.store.records import HistoryRow, MailRow

__all__ = ["MessagePage", "WantedMessages", "conversation_page", "place_before"]

_MAIL_AT_ONCE = 1_000
_LOOKED_UP_MAX = 1_000
_SHARD_MAX, _SEQUENCE_MAX = (1 << 31) - 1, (1 << 63) - 1
Place = HandledPlace | MailRow


@dataclass(frozen=True, slots=True)
class WantedMessages:
    """Which messages of a conversation are shown. What is empty asks for nothing."""

    actor: str = ""  # KIND/KEY, or KIND: it got the message, or sent it
    type: str = ""  # the full name, or its last part
    error: str = ""  # part of the error, in any case of the letters from a to z
    only_errors: bool = False  # what failed at least once, or was not handled for a reason that is told
    only_open: bool = False  # what waits, is to be retried, or is parked
    newest_first: bool = False

    @property
    def filter(self) -> HandledFilter:
        kind, _, key = self.actor.partition("/")
        return HandledFilter(kind, key, self.type, self.error, self.only_errors)


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Some of the messages that fit, and where the others begin."""

    size: ConversationSize  # of the whole conversation, whatever fits
    messages: tuple[TracedMessage, ...]
    next: str  # a place, as text; empty at the end
    sent_away: Mapping[bytes, tuple[TracedMessage, ...]] = field(default_factory=dict)
    """By the id of a message of the page, what was sent while it was handled and is not in this conversation."""


def place_before(row: HistoryRow) -> str:
    """The place of a page that begins with this message, the oldest first."""
    number = int.from_bytes(row.id, "big")
    before = max(0, number - 1).to_bytes(len(row.id), "big")
    return _place_text(HandledPlace(row.handled_at_s, before))


async def conversation_page(
    store: OperatorStore, id: bytes, wanted: WantedMessages, *, limit: int, after: str = ""
) -> MessagePage:
    """Read a page from behind the place `after` on. Raises InvalidMessage for what is no place, and StoreError.

    History before mail, so that what was sent by a message that was seen is found in one of them.
    """
    place = _place_of(after) if after else None
    size = await store.conversation_size(id)
    reader = _Reader(store, id, wanted, limit + 1)
    found = await reader.read(place)
    shown = found[:limit]
    next_ = _place_text(_place(shown[-1])) if len(found) > limit else ""
    handled = [row for row in shown if isinstance(row, HistoryRow)]
    away = await _sent_away(store, id, handled) if size.waiting + size.parked <= _MAIL_AT_ONCE else {}
    messages = [_message(row) for row in shown]
    if not wanted.newest_first:
        messages = [*by_cause({message.id: message for message in messages})]
    return MessagePage(size, tuple(messages), next_, away)


class _Reader:
    """Reads rows of history and mail, as the order has them, up to `limit`."""

    def __init__(self, store: OperatorStore, id: bytes, wanted: WantedMessages, limit: int) -> None:
        self._store, self._id, self._wanted, self._limit = store, id, wanted, limit

    async def read(self, place: Place | None) -> list[HistoryRow | MailRow]:
        found = list[HistoryRow | MailRow]()
        if self._wanted.newest_first:
            if not isinstance(place, HandledPlace):
                found += await self._open(place, self._limit)
            return found + await self._handled(place, self._limit - len(found))
        if not isinstance(place, MailRow):
            found += await self._handled(place, self._limit)
        return found + await self._open(place, self._limit - len(found))

    async def _handled(self, place: Place | None, limit: int) -> list[HistoryRow]:
        if self._wanted.only_open or limit <= 0:
            return []
        after = place if isinstance(place, HandledPlace) else None
        wanted, newest_first = self._wanted.filter, self._wanted.newest_first
        return await self._store.handled_in(self._id, wanted, limit=limit, after=after, newest_first=newest_first)

    async def _open(self, place: Place | None, limit: int) -> list[MailRow]:
        """What waits has its sender and its type in its envelope alone. So it is chosen here."""
        found, after = list[MailRow](), place if isinstance(place, MailRow) else None
        while len(found) < limit:
            rows = await self._store.mail_in(self._id, limit=_MAIL_AT_ONCE, after=after)
            found += [row for row in rows if self._fits(waiting_message(row))]
            if len(rows) < _MAIL_AT_ONCE:
                break
            after = rows[-1]
        return found[: max(0, limit)]

    def _fits(self, message: TracedMessage) -> bool:
        wanted = self._wanted.filter
        kind, _, key = message.to.partition("/")
        has_failed = message.status in (MessageStatus.RETRYING, MessageStatus.PARKED)
        return (
            wanted.fits_actors((kind, key), message.sender)
            and wanted.fits_type(message.type)
            and wanted.fits_error(message.note or (" " if has_failed else ""))
        )


async def _sent_away(
    store: OperatorStore, id: bytes, rows: Sequence[HistoryRow]
) -> dict[bytes, tuple[TracedMessage, ...]]:
    """Looks for the first thousand messages that these rows have sent."""
    known = {row.id for row in rows}
    sent = [(row, one) for row in rows for one in readable_came_of(row).caused if one.id not in known][:_LOOKED_UP_MAX]
    if not sent:
        return {}
    known = {row.id for row in await store.mail_in(id, limit=_MAIL_AT_ONCE)}
    sent = [(row, one) for row, one in sent if one.id not in known]
    handled = await store.handled([(id, one.id) for _, one in sent])
    away: dict[bytes, tuple[TracedMessage, ...]] = {}
    for (row, one), is_there in zip(sent, handled, strict=True):
        if is_there is None:
            away[row.id] = (*away.get(row.id, ()), elsewhere_message(row, one))
    return away


def _message(row: HistoryRow | MailRow) -> TracedMessage:
    return handled_message(row) if isinstance(row, HistoryRow) else waiting_message(row)


def _place(row: HistoryRow | MailRow) -> Place:
    return HandledPlace.of(row) if isinstance(row, HistoryRow) else row


def _place_text(place: Place) -> str:
    if isinstance(place, HandledPlace):
        return f"handled/{place.handled_at_s!r}/{place.id.hex()}"
    where = address_of(place.kind, place.key)
    return f"open/{place.sent_at_s!r}/{place.id.hex()}/{place.sequence}/{place.shard}/{where}"


def _place_of(text: str) -> Place:
    """What `_place_text` has made of a place. Raises InvalidMessage for any other text."""
    try:
        what, at, id, *others = text.split("/", 5)
        at_s = float(at)
        if math.isfinite(at_s) and what == "handled" and not others:
            return HandledPlace(at_s, bytes.fromhex(id))
        if math.isfinite(at_s) and what == "open":
            sequence, shard, where = others
            kind, key = parse_address(where)
            place = (
                kind,
                key,
                _number(shard, _SHARD_MAX),
                bytes.fromhex(id),
                b"",
                at_s,
                _number(sequence, _SEQUENCE_MAX),
            )
            return MailRow(*place, 0.0, 0, "", 0.0, b"")
    except (ValueError, InvalidMessage):
        pass
    raise InvalidMessage(f"{text!r} is no place in a conversation: take the link at the end of the page before")


def _number(text: str, number_max: int) -> int:
    """Raises ValueError for what no store has as a shard or a sequence."""
    number = int(text)
    if not 0 <= number <= number_max:
        raise ValueError(text)
    return number
