"""Which dead letters exactly an act is for, what a check would refuse, and what the operator has to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.envelope import address_of
from runtime.errors import AmendsError, InvalidMessage
from runtime.operate.dead_letters import check_awaited, check_dispensable
from runtime.operate.letter_groups import letters_page
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.run import COUNTED_FROM, run_name
from runtime.page.desk import Acting, PageDesk
from runtime.page.forms import FormRefused, FormShape
from runtime.page.letters.listing import FILTER, ITEMS, item_of, item_text, letters_of
from runtime.page.links import link
from runtime.page.screen import Screen
from runtime.protos.saga_pb2 import LetterRun
from runtime.store.port import OperatorStore

__all__ = ["ACTS", "ALL_MAX", "CHOSEN", "CHOSEN_FORM", "choosing", "sealed"]

ACTS = {"replay": LetterRun.REPLAY, "discard": LetterRun.DISCARD}
CHOSEN = "letters chosen"
CHOSEN_FORM = FormShape(names=frozenset((*FILTER, "do", "item", "seal")), many=frozenset(("item",)))
ALL_MAX = 5_000
"""Letters of one run that the page begins: their ids stand in its form."""

_CHECKED_MAX = 200
_SHOWN_MAX = 100


async def choosing(desk: PageDesk, fields: Mapping[str, str]) -> Screen:
    """Raises FormRefused, InvalidMessage when nothing is chosen or no filter is to mean all letters, StoreError."""
    acting = desk.must_act()
    chosen = {name: fields.get(name, "") for name in FILTER}
    if not acting.seal.fits(fields.get("seal", ""), ITEMS, chosen):
        raise FormRefused(
            "this form was not drawn so by the process that serves the page now. Nothing was done: open the list of "
            "dead letters again, and choose there"
        )
    act, _, scope = fields.get("do", "").partition("-")
    if act not in ACTS or scope not in ("", "all"):
        raise InvalidMessage("say what becomes of the letters: they are replayed, or discarded")
    async with desk.view() as store:
        letters, more = await (_all(store, chosen) if scope else _selected(store, fields.get("item", "")))
        refused = await _refused(store, act, letters[:_CHECKED_MAX])
    return _screen(acting, act, chosen if scope else {}, letters, more, refused)


def sealed(act: str, name: str, chosen_by: str, items: str) -> dict[str, str]:
    """What was settled by the choice: the ids, and the name of the run, so that it begins once."""
    return {"act": act, "name": name, "chosen_by": chosen_by, "items": items}


async def _all(store: OperatorStore, chosen: Mapping[str, str]) -> tuple[list[ParkedMail], bool]:
    wanted = letters_of(chosen)
    if wanted.is_empty:
        raise InvalidMessage(
            "a filter that says nothing would mean every dead letter: say which, or choose some by hand"
        )
    page = await letters_page(store, wanted, limit=ALL_MAX)
    if not page.letters:
        raise InvalidMessage("no dead letter fits any more: they were handled, replayed or discarded in the meantime")
    return list(page.letters), page.next is not None


async def _selected(store: OperatorStore, items: str) -> tuple[list[ParkedMail], bool]:
    """Those of the selection that are still parked."""
    if not items:
        raise InvalidMessage("no dead letter is chosen: mark those that are meant, or act on all that fit")
    found: list[ParkedMail] = []
    for place in map(item_of, items.split("\n")):
        row = await store.mail_of((place.kind, place.key), place.shard, place.id)
        if row is not None and row.parked:
            found.append(ParkedMail.of(row))
    if not found:
        raise InvalidMessage("none of the chosen ones is parked any more: they were handled, replayed or discarded")
    return found, False


async def _refused(store: OperatorStore, act: str, letters: Sequence[ParkedMail]) -> list[tuple[ParkedMail, str]]:
    check, found = check_awaited if act == "replay" else check_dispensable, []
    for letter in letters:
        try:
            await check(store, letter)
        except AmendsError as error:
            found.append((letter, str(error)))
    return found


def _named(letter: ParkedMail) -> tuple[str, str]:
    return letter.row.id.hex(), address_of(*letter.row.address)


def _screen(
    acting: Acting,
    act: str,
    chosen: Mapping[str, str],
    letters: Sequence[ParkedMail],
    more: bool,
    refused: Sequence[tuple[ParkedMail, str]],
) -> Screen:
    by = ", ".join(f"{name}={value}" for name, value in chosen.items() if value) or "chosen by hand"
    fields = sealed(
        act, run_name(act, acting.clock.now_s(), acting.ids.new_id()), by, "\n".join(map(item_text, letters))
    )
    values = {
        "act": act,
        "count": len(letters),
        "more": more,
        "shown": [(*_named(one), one.type, one.error) for one in letters[:_SHOWN_MAX]],
        "refused": [(*_named(one), why) for one, why in refused[:_SHOWN_MAX]],
        "more_refused": max(0, len(refused) - _SHOWN_MAX),
        "checked": min(len(letters), _CHECKED_MAX),
        "must_count": len(letters) > COUNTED_FROM,
        "fields": fields,
        "seal": acting.seal.of(CHOSEN, fields),
        "who": acting.who,
        "is_known": acting.operator is not None,
        "back": link("/dead-letters", chosen),
    }
    return Screen("letters", f"Preview: {act} {len(letters):,} dead letters", still=("chosen",), values=values)
