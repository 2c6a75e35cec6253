"""What a series of lives gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.testing.rules.ledger import Violation

__all__ = ["Cut", "CutResult"]


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut, and the image that it left: each file's bytes, by name."""

    number: int  # in its series, from 1
    when: str  # starting, working, closing, closed
    went_at: str  # the operation
    image: Mapping[str, bytes] = field(repr=False)


@dataclass(slots=True)
class CutResult:
    """One series. `lost` is what was promised and is not so; `corrupt` is everything else that no power cut excuses."""

    seed: int
    cuts: int = 0
    lost: list[Violation] = field(default_factory=list)
    corrupt: list[Violation] = field(default_factory=list)
    failed_at: Cut | None = None  # the last cut before the first violation
    happened: Counter[str] = field(default_factory=Counter)  # cuts, by when and at which operation
    figures: Counter[str] = field(default_factory=Counter)
    conversations: dict[bytes, str] = field(default_factory=dict, repr=False)  # of the violations, as text

    @property
    def broken(self) -> list[Violation]:
        return [*self.lost, *self.corrupt]
