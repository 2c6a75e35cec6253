"""The result of a series of lives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.testing.rules.ledger import Violation

__all__ = ["Cut", "CutResult"]


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut, and the image that it left: each file's bytes, by name."""

    number: int  # The number in its series, from 1.
    when: str  # The phase: starting, working, closing, closed.
    went_at: str  # The operation at which the power failed.
    image: Mapping[str, bytes] = field(repr=False)


@dataclass(slots=True)
class CutResult:
    """One series. `lost` holds broken promises; `corrupt` holds all other violations that no power cut excuses."""

    seed: int
    cuts: int = 0
    lost: list[Violation] = field(default_factory=list)
    corrupt: list[Violation] = field(default_factory=list)
    failed_at: Cut | None = None  # The last cut before the first violation.
    happened: Counter[str] = field(default_factory=Counter)  # Cuts, counted by phase and by operation.
    figures: Counter[str] = field(default_factory=Counter)
    conversations: dict[bytes, str] = field(default_factory=dict, repr=False)  # The messages of each violation.

    @property
    def broken(self) -> list[Violation]:
        return [*self.lost, *self.corrupt]
