"""When the next round of membership begins: when it is due, or at once when asked for, but never too soon.

membership ──rest(due)──▶ RoundPace ◀──hurry── whoever knows that the tables have changed
"""

from __future__ import annotations

import asyncio

from runtime.ports import Clock

__all__ = ["RoundPace"]


class RoundPace:
    """Rounds at least `shortest_s` apart, however often somebody asks for one."""

    def __init__(self, clock: Clock, shortest_s: float) -> None:
        self._clock = clock
        self._shortest_s = shortest_s
        self._wakeup = asyncio.Event()
        self.begun_s = 0.0  # when the last round began, by the monotonic clock

    def begin(self) -> float:
        """A round begins now; what was asked for before is being done. The monotonic instant."""
        self._wakeup.clear()
        self.begun_s = self._clock.monotonic_s()
        return self.begun_s

    def hurry(self) -> None:
        self._wakeup.set()

    async def rest(self, due_s: float) -> None:
        """Return when the next round may begin: at the monotonic instant `due_s`, or earlier when asked for."""
        delay_s = due_s - self._clock.monotonic_s()
        timer = self._clock.call_later(max(delay_s, self._shortest_s), self.hurry)
        try:
            await self._wakeup.wait()
        finally:
            timer.cancel()
        early_s = self.begun_s + self._shortest_s - self._clock.monotonic_s()
        if early_s > 0:
            await self._clock.sleep(early_s)
