"""Many dead letters at once: choose them, see which they are, then act on each by itself, as a single act would.

    LetterFilter ──choose──▶ letters ──preview──▶ operator ──yes──▶ act_on ──check, carry_out, one by one──▶ BulkResult

A letter that is refused stops no other. What the store refuses, or an interrupt, stops all that follow, and what was
done is still told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from runtime.errors import AmendsError, StoreError
from runtime.operate.dead_letters import Act, carry_out
from runtime.operate.parked_mail import ParkedMail
from runtime.store.port import OperatorStore
from runtime.store.records import Transition

__all__ = ["BulkResult", "Check", "act_on"]

Check = Callable[[OperatorStore, ParkedMail], Awaitable[None]]
"""Raises NotAwaited or StillNeeded when a letter had better be left alone."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a bulk act."""

    done: tuple[ParkedMail, ...]
    refused: tuple[tuple[ParkedMail, str], ...]  # each with the reason
    stopped_by: str = ""  # what the store said, if it failed: the letters after that were not tried


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
