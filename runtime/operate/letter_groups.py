"""Dead letters in groups: of the same kind of actor, the same type of message and the same class of error.

dead letters ──group──▶ LetterGroup: how many, the first and the last ──its filter──▶ letters_page: one by one
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.operate.dead_letters import dead_letters_after
from runtime.operate.letter_filter import LetterFilter, stored_filter
from runtime.operate.parked_mail import ParkedMail
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore

__all__ = ["READ_MAX", "LetterGroup", "LetterPage", "groups", "letters_page"]

READ_MAX = 50_000
"""Dead letters that are read to be grouped; the last ones of more are not."""

_PAGE = 5_000  # a few of these are read for one look, and smaller ones would cost more


@dataclass(slots=True)
class LetterGroup:
    kind: str
    type: str  # of the message; empty where it cannot be read
    error_class: str
    count: int
    first_parked_at_s: float
    last_parked_at_s: float
    example: str  # the first line of one error


@dataclass(frozen=True, slots=True)
class LetterPage:
    letters: tuple[ParkedMail, ...]
    next: ParkedPlace | None  # None at the end


async def groups(store: OperatorStore) -> tuple[list[LetterGroup], bool]:
    """The largest first, and whether all letters were read. Raises StoreError."""
    found: dict[tuple[str, str, str], LetterGroup] = {}
    after: ParkedPlace | None = None
    read = 0
    while read < READ_MAX and (page := await dead_letters_after(store, after, limit=_PAGE)):
        after, read = page[-1].place, read + len(page)
        for letter in page:
            _count(found, letter)
    is_all = read < READ_MAX or not await dead_letters_after(store, after, limit=1)
    return sorted(found.values(), key=lambda one: (-one.count, one.kind, one.type, one.error_class)), is_all


def _count(found: dict[tuple[str, str, str], LetterGroup], letter: ParkedMail) -> None:
    row, name = letter.row, (letter.row.kind, letter.type, letter.error_class)
    known = found.get(name)
    if known is None:
        known = found[name] = LetterGroup(*name, 0, row.parked_at_s, row.parked_at_s, letter.error)
    known.count += 1
    known.first_parked_at_s = min(known.first_parked_at_s, row.parked_at_s)
    known.last_parked_at_s = max(known.last_parked_at_s, row.parked_at_s)


async def letters_page(
    store: OperatorStore, wanted: LetterFilter, *, limit: int, after: ParkedPlace | None = None
) -> LetterPage:
    """Letters that fit, oldest id first, from behind a place on. Raises StoreError."""
    found: list[ParkedMail] = []
    wanted = await stored_filter(store, wanted)
    size = limit + 1 if wanted.is_empty else _PAGE
    while page := await dead_letters_after(store, after, limit=size):
        after = page[-1].place
        found += filter(wanted.fits, page)
        if len(found) > limit:
            return LetterPage(tuple(found[:limit]), found[limit - 1].place)
    return LetterPage(tuple(found), None)
