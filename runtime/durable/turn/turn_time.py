"""How long a turn may go on, and when it lets the loop do something else, by the clock that never jumps."""

from __future__ import annotations

import asyncio

from runtime.ports import Ports

__all__ = ["TurnTime"]

_HOLD_S = 0.01  # A turn gives way to the loop when its handlers have kept it for so long.


class TurnTime:
    """The time of one turn. It is over `turn_s` seconds after the turn has begun."""

    __slots__ = ("_now_s", "_ports", "_rested_s", "_until_s")

    def __init__(self, ports: Ports, turn_s: float) -> None:
        self._ports = ports
        self._now_s = self._rested_s = ports.clock.monotonic_s()
        self._until_s = self._rested_s + turn_s

    @property
    def is_over(self) -> bool:
        """Reads the clock."""
        self._now_s = self._ports.clock.monotonic_s()
        return self._now_s >= self._until_s

    @property
    def has_held(self) -> bool:
        """Whether the loop had had to wait for long by the last reading of the clock."""
        return self._now_s - self._rested_s >= _HOLD_S

    async def rest(self) -> None:
        """Let the loop run everything else that is ready, once."""
        tasks = self._ports.tasks
        rested = tasks.new_future()
        tasks.call_soon(_end, rested)
        await rested
        self._now_s = self._rested_s = self._ports.clock.monotonic_s()


def _end(rest: asyncio.Future[None]) -> None:
    if not rest.done():
        rest.set_result(None)
