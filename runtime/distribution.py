"""How values are spread: how many lie in each of a few ranges, and their sum. The core counts; exporters show it."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

__all__ = ["Distribution"]


class Distribution:
    """`bounds` ascend; the range of each ends with it, and the last range has no end. It costs a list of counts."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # the sum of all values

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def up_to(self) -> tuple[tuple[float | None, int], ...]:
        """Each bound, and how many values lie at it or below; at last None, and how many there are."""
        return tuple(zip((*self._bounds, None), accumulate(self._counts), strict=True))
