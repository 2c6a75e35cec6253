"""How all that a store has stands, in numbers: what is owed and unknown, what moves, what waits, what was given up.

    Store.tallies ──▶ StoreStanding ──▶ metrics, the page's overview, `amends admin top`

Each number costs what stands so, up to a limit, and not what there is. So it can be read every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.saga.deadline_summary import DEADLINE_STATUSES
from runtime.store.port import OperatorStore
from runtime.store.tallies import Tallies, Tally

__all__ = [
    "COUNTED_MAX",
    "ENDED",
    "MAIL_READ_MAX",
    "StoreStanding",
    "many",
    "saga_kinds",
    "standing_of",
    "tell_standing",
]

ENDED = ("completed", "compensated", "abandoned")
"""Statuses of sagas that nothing is to be done about. There may be any number of them, so they are not counted."""

COUNTED_MAX = 100_000
"""Sagas of a kind and status, what a kind owes, and its dead letters are counted no further."""

MAIL_READ_MAX = 10_000
"""So many messages that wait for a kind are looked at. Where there are more, their number and age are at least so."""


@dataclass(frozen=True, slots=True)
class StoreStanding:
    """At one instant of the store's clock. Instants are seconds since 1970."""

    now_s: float
    kinds: tuple[str, ...] = ()  # of sagas that there are, ended ones among them
    sagas: tuple[tuple[str, Tally], ...] = ()  # status, and those that have it; without progress for longest
    owed: tuple[Tally, ...] = ()  # sagas that owe an undo
    unknown: tuple[Tally, ...] = ()  # sagas with a step whose outcome nobody knows
    mail: tuple[Tally, ...] = ()  # messages that wait; the oldest since it could be handled
    letters: tuple[Tally, ...] = ()  # dead letters, since they were given up
    late: tuple[Tally, ...] = ()  # actors whose next timer is due and has not been handled, since it was due


async def standing_of(store: OperatorStore, *, with_ended: bool = False) -> StoreStanding:
    """Sagas that have ended are counted where somebody asks for it: there may be very many. Raises StoreError."""
    uncounted = DEADLINE_STATUSES if with_ended else (*ENDED, *DEADLINE_STATUSES)
    return tell_standing(await store.tallies(uncounted=uncounted, actors_max=COUNTED_MAX, mail_max=MAIL_READ_MAX))


async def saga_kinds(store: OperatorStore) -> tuple[str, ...]:
    """Of the sagas that there are, ended ones among them. It costs a few seeks for each. Raises StoreError."""
    return tell_standing(await store.tallies(uncounted=(), actors_max=1, mail_max=1)).kinds


def tell_standing(tallies: Tallies) -> StoreStanding:
    kinds = {kind: None for kind, status in tallies.statuses if status not in DEADLINE_STATUSES}
    return StoreStanding(
        now_s=tallies.now_s,
        kinds=tuple(kinds),
        sagas=tallies.actors,
        owed=tallies.owed,
        unknown=tallies.unknown,
        mail=tallies.waiting,
        letters=tallies.parked,
        late=tallies.late,
    )


def many(tallies: Iterable[Tally]) -> tuple[int, float | None]:
    """How many there are of all kinds, and since when the oldest stands so; None where there is none."""
    found = tuple(tallies)
    return sum(one.count for one in found), min((one.oldest_at_s for one in found), default=None)
