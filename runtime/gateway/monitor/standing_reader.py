"""What a store has in numbers, read when somebody asks for metrics, and kept for those who ask soon after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from runtime.errors import AmendsError
from runtime.operate.standing import StoreStanding
from runtime.ports import Clock, Tasks

__all__ = ["READ_EVERY_S", "StandingReader"]

READ_EVERY_S = 15.0
"""The store is read no more often, however many ask. Nobody asks, nobody reads."""

_PATIENCE_S = 3.0  # An asker waits no longer, so that a slow store does not cost him the metrics of the node.


class StandingReader:
    """Whoever asks begins a reading, unless one runs or was begun within `every_s`."""

    def __init__(
        self,
        read: Callable[[], Awaitable[StoreStanding | None]],
        clock: Clock,
        tasks: Tasks,
        *,
        every_s: float = READ_EVERY_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`read` may raise AmendsError, and gives None while there is no store to read."""
        self._read = read
        self._clock, self._tasks = clock, tasks
        self._every_s, self._patience_s = every_s, patience_s
        self._reading: asyncio.Task[None] | None = None
        self._began_at_s: float | None = None  # Of the last reading, by the monotonic clock.
        self._told_at_s = 0.0  # When the latest standing came.
        self.latest: StoreStanding | None = None  # None: never read, or the last reading has failed.
        self.reads = 0  # That have told something.
        self.read_s = 0.0  # How long these took in all.
        self.failures = 0

    @property
    def age_s(self) -> float:
        """How long ago the latest standing came."""
        return self._clock.monotonic_s() - self._told_at_s

    async def look(self) -> None:
        """Have a standing that is no older than `every_s`, if the store tells one soon. Never raises."""
        now_s = self._clock.monotonic_s()
        is_old = self._began_at_s is None or now_s - self._began_at_s >= self._every_s
        if self._reading is None and is_old:
            self._began_at_s = now_s
            self._reading = self._tasks.start(self._read_once(now_s), name="a reading for metrics")
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reading), self._patience_s)

    async def _read_once(self, began_at_s: float) -> None:
        """What a failed reading leaves is nothing: an old number would pass for a new one."""
        standing = None
        try:
            standing = await self._read()
            if standing is None:
                self._began_at_s = None  # There was nothing to wait for: the next asker tries again.
            else:
                self.reads += 1
                self.read_s += self._clock.monotonic_s() - began_at_s
        except AmendsError:
            self.failures += 1
        finally:
            self._reading = None
            self.latest, self._told_at_s = standing, self._clock.monotonic_s()
