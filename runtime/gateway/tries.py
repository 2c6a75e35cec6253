"""How often, and for how long, a client goes on asking when it gets no answer."""

from __future__ import annotations

from typing import Final

from runtime.backoff import Backoff
from runtime.ports import Ports

__all__ = ["Tries"]

_BACKOFF: Final = Backoff(first_s=0.05, max_s=1.0)


class Tries:
    """Of one call, after failures."""

    def __init__(self, ports: Ports, patience_s: float) -> None:
        self._ports = ports
        self._patience_s = patience_s
        self._first_s: float | None = None  # monotonic, of the first failure
        self._count = 0

    async def again(self, ends_s: float = float("inf")) -> bool:
        """Pause, and say whether to try again."""
        now_s = self._ports.clock.monotonic_s()
        if self._first_s is None:
            self._first_s = now_s
        if now_s - self._first_s >= self._patience_s:
            return False
        self._count += 1
        pause_s = _BACKOFF.pause_s(self._count, self._ports.randomness.fraction())
        await self._ports.clock.sleep(min(pause_s, max(ends_s - now_s, 0.0)))
        return True
