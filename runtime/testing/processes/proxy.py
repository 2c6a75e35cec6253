"""A TCP proxy in front of one node. It can cut, freeze, delay, throttle, swallow and duplicate what passes.

    dialler ──▶ Proxy ──▶ Passage ── Lane there, Way link.there ──▶ target ◀── second connection, of a mirror
                             ◀────── Lane back,  Way link.back ─────┘

    async with Proxy(target="127.0.0.1:7650") as proxy:    # dial proxy.address
        link = proxy.link()                                # the link of all diallers without a name
        link.cut()                                         # open connections are reset, new ones are refused
        link.heal()
        link.back.freeze()                                 # answers do not come, and nobody is told
        link.swallow_replies(then_break_s=0.1)             # the request goes through, its answer never comes back
        link.duplicates = True                             # each new connection arrives twice; answers come once

Faults belong to a link: all connections of one dialler to this target. Connections have no limit, as only tests dial.
Each holds at most HELD_BYTES_MAX in each direction, and a mirror as much again. Beyond that senders wait. A mirror is
broken off if its target does not keep up, since a copy must have no hole.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from runtime.testing.processes.lane import CHUNK_BYTES_MAX, HELD_BYTES_MAX, Lane, Way

__all__ = ["LinkCounts", "ProxiedLink", "Proxy"]

_LINGER_S = 2.0  # A mirror outlives its original by this, so that the target can finish its work.
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0: closing sends RST.

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Mirroring = Callable[["LinkCounts"], Awaitable["_Mirror"]]


class _Door(Enum):
    OPEN = auto()
    REFUSING = auto()  # A new connection is reset at once.
    SILENT = auto()  # A new connection is accepted, and nothing more happens.


@dataclass(slots=True)
class LinkCounts:
    """Counts what became of the connections of one link."""

    accepted: int = 0
    refused: int = 0  # Or accepted in silence.
    reset: int = 0  # By a cut, or after swallowed answers.
    mirrored: int = 0
    mirrors_broken: int = 0  # Their target did not keep up, or was not there.


class ProxiedLink:
    """All connections from one dialler to one target, and what is wrong with them."""

    def __init__(self) -> None:
        self.there = Way()  # From the dialler to the target.
        self.back = Way()
        self.duplicates = False  # While it is set, new connections arrive twice, to their last byte.
        self.counts = LinkCounts()
        self._door = _Door.OPEN
        self._open: dict[_Passage | _BlackHole, None] = {}
        self._resets = 0  # A connection that is being dialled learns here of a reset.

    @property
    def connections(self) -> int:
        """The number of open connections without mirrors. Those accepted in silence count too."""
        return len(self._open)

    @property
    def is_cut(self) -> bool:
        return self._door is not _Door.OPEN

    def cut(self, *, silent: bool = False) -> None:
        """Resets every connection, and refuses new ones. If `silent`, it accepts new ones and says nothing."""
        self._door = _Door.SILENT if silent else _Door.REFUSING
        self.reset()

    def reset(self) -> None:
        """Resets every connection. New ones are treated as before."""
        self._resets += 1
        for one in list(self._open):
            one.break_off()

    def swallow_replies(self, *, then_break_s: float) -> None:
        """Swallows answers, and lets requests through. A connection breaks `then_break_s` after its first lost byte."""
        self.back.swallow_break_s = then_break_s
        self.back.swallows = True

    def heal(self) -> None:
        """Sets all right from now on. Connections break that have lost bytes, or were accepted in silence."""
        self._door = _Door.OPEN
        self.duplicates = False
        self.there.heal()
        self.back.heal()
        for one in list(self._open):
            if isinstance(one, _BlackHole):
                one.break_off()

    async def serve(self, near: Streams, dial: Callable[[], Awaitable[Streams]], mirror: Mirroring) -> None:
        """Serves one connection from beginning to end. Raises OSError if the target is not there."""
        if self._door is _Door.REFUSING:
            self.counts.refused += 1
            _reset(near[1])
            return
        one: _Passage | _BlackHole
        if self._door is _Door.SILENT:
            self.counts.refused += 1
            one = _BlackHole(near)
        else:
            resets = self._resets
            far = await dial()
            one = _Passage(self, near, far, await mirror(self.counts) if self.duplicates else None)
            self.counts.accepted += 1
            if self._resets != resets:
                one.break_off()
        self._open[one] = None
        try:
            await one.run()
        finally:
            del self._open[one]


class Proxy:
    """Listens on a free port of the loopback, and passes each connection on to `target`."""

    def __init__(self, target: str, *, who: Callable[[int], str] | None = None) -> None:
        """`target` is host:port; it need not be up yet. `who` names a dialler by its port. Without it all are ""."""
        self.target = target
        self.address = ""
        self.links: dict[str, ProxiedLink] = {}
        self._who = who
        self._server: asyncio.Server | None = None
        self._running: dict[asyncio.Task[None], None] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES_MAX)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Breaks every connection, and stops listening."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._running):
            task.cancel()
        for task in list(self._running):
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._server.wait_closed()

    def link(self, dialler: str = "") -> ProxiedLink:
        """The link from one dialler; "" stands for all without a name, such as clients."""
        if dialler not in self.links:
            self.links[dialler] = ProxiedLink()
        return self.links[dialler]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = None
        try:
            dialler = "" if self._who is None else self._who(writer.get_extra_info("peername")[1])
            await self.link(dialler).serve((reader, writer), self._dial, self._mirror)
        except (OSError, asyncio.CancelledError):
            _reset(writer)  # The target is not there, or the proxy closes.
        finally:
            self._running.pop(task, None)

    async def _dial(self) -> Streams:
        host, _, port = self.target.rpartition(":")
        return await asyncio.open_connection(host, int(port), limit=CHUNK_BYTES_MAX)

    async def _mirror(self, counts: LinkCounts) -> _Mirror:
        mirror = _Mirror(counts, await self._dial())
        task = asyncio.create_task(mirror.run())
        self._running[task] = None
        task.add_done_callback(lambda done: self._running.pop(done, None))
        counts.mirrored += 1
        return mirror


class _Passage:
    """One connection through the proxy."""

    def __init__(self, link: ProxiedLink, near: Streams, far: Streams, mirror: _Mirror | None) -> None:
        self._link = link
        self._near = near
        self._far = far
        self._mirror = mirror
        self._lanes: tuple[asyncio.Task[None], ...] = ()

    def break_off(self) -> None:
        """Resets both sides, and lets nothing more pass."""
        self._link.counts.reset += 1
        for writer in (self._near[1], self._far[1]):
            _reset(writer)
        for lane in self._lanes:
            lane.cancel()

    async def run(self) -> None:
        """Runs until both sides have ended it, or one has broken it."""
        (near_in, near_out), (far_in, far_out) = self._near, self._far
        copy = None if self._mirror is None else self._mirror.copy
        there = Lane(near_in, far_out, self._link.there, break_off=self.break_off, mirror=copy)
        back = Lane(far_in, near_out, self._link.back, break_off=self.break_off)
        end: Callable[[asyncio.StreamWriter], None] = _reset  # If one side breaks it, the other learns so at once.
        try:
            async with asyncio.TaskGroup() as group:
                self._lanes = (group.create_task(there.run()), group.create_task(back.run()))
            end = asyncio.StreamWriter.close  # This sends what is still on its way out.
        except* OSError:
            pass
        finally:
            end(near_out)
            end(far_out)
            if self._mirror is not None:
                self._mirror.copy(b"")


class _BlackHole:
    """A connection that is accepted and never answered."""

    def __init__(self, near: Streams) -> None:
        self._reader, self._writer = near

    def break_off(self) -> None:
        _reset(self._writer)

    async def run(self) -> None:
        await _hear_nothing(self._reader)
        _reset(self._writer)


class _Mirror:
    """A second connection to the target. It sends every byte of the first, and nobody hears its answers."""

    def __init__(self, counts: LinkCounts, streams: Streams) -> None:
        self._counts = counts
        self._reader, self._writer = streams
        self._ended = asyncio.Event()

    def copy(self, data: bytes) -> None:
        """Sends the same bytes; b"" is the end. It never waits: a slow mirror is broken off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if not data:
            self._ended.set()
        elif transport.get_write_buffer_size() + len(data) > HELD_BYTES_MAX:
            self._counts.mirrors_broken += 1
            _reset(self._writer)
        else:
            self._writer.write(data)

    async def run(self) -> None:
        """Throws answers away, until a while after the original has ended."""
        hearing = asyncio.create_task(_hear_nothing(self._reader))
        try:
            await self._ended.wait()
            await asyncio.wait((hearing,), timeout=_LINGER_S)
        finally:
            hearing.cancel()
            self._writer.close()


async def _hear_nothing(reader: asyncio.StreamReader) -> None:
    """Reads to the end, and throws everything away."""
    with contextlib.suppress(OSError):
        while await reader.read(CHUNK_BYTES_MAX):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes at once, with RST."""
    plain = writer.transport.get_extra_info("socket")
    if plain is not None and not writer.transport.is_closing():
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
