"""How much time nodes have lived through, and what the wall clock said meanwhile. History is forgotten by it.

A stretch is time lived through while the wall clock went on evenly. The next one begins where the clock stands
elsewhere than it should: it jumped, another node has another one, or for a while no node ran.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["Lived"]

_AHEAD_S = 60.0  # A stretch goes on while the wall clock is at most so far ahead of it.
_BEHIND_S = 1.0
_STRETCHES_MAX = 100  # Beyond it, the two that differ least become one, by the clock that forgets later.


@dataclass(frozen=True, slots=True)
class Lived:
    """Seconds lived through, and for each stretch, oldest first, how many at its beginning and the wall clock then."""

    lived_s: float = 0.0
    stretches: tuple[tuple[float, float], ...] = ()

    @property
    def until_s(self) -> float:
        """What the wall clock said when this was counted last; at most a minute less. 0.0 if it never was."""
        if not self.stretches:
            return 0.0
        lived_s, at_s = self.stretches[-1]
        return at_s + self.lived_s - lived_s

    def ahead_s(self, now_s: float) -> float:
        """How far a wall clock is ahead of where it should stand now."""
        return now_s - self.until_s if self.stretches else 0.0

    def on(self, by_s: float, now_s: float) -> Lived:
        """The time lived through after `by_s` more seconds of a monotonic clock, when the wall clock says `now_s`."""
        later = replace(self, lived_s=self.lived_s + by_s)
        if self.stretches and -_BEHIND_S <= later.ahead_s(now_s) <= _AHEAD_S:
            return later
        stretches = (*self.stretches, (later.lived_s, now_s))
        return replace(later, stretches=_fewer(stretches) if len(stretches) > _STRETCHES_MAX else stretches)

    def before_s(self, age_s: float) -> float:
        """All that was written before this instant is older than `age_s`, whatever clocks said. -inf: nothing is."""
        until_s = self.lived_s - age_s
        began = self._stretch_of(until_s)
        if began < 0:
            return float("-inf")
        lived_s, at_s = self.stretches[began]
        return min([at_s + until_s - lived_s, *(at_s for _, at_s in self.stretches[began + 1 :])])

    def without(self, age_s: float) -> Lived:
        """The same without stretches that ended more than `age_s` ago, which nobody needs any more."""
        return replace(self, stretches=self.stretches[max(0, self._stretch_of(self.lived_s - age_s)) :])

    def _stretch_of(self, lived_s: float) -> int:
        return max((number for number, (began_s, _) in enumerate(self.stretches) if began_s <= lived_s), default=-1)

    def as_text(self) -> str:
        return json.dumps([self.lived_s, self.stretches])

    @classmethod
    def from_text(cls, text: str | None) -> Lived:
        """Read what `as_text` wrote. None means that nobody has counted yet."""
        if text is None:
            return cls()
        lived_s, stretches = json.loads(text)
        return cls(float(lived_s), tuple((float(began_s), float(at_s)) for began_s, at_s in stretches))


def _fewer(stretches: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    offsets = [at_s - lived_s for lived_s, at_s in stretches]
    closest = min(range(1, len(offsets)), key=lambda number: abs(offsets[number] - offsets[number - 1]))
    lived_s = stretches[closest - 1][0]
    merged = (lived_s, lived_s + min(offsets[closest - 1], offsets[closest]))
    return (*stretches[: closest - 1], merged, *stretches[closest + 1 :])
