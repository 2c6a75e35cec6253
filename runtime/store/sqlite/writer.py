"""The only writing connection of a store, on a thread of its own, under the file lock.

    store ──transact(work)──▶ thread: lock ▶ begin immediate ▶ work(connection) ▶ commit ▶ unlock

An error before COMMIT is definite: nothing was written. One at COMMIT is not (the disk may have the commit although
its flush reported an error): the connection is dropped, the next use opens a new one, and CommitUnknown says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from runtime.errors import CommitUnknown, StoreError, StoreUnavailable
from runtime.ports import Ports
from runtime.store.marks import Marks
from runtime.store.sqlite.connection import CHECKPOINT_PAGES, connect, translate, translated
from runtime.store.sqlite.links import check_links
from runtime.store.sqlite.lock import FileLock
from runtime.store.sqlite.queries import named_queries
from runtime.store.sqlite.schema import check_file, prepare
from runtime.store.sqlite.seals import Seal, seal
from runtime.store.sqlite.watch import FileWatch, let_go
from runtime.store.sqlite.worker import Worker

__all__ = ["Writer"]

T = TypeVar("T")


class Writer:
    """Runs pieces of work as transactions, one after another."""

    def __init__(
        self,
        path: Path,
        ports: Ports,
        *,
        wait_s: float,
        vfs: str | None = None,
        checkpoint_pages: int = CHECKPOINT_PAGES,
        watch: FileWatch | None = None,
    ) -> None:
        self._path = path
        self._ids = ports.ids
        self._wait_s = wait_s
        self._vfs = vfs
        self._seal = Seal(checkpoint_pages)
        self._watch = watch or FileWatch(path, path)
        self._worker = Worker(f"{path.name} writer", ports.clock, wait_s=wait_s, lock=FileLock(path))
        self._given_up = False
        self._connection: apsw.Connection | None = None

    async def open(self, steps: Sequence[str], *, create: bool) -> Marks:
        """Make or migrate the tables; gives the marks."""
        check_file(self._path, create=create)
        check_links(self._path)
        self._worker.start()
        try:
            return await self._worker.run(lambda: self._prepare(steps, create=create))
        except asyncio.CancelledError:
            self._given_up = True
            raise

    async def transact(self, work: Callable[[apsw.Connection], T], *, vital: bool = False) -> T:
        """Run work in a transaction, before all that waits if vital (the node's lease depends on it).

        Raises CommitUnknown, or an error that means that nothing was written.
        """
        return await self._worker.run(lambda: self._transaction(work), vital=vital)

    def note(self, work: Callable[[apsw.Connection], object]) -> None:
        """Like a vital `transact`, for any thread: returns at once, and what becomes of it is told to nobody.

        One that has not begun when the next comes is dropped.
        """
        self._worker.note(lambda: self._transaction(work))

    async def settle(self, work: Callable[[apsw.Connection], T]) -> T:
        """Like `transact`, for questions about an unknown commit; the answer is final.

        It asks on a new connection, which sees what recovery brings back. It then writes something of its own, in the
        place of the log where the lost commit may still lie, so that no later recovery can bring that commit back.
        """
        return await self._worker.run(lambda: self._settlement(work))

    async def cut_log(self) -> None:
        """Move the whole log into the file and cut it. Raises StoreBusy, at once, while somebody reads its old end."""
        await self._worker.run(self._cut_log)

    async def close(self, *, wait_s: float | None = None) -> None:
        """What has begun ends first. A thread that waits for a lock is left behind after `wait_s`."""
        await self._worker.stop(self._end, wait_s=wait_s)

    def _prepare(self, steps: Sequence[str], *, create: bool) -> Marks:
        if self._given_up:  # Given up while it waited for the lock: make nothing that nobody wants any more.
            raise StoreUnavailable(f"{self._path} is no longer to be opened")
        with translated(self._path):
            try:
                self._watch.check_log(self._vfs)
                marks = prepare(self._connected(), self._path, steps, self._ids.new_id, create=create)
                self._watch.begin(self._connected(), self._vfs)
                return marks
            except BaseException:
                self._drop()
                raise

    def _settlement(self, work: Callable[[apsw.Connection], T]) -> T:
        self._drop()

        def marked(connection: apsw.Connection) -> T:
            connection.execute(named_queries()["mark_settled"])
            return work(connection)

        try:
            return self._transaction(marked)
        except CommitUnknown as error:
            raise StoreUnavailable(f"{self._path} could not yet say what became of a commit ({error})") from error

    def _transaction(self, work: Callable[[apsw.Connection], T]) -> T:
        self._watch.check_use()
        with translated(self._path, self._watch.note):
            connection = self._connected()
            try:
                connection.execute("begin immediate")
                result = work(connection)
                if not connection.in_transaction:
                    raise StoreUnavailable(f"{self._path} gave up a transaction half way; nothing was written")
                self._seal.stamp(connection)
            except apsw.BusyError:
                self._roll_back(connection)
                raise
            except BaseException:
                # A full disk, say, ends the transaction by itself: nothing may run on this connection but its end.
                self._drop()
                raise
        self._commit(connection)
        self._seal.move(connection)
        self._watch.check_commit()
        return result

    def _commit(self, connection: apsw.Connection) -> None:
        try:
            connection.execute("commit")
        except (apsw.BusyError, apsw.FullError) as error:
            # Definite: what is written last, and makes the rest count, has not been written.
            self._drop()
            raise translate(error, self._path) from error
        except apsw.Error as error:
            self._drop()
            self._watch.note(translate(error, self._path))
            raise CommitUnknown(f"{self._path} failed while committing ({error!r})") from error

    def _cut_log(self) -> None:
        with translated(self._path, self._watch.note):
            connection = self._connected()
            connection.set_busy_timeout(0)  # The lock is held meanwhile, so nobody may wait for a foreign reader here.
            try:
                seal(connection)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            finally:
                connection.set_busy_timeout(int(self._wait_s * 1000))

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect(self._path, read_only=False, busy_s=self._wait_s, vfs=self._vfs)
            self._seal.watch(self._connection)
            self._watch.connected(self._connection)
            self._watch.writer_has_come()
        return self._connection

    def _roll_back(self, connection: apsw.Connection) -> None:
        if connection.in_transaction:
            connection.execute("rollback")

    def _end(self) -> None:
        """Whoever closes the file last moves the log into it: the seal is for that."""
        try:
            self._watch.check_index()
            if self._connection is not None and self._watch.broken is None:
                seal(self._connection)
        except (apsw.Error, StoreError):
            pass  # a lock or the disk is in the way, and then SQLite moves nothing either
        self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._watch.writer_goes()
        if connection is not None:
            let_go(connection, self._watch)
