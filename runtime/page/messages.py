"""A conversation as a table, a message a row: who sent what to whom, and what became of it. It is read by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from runtime.errors import InvalidMessage
from runtime.observe.conversation import Conversation, TracedMessage
from runtime.observe.sequence_picture import as_svg
from runtime.operate.conversation_page import MessagePage, conversation_page, place_before
from runtime.operate.dead_letters import NotFound
from runtime.page.conversation_address import FIELDS, conversation_id, id_of, wanted_messages
from runtime.page.desk import PageDesk
from runtime.page.exports import exports_of
from runtime.page.links import PageAddress, conversation_link, link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.store.port import OperatorStore

__all__ = ["messages", "rows_of"]

_LIFELINES = "lifelines"
_ACTORS_MAX = 20  # of whose sagas a test is offered
_GAP_S = 60.0
"""A pause from here on is told, as it stands between two rows that follow each other."""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of the page. `gap_s` is 0 where it followed soon on the row above."""

    message: TracedMessage
    number: int  # on this page
    cause: str  # the address at which its cause is shown; empty for a client's
    cause_number: int  # on this page, else 0
    gap_s: float
    sent_away: tuple[TracedMessage, ...]


async def messages(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound for an id without a message, InvalidMessage for a page that is none, and StoreError."""
    id, wanted, view = conversation_id(target), wanted_messages(target.query), _view(target.query)
    async with desk.view() as store:
        after = await _place(store, id, target.query)
        page = await conversation_page(store, id, wanted, limit=ROWS_MAX, after=after)
    if not page.size.total:
        raise NotFound(f"the store has no message of the conversation {id.hex()}; it may be older than the retention")
    here, chosen = conversation_link(id), {name: target.query.get(name, "") for name in FIELDS}
    values = {
        "rows": rows_of(page, id),
        "size": page.size,
        "here": here,
        "filter": chosen,
        "is_filtered": any(chosen[name] for name in FIELDS if name != "order"),
        "exports": exports_of(desk, id, _actors(page), chosen),
        "picture": Markup(as_svg(Conversation(id, page.messages))) if view else "",  # it escapes what it is given
        "other_view": link(here, {**chosen, "after": after, "view": "" if view else _LIFELINES}),
        "open_link": link(here, {"only": "open"}),
        "view": view,
        "first": link(here, {**chosen, "view": view}) if after else "",
        "next": link(here, {**chosen, "after": page.next, "view": view}) if page.next else "",
    }
    return Screen("conversation", f"Conversation {id.hex()}", ("messages",), ("filter",), values, is_for_all=True)


def _view(query: Mapping[str, str]) -> str:
    """Whether lifelines are drawn above the table. Raises InvalidMessage."""
    view = query.get("view", "")
    if view not in ("", _LIFELINES):
        raise InvalidMessage(f"view={view!r} means nothing here; there is {_LIFELINES}")
    return view


def _actors(page: MessagePage) -> tuple[str, ...]:
    """Who takes part, as far as this page tells: the first few."""
    names = dict.fromkeys(name for message in page.messages for name in (message.sender, message.to))
    return tuple(names)[:_ACTORS_MAX]


def rows_of(page: MessagePage, id: bytes) -> list[MessageRow]:
    """The rows of a page, each with the way to its cause."""
    numbers = {message.id: number for number, message in enumerate(page.messages, 1)}
    gaps = _gaps(page.messages)
    return [
        MessageRow(
            message=message,
            number=number,
            cause=_cause_link(message, id, numbers),
            cause_number=numbers.get(message.cause, 0),
            gap_s=gap_s,
            sent_away=page.sent_away.get(message.id, ()),
        )
        for (number, message), gap_s in zip(enumerate(page.messages, 1), gaps, strict=True)
    ]


def _cause_link(message: TracedMessage, id: bytes, numbers: Mapping[bytes, int]) -> str:
    if message.cause in numbers:
        return f"#m{message.cause.hex()}"
    return f"{link(conversation_link(id), {'at': message.cause.hex()})}#m{message.cause.hex()}" if message.cause else ""


def _gaps(found: Sequence[TracedMessage]) -> list[float]:
    """The pauses before each message, in seconds; 0 for those that are short."""
    at = [message.at_s for message in found]
    pauses = [0.0, *(abs(later - earlier) for earlier, later in pairwise(at))]
    return [pause if pause >= _GAP_S else 0.0 for pause in pauses[: len(at)]]


async def _place(store: OperatorStore, id: bytes, query: Mapping[str, str]) -> str:
    """Where the page begins. Raises InvalidMessage for an `at` that is no message that was handled here."""
    if not (text := query.get("at", "")):
        return query.get("after", "")
    (row,) = await store.handled([(id, id_of(text))])
    if row is None:
        raise InvalidMessage(f"this conversation has handled no message {text!r}; it may have begun in another one")
    return place_before(row)
