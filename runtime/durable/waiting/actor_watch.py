"""One caller that watches one actor: told of changes where it can be, and looking into the store now and then."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable

from google.protobuf.message import Message

from runtime.durable.client import ActorState
from runtime.ports import Ports

__all__ = ["POLL_S", "ActorWatch"]

POLL_S = 1.0
"""How often a waiting caller looks into the store, in case an answer or a change was lost."""


class ActorWatch:
    """The iterator behind Client.watch: the latest change wins, and the store is read when none comes."""

    def __init__(
        self, read: Callable[[], Awaitable[ActorState | None]], parse: Callable[[str, bytes], Message], ports: Ports
    ) -> None:
        self._read = read
        self._parse = parse
        self._ports = ports
        self._latest: tuple[int, str, bytes] | None = None
        self._woken: asyncio.Future[None] | None = None
        self._seen = -1
        self._look = True  # into the store: at first, and when no change has come for a while
        self._untold: float = 0  # the last revision whose state was not told; infinite while that is not known

    def changed(self, revision: int, state_type: str, state: bytes) -> None:
        if not state_type:
            untold = revision or math.inf
            self._look = self._look or untold > self._seen  # the state is not told: it is in the store
            self._untold = max(self._untold, untold)
        elif self._latest is None or revision > self._latest[0]:
            self._latest = (revision, state_type, state)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def __aiter__(self) -> AsyncIterator[ActorState]:
        return self

    async def __anext__(self) -> ActorState:
        while True:
            if self._latest is None and self._look:
                self._look, self._untold = False, 0
                reading = await self._read()
            else:
                reading = self._take()
            if reading is not None and reading.revision > self._seen:
                self._seen = reading.revision
                return reading
            await self._wait()

    def _take(self) -> ActorState | None:
        latest, self._latest = self._latest, None
        if latest is None:
            return None
        revision, state_type, state = latest
        self._look = self._look and revision < self._untold
        return ActorState(revision, self._parse(state_type, state), b"")

    async def _wait(self) -> None:
        if self._latest is not None or self._look:
            return  # it came while the store was read
        self._woken = self._ports.tasks.new_future()
        timer = self._ports.clock.call_later(POLL_S, self._look_again)
        try:
            await self._woken
        finally:
            timer.cancel()
            self._woken = None

    def _look_again(self) -> None:
        self._look = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
