"""What an actor tells of itself in columns of its row, so that a listing finds it by index and decodes no state.

behaviour ──ActorSummary──▶ row ──▶ Store.summaries ──SummaryRow──▶ listings
                                         ▲
                     SummaryFilter, SummaryOrder, the place to go on from
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from runtime.record import record

__all__ = ["ActorSummary", "SummaryFilter", "SummaryOrder", "SummaryPlace", "SummaryRow"]


@record(frozen=True, slots=True)
class ActorSummary:
    """How a process stands. Each field is a column. Instants are seconds since 1970."""

    status: str  # A word in lower case; its kind knows which there are.
    step: str  # Names of what is under way, with commas between them; cut where there are many.
    version: str  # Of its definition, as nodes say that they carry it.
    started_at_s: float
    progressed_at_s: float  # Its last progress; of the deadline of a conversation, when that is due.
    error: str  # What went wrong last; cut where it is long.
    owed_at_s: float | None = None  # Since when it owes an undo, without a break; None: it owes none.
    unknown_at_s: float | None = None  # Since when nobody knows the outcome of a step of it; None: of no step.


class SummaryOrder(StrEnum):
    PROGRESS = "progress"  # Longest without progress first, then by kind and key.
    KEY = "key"  # By kind and key: an order in which nothing moves from page to page.


@dataclass(frozen=True, slots=True, order=True)
class SummaryPlace:
    """Where a page ends. The next one begins behind it, whether or not the row is still there."""

    progressed_at_s: float
    kind: str
    key: str

    def in_order(self, order: SummaryOrder) -> SummaryPlace:
        """The place as the order compares it."""
        return self if order is SummaryOrder.PROGRESS else SummaryPlace(-math.inf, self.kind, self.key)


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """An actor and what it tells of itself."""

    kind: str
    key: str
    shard: int
    summary: ActorSummary
    dead_letters: int  # How many of its mail are parked.

    @property
    def place(self) -> SummaryPlace:
        return SummaryPlace(self.summary.progressed_at_s, self.kind, self.key)


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """Which rows are meant: those that fit all that is said. What is left out asks for nothing."""

    kind: str = ""
    statuses: tuple[str, ...] = ()  # One of these.
    not_statuses: tuple[str, ...] = ()  # None of these.
    prefix: str = ""  # How the key begins.
    step: str = ""  # One of the names of what is under way.
    error: str = ""  # Part of the error. Letters from a to z may be capitals or not.
    progressed_by_s: float = math.inf  # It made no progress after this instant.
    started_by_s: float = math.inf
    not_carried: tuple[str, ...] | None = None  # KIND/VERSION of what it is none of.
    has_dead_letters: bool = False
    owes: bool = False  # It owes an undo.
    is_unknown: bool = False  # Nobody knows the outcome of a step of it.

    def fits(self, row: SummaryRow) -> bool:
        """The specification: every store chooses as this does."""
        told = row.summary
        return (
            self.kind in ("", row.kind)
            and (not self.statuses or told.status in self.statuses)
            and told.status not in self.not_statuses
            and row.key.startswith(self.prefix)
            and (not self.step or f", {self.step}, " in f", {told.step}, ")
            and _small(self.error) in _small(told.error)
            and told.progressed_at_s <= self.progressed_by_s
            and told.started_at_s <= self.started_by_s
            and (self.not_carried is None or f"{row.kind}/{told.version}" not in self.not_carried)
            and (row.dead_letters > 0 or not self.has_dead_letters)
            and (told.owed_at_s is not None or not self.owes)
            and (told.unknown_at_s is not None or not self.is_unknown)
        )


def _small(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").lower()
