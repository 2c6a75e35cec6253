"""How long a turn may go on, and when it lets the loop do something else, by the clock that never jumps."""

from __future__ import annotations

import asyncio

from runtime.ports import Ports

__all__ = ["TurnTime"]

_HOLD_S = 0.01  # A turn gives way to the loop when its handlers have kept it for so long.


class TurnTime:
    """The time of one turn. It is over `turn_s` seconds after the turn has begun."""

    __slots__ = ("_ports", "_rested_s", "_until_s")

    def __init__(self, ports: Ports, turn_s: float) -> None:
        self._ports = ports
        self._rested_s = ports.clock.monotonic_s()
        self._until_s = self._rested_s + turn_s

    @property
    def is_over(self) -> bool:
        return self._ports.clock.monotonic_s() >= self._until_s

    async def rest(self) -> None:
        """Let the loop run everything else that is ready, once, if it has had to wait for long."""
        clock, tasks = self._ports.clock, self._ports.tasks
        if clock.monotonic_s() - self._rested_s < _HOLD_S:
            return
        rested = tasks.new_future()
        tasks.call_soon(_end, rested)
        await rested
        self._rested_s = clock.monotonic_s()


def _end(rest: asyncio.Future[None]) -> None:
    if not rest.done():
        rest.set_result(None)
