"""Which dead letters are meant, in words that fit many of them.

LetterFilter ──stored_filter──▶ by the names that the store has for kinds ──choose──▶ letters, and how many more fit
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from runtime.operate.dead_letters import dead_letters_after
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.stored_kinds import stored_kind
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore

__all__ = ["LetterFilter", "choose", "stored_filter"]

_PAGE = 5_000  # a few of these are read for one look, and smaller ones would cost more


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Those that fit all that is said. What is empty asks for nothing."""

    kind: str = ""
    key: str = ""  # how the key begins
    type: str = ""  # of the message, in full or its last part
    sender: str = ""  # kind/key of who sent it, or a kind alone
    error: str = ""  # part of the reason it was parked for, in any case of letters
    error_class: str = ""  # just this, as the groups of dead letters have it

    @property
    def is_empty(self) -> bool:
        return self == LetterFilter()

    @property
    def in_words(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in asdict(self).items() if value) or "all"

    def fits(self, letter: ParkedMail) -> bool:
        row = letter.row
        return (
            self.kind in ("", row.kind)
            and row.key.startswith(self.key)
            and self.type in ("", letter.type, letter.type.rpartition(".")[2])
            and self.sender in ("", letter.sender, letter.sender.partition("/")[0])
            and self.error.casefold() in row.parked.casefold()
            and self.error_class in ("", letter.error_class)
        )


async def stored_filter(store: OperatorStore, wanted: LetterFilter) -> LetterFilter:
    """By the names that the store has for kinds. Raises StoreError."""
    sender, *key = wanted.sender.partition("/")
    sender = "".join((await stored_kind(store, sender), *key))
    return replace(wanted, kind=await stored_kind(store, wanted.kind), sender=sender)


async def choose(store: OperatorStore, wanted: LetterFilter, *, limit: int) -> tuple[list[ParkedMail], int]:
    """Up to `limit` letters that fit, oldest id first, and how many more there are. Raises StoreError."""
    found: list[ParkedMail] = []
    more = 0
    after: ParkedPlace | None = None
    wanted = await stored_filter(store, wanted)
    while page := await dead_letters_after(store, after, limit=_PAGE):
        after = page[-1].place
        for letter in filter(wanted.fits, page):
            if len(found) < limit:
                found.append(letter)
            else:
                more += 1
    return found, more
