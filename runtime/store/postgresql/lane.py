"""Connections for one purpose, each used by one call at a time; others wait in order.

    store ──commits──▶ StoreLane (1)      a commit waits for no read
          ──reads────▶ StoreLane (few)
          ──members──▶ StoreLane (1)      a lease waits for neither

A connection that broke is dropped, and the next call makes a new one: it tries again, with growing pauses, until
`wait_s` have passed. So a server that starts anew costs a pause, and no errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from runtime.backoff import Backoff
from runtime.errors import CommitUnknown, StoreBusy, StoreError, StoreUnavailable
from runtime.ports import Ports
from runtime.store.postgresql.connection import SessionLimits, check_cluster, connect
from runtime.store.postgresql.errors import FOREIGN, loses, may_pass, repeats, translate
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.postgresql.timeline import Timeline

__all__ = ["StoreLane"]

T = TypeVar("T")

_RECONNECT = Backoff(0.05, 1.0)
_BROKEN = Backoff(0.001, 0.5)
_REPEAT = Backoff(0.005, 0.1, jitter=0.5)
_REPEATS_MAX = 10
_WAITING_MAX = 1_000

Work = Callable[[Any], Awaitable[T]]


class StoreLane:
    """Runs work on up to `size` connections. At most 1,000 calls wait; more are refused with StoreBusy."""

    def __init__(
        self,
        target: PostgresqlTarget,
        ports: Ports,
        session: SessionLimits,
        *,
        size: int = 1,
        wait_s: float = 10.0,
        timeline: Timeline,
    ) -> None:
        self._target = target
        self._ports = ports
        self._session = session
        self._wait_s = wait_s
        self._timeline = timeline
        self._cluster_id = ""  # Of the store that was opened; empty before.
        self._free = asyncio.Semaphore(size)
        self._idle: list[tuple[Any, int]] = []  # with the timeline of each
        self._waiting = 0
        self._is_open = False

    def open(self) -> None:
        self._is_open = True

    async def read(self, work: Work[T]) -> T:
        """Do what changes nothing; again, until `wait_s` have passed, where the connection broke under it.

        When a server ends all sessions, each idle connection may still look whole, so that a second one breaks too.
        """
        give_up_s = self._ports.clock.monotonic_s() + self._wait_s
        attempt = 0
        while True:
            attempt += 1
            pause_s = _BROKEN.pause_s(attempt, self._ports.randomness.fraction())
            try:
                return await self._run(work)
            except CommitUnknown as error:
                if self._ports.clock.monotonic_s() + pause_s >= give_up_s:
                    raise StoreUnavailable(f"{error}, {attempt} times; see the log of the server") from error
            await self._ports.clock.sleep(pause_s)

    async def write(self, work: Work[T]) -> T:
        """Do one statement, or one transaction. Raises CommitUnknown where the connection broke under it."""
        return await self._run(work)

    async def repeatable(self, work: Work[T]) -> T:
        """A write that can simply be repeated: an unknown outcome is reported as a failure like any other."""
        try:
            return await self._run(work)
        except CommitUnknown as error:
            raise StoreUnavailable(f"{error}; it may or may not have been written, and can be repeated") from error

    async def drop_all(self) -> None:
        """Drop the connections that nobody uses: the next call makes new ones."""
        while self._idle:
            self._idle.pop()[0].terminate()

    def belong_to(self, cluster_id: str) -> None:
        """From now on new connections must lead to this store."""
        self._cluster_id = cluster_id

    async def close(self) -> None:
        """What has begun ends first, as each connection is closed by whoever uses it."""
        self._is_open = False
        while self._idle:
            connection, _ = self._idle.pop()
            try:
                await connection.close(timeout=1.0)
            except FOREIGN:
                connection.terminate()

    async def _run(self, work: Work[T]) -> T:
        if not self._is_open:
            raise StoreUnavailable(f"the store {self._target.at} is closed; open it first")
        if self._waiting >= _WAITING_MAX:
            raise StoreBusy(
                f"{_WAITING_MAX} calls wait for the store {self._target.at}, the most allowed; try again later"
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._repeat(work)
        finally:
            self._free.release()

    async def _repeat(self, work: Work[T]) -> T:
        """Once more where the server undid it because of what ran beside it: then nothing of it was written."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._once(work)
            except asyncpg.PostgresError as error:
                if attempt >= _REPEATS_MAX:
                    raise translate(error, self._target.at) from error
            await self._ports.clock.sleep(_REPEAT.pause_s(attempt, self._ports.randomness.fraction()))

    async def _once(self, work: Work[T]) -> T:
        connection, timeline = await self._connected()
        try:
            result = await work(connection)
        except BaseException as error:
            is_whole = isinstance(error, asyncpg.PostgresError) and not loses(error)
            self._put_back(connection, timeline, is_whole=is_whole)
            if repeats(error) or not isinstance(error, FOREIGN):
                raise
            if isinstance(error.__cause__, UnicodeEncodeError):  # Text that no server takes: nothing was sent.
                raise error.__cause__ from error
            if loses(error):
                text = f"the connection to {self._target.at} broke before it answered ({error or type(error).__name__})"
                raise CommitUnknown(text) from error
            raise translate(error, self._target.at) from error
        self._put_back(connection, timeline, is_whole=True)
        return result

    def _put_back(self, connection: Any, timeline: int, *, is_whole: bool) -> None:
        is_whole = is_whole and not connection.is_closed() and not connection.is_in_transaction()
        if is_whole and self._is_open and timeline == self._timeline.number:
            self._idle.append((connection, timeline))
        else:
            connection.terminate()

    async def _connected(self) -> tuple[Any, int]:
        while self._idle:
            connection, timeline = self._idle.pop()
            if timeline == self._timeline.number and not connection.is_closed():
                return connection, timeline
            connection.terminate()
        give_up_s = self._ports.clock.monotonic_s() + self._wait_s
        attempt = 0
        while True:
            attempt += 1
            pause_s = _RECONNECT.pause_s(attempt, self._ports.randomness.fraction())
            try:
                return await self._connect()
            except StoreError as error:
                if not may_pass(error) or self._ports.clock.monotonic_s() + pause_s >= give_up_s:
                    raise
            await self._ports.clock.sleep(pause_s)

    async def _connect(self) -> tuple[Any, int]:
        connection, timeline = await connect(self._target, self._session)
        try:
            self._timeline.meet(timeline)
            await check_cluster(connection, self._target, self._cluster_id)
        except BaseException:
            connection.terminate()
            raise
        return connection, timeline
