"""Notes that any thread may leave, written by a thread of its own: the event loop of the node may stand still.

    watchdog's thread ──tell──▶ the latest note ──▶ thread: its own loop and connection ──▶ the server

Only the latest note counts, and nobody learns what becomes of it. The thread and its connection are made with the
first note.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

from runtime.ports import Ports
from runtime.store.postgresql.connection import SessionLimits, connect
from runtime.store.postgresql.target import PostgresqlTarget

__all__ = ["Notes"]

_SESSION = SessionLimits("notes", statement_s=2.0)
_WRITTEN_S = 5.0

_Note = tuple[str, tuple[object, ...]]


class Notes:
    """Writes the latest note. `tell` returns at once and never raises."""

    def __init__(self, target: PostgresqlTarget, ports: Ports) -> None:
        self._target = target
        self._ports = ports
        self._guard = threading.Condition()
        self._latest: _Note | None = None
        self._is_writing = False
        self._is_open = False
        self._thread: threading.Thread | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []  # to be told that all is written

    def open(self) -> None:
        self._is_open = True

    def tell(self, statement: str, *values: object) -> None:
        with self._guard:
            if not self._is_open:
                return
            self._latest = (statement, values)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="store notes", daemon=True)
                self._thread.start()
            self._guard.notify()

    async def written(self) -> None:
        """Wait until what was told is written, or has failed; at most 5 s."""
        is_written = asyncio.Event()
        with self._guard:
            if self._latest is None and not self._is_writing:
                return
            self._waiters.append((asyncio.get_running_loop(), is_written))
        deadline = self._ports.clock.call_later(_WRITTEN_S, is_written.set)
        try:
            await is_written.wait()
        finally:
            deadline.cancel()

    async def close(self) -> None:
        await self.written()
        with self._guard:
            self._is_open = False
            self._guard.notify()

    def _serve(self) -> None:
        with asyncio.Runner() as runner:
            connection: Any = None
            while (note := self._next()) is not None:
                connection = runner.run(self._write(connection, *note))
            if connection is not None:
                runner.run(connection.close())

    def _tell_waiters(self) -> None:
        for loop, is_written in self._waiters:
            with suppress(RuntimeError):  # a loop that has ended, and with it everyone who waited
                loop.call_soon_threadsafe(is_written.set)
        self._waiters.clear()

    def _next(self) -> _Note | None:
        with self._guard:
            self._is_writing = False
            if self._latest is None:
                self._tell_waiters()
            while self._latest is None and self._is_open:
                self._guard.wait()
            note, self._latest = self._latest, None
            self._is_writing = note is not None
            return note if self._is_open else None

    async def _write(self, connection: Any, statement: str, values: tuple[object, ...]) -> Any:
        """Gives the connection for the next note; none when this one failed."""
        with suppress(Exception):
            if connection is None or connection.is_closed():
                connection, _ = await connect(self._target, _SESSION)
            await connection.execute(statement, *values)
            return connection
        if connection is not None:
            connection.terminate()
        return None
