"""How late the loop of a node runs what is due: what keeps it from everything, keeps it from this timer too."""

from __future__ import annotations

from collections import deque

from runtime.ports import Cancellable, Clock

__all__ = ["LoopLag"]

_EVERY_S = 0.5
_KEPT = 60  # half a minute: longer than most pauses between two readings


class LoopLag:
    """Looks twice a second, from `start` to `stop`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late_s: deque[float] = deque(maxlen=_KEPT)
        self._due_s = 0.0
        self._timer: Cancellable | None = None

    @property
    def longest_s(self) -> float:
        """The longest delay of the last half minute, that of a look which is overdue now included."""
        overdue_s = 0.0 if self._timer is None else self._clock.monotonic_s() - self._due_s
        return max(0.0, overdue_s, *self._late_s)

    def start(self) -> None:
        self._due_s = self._clock.monotonic_s() + _EVERY_S
        self._timer = self._clock.call_later(_EVERY_S, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._late_s.append(max(0.0, self._clock.monotonic_s() - self._due_s))
        self.start()
