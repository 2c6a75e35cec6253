"""Time that jumps: an event loop that never waits for a timer, and the clock port upon it.

    nothing is ready to run ──▶ the loop does not sleep until the next timer, but sets its clock to that instant

A test of minutes runs in milliseconds, and timers fire in the order of their due times, on any machine. What comes from
outside the process still takes real time: without any timer the loop waits like any other. The idea is trio's MockClock
with an autojump.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable

from runtime.ports import Cancellable

__all__ = ["EPOCH_S", "START_S", "VirtualClock", "VirtualLoop", "wake_sleeper"]

START_S = 1_000.0
"""The time at which a loop on virtual time begins."""

EPOCH_S = 1_700_000_000.0
"""The wall clock is so far ahead of the loop's time, until something moves it."""


class _JumpingSelector(selectors.DefaultSelector):
    """Answers a wait for I/O or for a timer at once, as if the time had passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events and timeout > 0:
            self.now_s += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time. `time()` starts at 1,000 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def spend(self, time_s: float) -> None:
        """Lets time pass while nothing else can run, as a long computation would."""
        self._jumping.now_s += time_s

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Waits for threads without a limit. The limit of newer Pythons would be of virtual time, and pass at once."""
        await super().shutdown_default_executor()


class VirtualClock:
    """The clock port on a loop. A test can have the wall clock jump; the monotonic clock never does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.offset_s = EPOCH_S  # Add to it, and the wall clock jumps.

    def now_s(self) -> float:
        return self.monotonic_s() + self.offset_s

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, delay_s: float) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        timer = self.call_later(delay_s, wake_sleeper, done)
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._loop.call_later(delay_s, callback, *arguments)


def wake_sleeper(done: asyncio.Future[None]) -> None:
    """Wakes a sleeper. A clock calls this when the time is up."""
    if not done.done():
        done.set_result(None)
