"""Which actors with timers a listing asks for, and where a page of it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.store.records import ActorRow

__all__ = ["TimedFilter", "TimedPlace"]


@dataclass(frozen=True, slots=True, order=True)
class TimedPlace:
    """Where a page ends. The next one begins behind it, whether or not the actor is still there."""

    due_at_s: float  # When the actor's earliest timer is due.
    kind: str
    key: str

    @classmethod
    def of(cls, row: ActorRow) -> TimedPlace:
        """The place of an actor that has a timer."""
        assert row.due_at_s is not None
        return cls(row.due_at_s, row.kind, row.key)


@dataclass(frozen=True, slots=True)
class TimedFilter:
    """Which actors are meant: those that fit all that is said. What is left out asks for nothing."""

    kinds: tuple[str, ...] = ()  # One of these.
    prefix: str = ""  # How the key begins.
    due_by_s: float = math.inf  # Its earliest timer is due at this instant, or before.

    def fits(self, row: ActorRow) -> bool:
        """The specification: every store chooses as this does."""
        return (
            row.due_at_s is not None
            and row.due_at_s <= self.due_by_s
            and (not self.kinds or row.kind in self.kinds)
            and row.key.startswith(self.prefix)
        )
