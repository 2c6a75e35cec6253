"""One stream between two nodes of a simulation: two wires, one for each direction, and an end at each side.

    SimLink.send ──▶ Wire ──frames, whole and in order, or the stream breaks──▶ SimLink.receive

A writer waits while its wire is full. A broken stream refuses its writer before its reader sees that it broke.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from runtime.errors import LinkLost
from runtime.testing.virtual.loop import check_alive

__all__ = ["Carrier", "Direction", "SimLink", "Wire"]

Direction = tuple[str, str]
"""(source, target): two addresses."""


class Carrier(Protocol):
    """The network, as its links see it."""

    loop: asyncio.AbstractEventLoop
    wire_bytes_max: int

    def is_held(self, direction: Direction) -> bool:
        """Says whether nothing gets through in this direction now."""
        ...

    def arrival_s(self, direction: Direction, frame: bytes) -> float:
        """The instant at which a frame arrives that is sent now."""
        ...

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Calls back later, whichever process is alive then."""
        ...

    def forget(self, link: SimLink) -> None:
        """Hears that one end was closed."""
        ...


class Wire:
    """One direction of a stream."""

    def __init__(self, network: Carrier, direction: Direction) -> None:
        self.direction = direction
        self._network = network
        self._flying: deque[bytes | None] = deque()  # None is the end of the stream.
        self._landed: deque[bytes | None] = deque()
        self._bytes = 0  # Bytes that were sent and are not yet read.
        self._last_s = 0.0  # The instant at which the latest frame lands.
        self._waiters: deque[asyncio.Future[None]] = deque()  # At most one reader and one writer.
        self._ended = False
        self._error: LinkLost | None = None
        self._refusal: LinkLost | None = None  # The writer alone sees this.

    async def put(self, frame: bytes) -> None:
        check_alive()
        self._check()
        self._bytes += len(frame)
        self._send(frame)
        while self._bytes > self._network.wire_bytes_max:
            await self._wait()
            self._check()

    async def get(self) -> bytes | None:
        while self._error is None and (not self._landed or self._network.is_held(self.direction)):
            await self._wait()
        if self._error is not None:
            raise self._error
        frame = self._landed[0]
        if frame is not None:
            self._landed.popleft()
            self._bytes -= len(frame)
            self.wake()
        return frame

    def end(self) -> None:
        """Its writer ends the stream. What was sent still arrives before the end does."""
        check_alive()
        if not self._ended:
            self._ended = True
            self._send(None)

    def fail(self, error: LinkLost) -> None:
        """Breaks the wire for both ends at once."""
        self._error = self._error or error
        self.wake()

    def refuse(self, error: LinkLost) -> None:
        """Breaks the wire for its writer. What was sent may still arrive."""
        self._refusal = self._refusal or error
        self.wake()

    def wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _send(self, frame: bytes | None) -> None:
        self._flying.append(frame)
        self._last_s = max(self._last_s, self._network.arrival_s(self.direction, frame or b""))
        self._network.later(self._last_s - self._network.loop.time(), self._land)

    def _land(self) -> None:
        """Lands the oldest frame, whichever frame this timer was set for: frames arrive in the order of sending."""
        self._landed.append(self._flying.popleft())
        self.wake()

    def _check(self) -> None:
        error = self._error or self._refusal
        if error is not None:
            raise error
        if self._ended:
            raise LinkLost("the link was closed on this side")

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = self._network.loop.create_future()
        self._waiters.append(waiter)
        await waiter


class SimLink:
    """One end of a stream."""

    def __init__(self, network: Carrier, local: str, remote: str, *, incoming: Wire, outgoing: Wire) -> None:
        self._network = network
        self._closed = False
        self.local = local
        self.remote = remote
        self.incoming = incoming
        self.outgoing = outgoing

    async def send(self, frame: bytes) -> None:
        await self.outgoing.put(frame)

    async def receive(self) -> bytes | None:
        return await self.incoming.get()

    async def close(self) -> None:
        """Closes this end. What it sent still arrives. The other end's frames do not, and its next send fails."""
        if not self._closed:
            self._closed = True
            self._network.forget(self)
            self.outgoing.end()
            self.incoming.fail(LinkLost(f"the link between {self.local} and {self.remote} was closed"))

    def fail(self, error: LinkLost) -> None:
        self.incoming.fail(error)
        self.outgoing.fail(error)
