"""Dead letters: in groups, or those that fit a filter one by one, to be chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from google.protobuf.message import DecodeError

from runtime.contracts import Contracts
from runtime.envelope import address_of
from runtime.errors import AmendsError, InvalidMessage
from runtime.observe.plain import as_plain
from runtime.operate.dead_letters import letter_place_of, letter_place_text
from runtime.operate.letter_filter import LetterFilter
from runtime.operate.letter_groups import READ_MAX, LetterGroup, groups, letters_page
from runtime.operate.parked_mail import ParkedMail
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, address_link, conversation_link, link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.store.parked import ParkedPlace

__all__ = ["FILTER", "ITEMS", "dead_letter_screen", "item_of", "item_text", "letters_of"]

FILTER = ("kind", "key", "type", "sender", "error", "class")
"""Fields of the filter, in the address and in forms."""

ITEMS = "letters"
"""What the seal of the form with the list is for."""

_PAGE = 50
_BODY_CHARS_MAX = 4_000
_STACK_CHARS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class _Shown:
    letter: ParkedMail
    item: str  # as the form names it
    to: str
    link: str
    conversation: str
    body: str
    stack: str


async def dead_letter_screen(desk: PageDesk, target: PageAddress) -> Screen:
    """Groups without a filter, and letters with one. Raises InvalidMessage for a place that is none, and StoreError."""
    chosen = {name: target.query.get(name, "") for name in FILTER}
    if not any(chosen.values()) and target.query.get("all") != "yes":
        return await _groups(desk)
    async with desk.view() as store:
        now_s = await store.now_s()
        after = letter_place_of(target.query["after"]) if target.query.get("after") else None
        page = await letters_page(store, letters_of(chosen), limit=_PAGE, after=after)
    said = {**chosen, "all": "" if any(chosen.values()) else "yes"}
    acting = desk.acting
    values = {
        "letters": [_shown(desk.contracts, one) for one in page.letters],
        "filter": chosen,
        "next": link("/dead-letters", {**said, "after": letter_place_text(page.next)}) if page.next else "",
        "first": link("/dead-letters", said) if after else "",
        "acts": acting is not None,
        "seal": acting.seal.of(ITEMS, chosen) if acting is not None else "",
        "all_fit": any(chosen.values()),
        "now_s": now_s,
    }
    return Screen("letters", "Dead letters", still=("filter", "list"), values=values)


async def _groups(desk: PageDesk) -> Screen:
    async with desk.view() as store:
        now_s = await store.now_s()
        found, is_all = await groups(store)
    values = {
        "groups": [(one, _group_link(one)) for one in found[:ROWS_MAX]],
        "more_groups": max(0, len(found) - ROWS_MAX),
        "total": sum(one.count for one in found),
        "is_all": is_all,
        "read_max": READ_MAX,
        "filter": dict.fromkeys(FILTER, ""),
        "now_s": now_s,
    }
    return Screen("letters", "Dead letters", ("groups",), ("filter",), values, is_for_all=True)


def letters_of(fields: Mapping[str, str]) -> LetterFilter:
    named = {name: fields.get(name, "") for name in FILTER if name != "class"}
    return LetterFilter(**named, error_class=fields.get("class", ""))


def item_text(letter: ParkedMail) -> str:
    """A letter as a form names it: browsers change line breaks, so that none may be in it."""
    return quote(letter_place_text(letter.place), safe="/", errors="surrogatepass")


def item_of(text: str) -> ParkedPlace:
    """Raises InvalidMessage for what names no letter."""
    try:
        return letter_place_of(unquote(text, errors="surrogatepass"))
    except (UnicodeDecodeError, InvalidMessage):
        raise InvalidMessage(f"{text[:100]!r} names no dead letter: choose among those that the page shows") from None


def _group_link(group: LetterGroup) -> str:
    return link("/dead-letters", {"kind": group.kind, "type": group.type, "class": group.error_class})


def _shown(contracts: Contracts, letter: ParkedMail) -> _Shown:
    row = letter.row
    to = address_of(*row.address)
    stack = row.parked.partition("\n")[2]
    return _Shown(
        letter,
        item_text(letter),
        to,
        address_link(to),
        conversation_link(row.conversation),
        _body(contracts, letter),
        _cut(stack, _STACK_CHARS_MAX),
    )


def _body(contracts: Contracts, letter: ParkedMail) -> str:
    if letter.envelope is None:
        return f"it cannot be read: {len(letter.row.envelope):,} bytes"
    try:
        message = contracts.parse(letter.envelope.type, letter.envelope.body)
    except (AmendsError, DecodeError) as error:
        return f"{len(letter.envelope.body):,} bytes, which cannot be shown: {error}"
    return _cut(json.dumps(as_plain(message), indent=2, ensure_ascii=False, allow_nan=True), _BODY_CHARS_MAX)


def _cut(text: str, most: int) -> str:
    more = len(text) - most
    return f"{text[:most]}… ({more:,} characters more)" if more > 0 else text
