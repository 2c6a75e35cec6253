"""The commits of the last minute, kept to be looked for once the store may have lost some.

Committer ──add──▶ RecentCommits ──take──▶ whoever hears that the store is another history
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from runtime.ports import Clock
from runtime.store.groups import Unit, transitions_of
from runtime.store.records import Transition

__all__ = ["RecentCommits"]

_KEPT_S = 60.0  # A standby that is further behind is of no use, and operators are told so.
_COUNT_MAX = 20_000
_BYTES_MAX = 16_777_216


class RecentCommits:
    """What was confirmed to be written, the oldest first. What exceeds its bounds is forgotten, the oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[tuple[float, Transition]] = deque()
        self._bytes = 0

    def add(self, units: Iterable[Unit]) -> None:
        now_s = self._clock.monotonic_s()
        for transition in transitions_of(units):
            self._kept.append((now_s, transition))
            self._bytes += transition.weight_bytes
        while self._kept and self._is_too_much(now_s):
            _, gone = self._kept.popleft()
            self._bytes -= gone.weight_bytes

    def take(self) -> list[Transition]:
        """All that is kept; from now on nothing of it is."""
        now_s = self._clock.monotonic_s()
        kept = [transition for at_s, transition in self._kept if now_s - at_s <= _KEPT_S]
        self._kept.clear()
        self._bytes = 0
        return kept

    def _is_too_much(self, now_s: float) -> bool:
        return len(self._kept) > _COUNT_MAX or self._bytes > _BYTES_MAX or now_s - self._kept[0][0] > _KEPT_S
