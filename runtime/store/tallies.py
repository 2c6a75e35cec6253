"""How much of everything a store has: what whoever watches it is told, without a look at each row.

Tally     some rows of one kind: how many there are, up to a limit, and since when the first of them stands so
Tallies   all that is counted of a store, at one instant
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Tallies", "Tally", "tallies_by_kind"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Some rows of one kind. Instants are seconds since 1970."""

    kind: str
    count: int
    oldest_at_s: float


@dataclass(frozen=True, slots=True)
class Tallies:
    """By kind, and actors by kind and status. What nothing stands in is left out."""

    now_s: float  # The store's clock.
    statuses: tuple[tuple[str, str], ...] = ()  # Kind and status of all actors that tell of themselves.
    actors: tuple[
        tuple[str, Tally], ...
    ] = ()  # Status, and the actors; the oldest is the one longest without progress.
    owed: tuple[Tally, ...] = ()  # Actors that owe an undo; the oldest owes one for longest.
    unknown: tuple[Tally, ...] = ()  # Actors with a step of unknown outcome; since when, likewise.
    waiting: tuple[Tally, ...] = ()  # Mail that is not parked; the oldest could be handled first: it is sent, and due.
    parked: tuple[Tally, ...] = ()  # Dead letters, and when the first of them was parked.
    late: tuple[Tally, ...] = ()  # Actors with a timer that is due and has not been handled; the first was due then.


def tallies_by_kind(rows: Iterable[tuple[str, float | None]], *, count_max: int | None = None) -> tuple[Tally, ...]:
    """Of pairs of a kind and the instant since when a row stands so; None says that the row does not count."""
    found: dict[str, list[float]] = {}
    for kind, at_s in rows:
        if at_s is not None:
            found.setdefault(kind, []).append(at_s)
    counts = {kind: len(instants) for kind, instants in found.items()}
    if count_max is not None:
        counts = {kind: min(count, count_max) for kind, count in counts.items()}
    return tuple(Tally(kind, counts[kind], min(instants)) for kind, instants in sorted(found.items()))
