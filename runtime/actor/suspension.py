"""A handler that waits for something: the task it goes on in, and what ends it when its actor has to go."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime.ports import Cancellable, Clock

__all__ = ["Suspension"]


class Suspension:
    """From the moment a handler was seen to be suspended until it ends."""

    __slots__ = ("_grace", "_task", "is_cut")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._grace: Cancellable | None = None
        self.is_cut = False

    def give_grace(self, clock: Clock, shutdown_s: float) -> None:
        """Let it end by itself for so long, then cancel it. Asked again, the first deadline counts."""
        if self._grace is None:
            self._grace = clock.call_later(shutdown_s, self._cut)

    def end(self) -> None:
        """The handler has ended; its task goes on with other work, as if it had not been cancelled."""
        if self._grace is not None:
            self._grace.cancel()
        if self.is_cut:
            self._task.uncancel()

    def _cut(self) -> None:
        self.is_cut = True
        self._task.cancel()
