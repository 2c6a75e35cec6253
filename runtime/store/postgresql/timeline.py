"""Which history the server has: its timeline, looked at on every new connection.

    connection ──meet──▶ Timeline ──the same──▶ go on
                                  ──newer─────▶ told by `turned`; connections of before are dropped
                                  ──older─────▶ refused: a server that was replaced, and does not know it

A promoted standby begins a new timeline, and so does a restored backup. Numbers only rise, so the server with the
greater one has taken over.
"""

from __future__ import annotations

import asyncio

from runtime.errors import StoreUnavailable
from runtime.store.another_history import AnotherHistory

__all__ = ["Timeline"]


class Timeline:
    """The newest timeline that any connection of one store has met; 0 while only standbys were met, or nobody."""

    def __init__(self, at: str) -> None:
        self._at = at
        self._changed = asyncio.Event()
        self._told = 0
        self.number = 0

    def meet(self, number: int) -> None:
        """A new connection's, 0 for a standby's. Raises StoreUnavailable for one of an older history than was met."""
        if not number:
            return
        if number < self.number:
            raise StoreUnavailable(
                f"{self._at} is a server of the timeline {number}, and another one of the timeline {self.number} has "
                "taken over; stop this one, or make it a standby of the other"
            )
        if not self.number:
            self._told = number
        elif number > self.number:
            self._changed.set()
        self.number = number

    async def turned(self) -> AnotherHistory:
        """Wait for a newer one than was told last, or met first."""
        while self._told == self.number:
            self._changed.clear()
            await self._changed.wait()
        what = f"the timeline of the server {self._at} went from {self._told} to {self.number}"
        self._told = self.number
        return AnotherHistory(what, may_have_lost=True)
