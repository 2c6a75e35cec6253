"""One direction of one connection through a proxy: bytes come in, wait as long as they have to, and go out.

    StreamReader ──fill──▶ held: (when due, bytes) ──pour──▶ StreamWriter, and a mirror if there is one
                             ▲ at most HELD_BYTES_MAX      ▲ Way: frozen, delayed, throttled, swallowed

Bytes are never dropped or reordered within a connection, since TCP does neither. What does not fit stays in the
sockets, and its sender has to wait. Only `swallow` throws bytes away, and then the connection breaks.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["CHUNK_BYTES_MAX", "HELD_BYTES_MAX", "Lane", "Way"]

CHUNK_BYTES_MAX = 64 * 1024
HELD_BYTES_MAX = 4 * 1024 * 1024
"""One direction of one connection holds so much while it is delayed or frozen. More stays with the sender."""
_PIECES_PER_S = 50  # Throttled bytes leave in so many pieces.


class Way:
    """What is wrong now with one direction of a link, for bytes that wait already and for later ones.

    It may change at any time: every connection of the link looks here before each step.
    """

    def __init__(self) -> None:
        self.delay_s = 0.0  # Each byte waits so long; the order stays.
        self.bytes_per_s = 0.0  # 0 sets no limit.
        self.swallows = False  # Bytes are lost; the connection breaks `swallow_break_s` after the first.
        self.swallow_break_s = 0.0
        self.swallowed_bytes = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def frozen(self) -> bool:
        return not self._open.is_set()

    def freeze(self) -> None:
        """Lets nothing pass. Nobody is told."""
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    async def opened(self) -> None:
        await self._open.wait()

    def heal(self) -> None:
        """Sets all right. Bytes that were delayed already still come when they are due."""
        self.delay_s = self.bytes_per_s = self.swallow_break_s = 0.0
        self.swallows = False
        self.thaw()


class Lane:
    """Carries one direction until its sender ends it; then ends the other side. Raises OSError if it breaks."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: Way,
        *,
        break_off: Callable[[], None],
        mirror: Callable[[bytes], None] | None = None,
    ) -> None:
        """`break_off` resets the whole connection. `mirror` gets each piece that has passed, and b"" at the end."""
        self._reader = reader
        self._writer = writer
        self._way = way
        self._break_off = break_off
        self._mirror = mirror
        self._held: deque[tuple[float, bytes]] = deque()  # From when each piece may go out; b"" is the end.
        self._held_bytes = 0
        self._moved = asyncio.Event()  # A piece was added or taken.
        self._failure: OSError | None = None  # The error that ended the reading.
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
            except OSError as error:  # The sender reset it. Held bytes still go out before that shows.
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
        await way.opened()  # The end of the stream waits too.
        while data:
            await way.opened()
            piece = data if not way.bytes_per_s else data[: max(1, int(way.bytes_per_s / _PIECES_PER_S))]
            data = data[len(piece) :]
            if way.swallows or self._breaking is not None:
                self._swallow(piece)
                continue
            if self._writer.is_closing():  # A write would do nothing on some loops, and raise on others.
                raise ConnectionResetError("the other side has broken the connection")
            self._writer.write(piece)
            await self._writer.drain()
            if self._mirror is not None:
                self._mirror(piece)
            if way.bytes_per_s:
                await asyncio.sleep(len(piece) / way.bytes_per_s)

    def _swallow(self, piece: bytes) -> None:
        """Throws bytes away. Then the connection has to break, even if the way is healed meanwhile."""
        self._way.swallowed_bytes += len(piece)
        if self._breaking is None:
            loop = asyncio.get_running_loop()
            self._breaking = loop.call_later(self._way.swallow_break_s, self._break_off)

    def _end(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()
        if self._mirror is not None:
            self._mirror(b"")
