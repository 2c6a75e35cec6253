"""Many dead letters at once: choose them, see which they are, then act on each by itself, as a single act would.

    Filter ──choose──▶ letters ──preview──▶ operator ──yes──▶ act_on ──check, carry_out, one by one──▶ BulkResult

A letter that is refused stops no other. What the store refuses, or an interrupt, stops all that follow, and what was
done is still told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from runtime.errors import AmendsError, StoreError
from runtime.operate.dead_letters import Act, carry_out, dead_letters_after
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.stored_kinds import stored_kind
from runtime.store.parked import ParkedPlace
from runtime.store.port import OperatorStore
from runtime.store.records import Transition

__all__ = ["BulkResult", "Check", "Filter", "act_on", "choose"]

_PAGE = 500

Check = Callable[[OperatorStore, ParkedMail], Awaitable[None]]
"""Raises NotAwaited or StillNeeded when a letter had better be left alone."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant: those that fit all that is said. What is empty asks for nothing."""

    kind: str = ""
    key: str = ""  # how the key begins
    type: str = ""  # of the message, in full or its last part
    sender: str = ""  # kind/key of who sent it, or a kind alone
    error: str = ""  # part of the reason it was parked for, in any case of letters

    @property
    def is_empty(self) -> bool:
        return not (self.kind or self.key or self.type or self.sender or self.error)

    def fits(self, letter: ParkedMail) -> bool:
        row = letter.row
        return (
            self.kind in ("", row.kind)
            and row.key.startswith(self.key)
            and self.type in ("", letter.type, letter.type.rpartition(".")[2])
            and self.sender in ("", letter.sender, letter.sender.partition("/")[0])
            and self.error.casefold() in row.parked.casefold()
        )


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a bulk act."""

    done: tuple[ParkedMail, ...]
    refused: tuple[tuple[ParkedMail, str], ...]  # each with the reason
    stopped_by: str = ""  # what the store said, if it failed: the letters after that were not tried


async def choose(store: OperatorStore, wanted: Filter, *, limit: int) -> tuple[list[ParkedMail], int]:
    """Up to `limit` letters that fit, oldest id first, and how many more there are. Raises StoreError."""
    found: list[ParkedMail] = []
    more = 0
    after: ParkedPlace | None = None
    sender, *key = wanted.sender.partition("/")
    sender = "".join((await stored_kind(store, sender), *key))
    wanted = replace(wanted, kind=await stored_kind(store, wanted.kind), sender=sender)
    while page := await dead_letters_after(store, after, limit=_PAGE):
        after = page[-1].place
        for letter in filter(wanted.fits, page):
            if len(found) < limit:
                found.append(letter)
            else:
                more += 1
    return found, more


async def act_on(
    store: OperatorStore,
    letters: Sequence[ParkedMail],
    transition: Callable[[ParkedMail, Act], Transition],
    act: Act,
    check: Check,
) -> BulkResult:
    """Check and carry out the act for each letter, in a transaction of its own; what is forced is not checked."""
    done: list[ParkedMail] = []
    refused: list[tuple[ParkedMail, str]] = []
    for letter in letters:
        try:
            if not act.forced:
                await check(store, letter)
            await carry_out(store, transition(letter, act))
            done.append(letter)
        except StoreError as error:
            return BulkResult(tuple(done), tuple(refused), str(error))
        except asyncio.CancelledError:
            said = f"interrupted at {letter.row.id.hex()}, of which there is no telling: list the dead letters"
            return BulkResult(tuple(done), tuple(refused), said)
        except (AmendsError, DecodeError) as error:
            refused.append((letter, str(error)))
    return BulkResult(tuple(done), tuple(refused))
