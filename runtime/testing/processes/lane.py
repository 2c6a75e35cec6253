"""One direction of one connection through a proxy: bytes come in, wait as long as they are made to, and go out.

    StreamReader ──fill──▶ held: (when due, bytes) ──pour──▶ StreamWriter, and a mirror if there is one
                             ▲ at most HELD_BYTES_MAX      ▲ Way: frozen, delayed, throttled, swallowed

Bytes are never dropped or reordered within a connection, since TCP does neither: what does not fit is left in the
sockets, and whoever sends it is made to wait. Only `swallow` throws bytes away, and then the connection breaks.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["CHUNK_BYTES_MAX", "HELD_BYTES_MAX", "Lane", "Way"]

CHUNK_BYTES_MAX = 64 * 1024
HELD_BYTES_MAX = 4 * 1024 * 1024
"""What one direction of one connection holds while it is delayed or frozen; more stays with the sender."""
_PIECES_PER_S = 50  # in which throttled bytes leave


class Way:
    """What is wrong with one direction of a link, now. Holds for bytes that come from now on, or wait already.

    Free to change at any time; every connection of the link looks here before each step.
    """

    def __init__(self) -> None:
        self.delay_s = 0.0  # added to each byte; the order stays
        self.bytes_per_s = 0.0  # 0: as fast as it goes
        self.swallows = False  # bytes are thrown away, and `swallow_break_s` after the first the connection breaks
        self.swallow_break_s = 0.0
        self.swallowed_bytes = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def frozen(self) -> bool:
        return not self._open.is_set()

    def freeze(self) -> None:
        """Nothing passes, and nobody is told."""
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    async def opened(self) -> None:
        await self._open.wait()

    def heal(self) -> None:
        """Nothing is wrong any more. Bytes that were delayed already still come when they are due."""
        self.delay_s = self.bytes_per_s = self.swallow_break_s = 0.0
        self.swallows = False
        self.thaw()


class Lane:
    """Carries one direction until its sender ends it, then ends it on the other side; raises OSError when it breaks."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: Way,
        *,
        break_off: Callable[[], None],
        mirror: Callable[[bytes], None] | None = None,
    ) -> None:
        """`break_off` resets the whole connection; `mirror` is given each piece that has passed, b"" at the end."""
        self._reader = reader
        self._writer = writer
        self._way = way
        self._break_off = break_off
        self._mirror = mirror
        self._held: deque[tuple[float, bytes]] = deque()  # when it may go out, and what; b"" is the end
        self._held_bytes = 0
        self._moved = asyncio.Event()  # something was added or taken
        self._failure: OSError | None = None  # what ended the reading
        self._breaking: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        filling = asyncio.create_task(self._fill())
        try:
            await self._pour()
        finally:
            filling.cancel()
            if self._breaking is not None:
                self._breaking.cancel()

    async def _fill(self) -> None:
        data = b"first"
        while data:
            try:
                data = await self._reader.read(CHUNK_BYTES_MAX)
            except OSError as error:  # reset: what is held still goes out before that shows
                self._failure = error
                self._moved.set()
                return
            self._held.append((time.monotonic() + self._way.delay_s, data))
            self._held_bytes += len(data)
            self._moved.set()
            while self._held_bytes >= HELD_BYTES_MAX:
                await self._next_move()

    async def _pour(self) -> None:
        data = b"first"
        while data:
            while not self._held:
                if self._failure is not None:
                    await self._way.opened()
                    raise self._failure
                await self._next_move()
            due_s, data = self._held[0]
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self._pass(data)
            self._held.popleft()
            self._held_bytes -= len(data)
            self._moved.set()
        self._end()

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _pass(self, data: bytes) -> None:
        way = self._way
        await way.opened()  # also the end of the stream waits
        while data:
            await way.opened()
            piece = data if not way.bytes_per_s else data[: max(1, int(way.bytes_per_s / _PIECES_PER_S))]
            data = data[len(piece) :]
            if way.swallows or self._breaking is not None:
                self._swallow(piece)
                continue
            if self._writer.is_closing():  # a write would do nothing on one kind of loop, and raise on another
                raise ConnectionResetError("the other side has broken the connection")
            self._writer.write(piece)
            await self._writer.drain()
            if self._mirror is not None:
                self._mirror(piece)
            if way.bytes_per_s:
                await asyncio.sleep(len(piece) / way.bytes_per_s)

    def _swallow(self, piece: bytes) -> None:
        """Once bytes are missing the connection must not go on: it breaks, however the way is meanwhile."""
        self._way.swallowed_bytes += len(piece)
        if self._breaking is None:
            loop = asyncio.get_running_loop()
            self._breaking = loop.call_later(self._way.swallow_break_s, self._break_off)

    def _end(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()
        if self._mirror is not None:
            self._mirror(b"")
