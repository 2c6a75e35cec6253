"""Looks after an open file: is it still whole and in its place, and does its log stay short.

    once a second   reader's thread: FileWatch.look ▸ broken? the node is told
                    a log beyond 64 MiB: reported, and cut as soon as nobody reads the old end of it

SQLite moves the log into the file in passing, but only cuts it where nothing reads it: a foreign reader that stays
(a forgotten `sqlite3` session, a backup tool) makes it grow for as long, and the room stays taken afterwards.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from runtime.errors import StoreBusy, StoreCorrupt, StoreError
from runtime.ports import Ports
from runtime.store.facts import StoreLogLong, StoreLogShort
from runtime.store.sqlite.connection import log_bytes
from runtime.store.sqlite.reader import Reader
from runtime.store.sqlite.watch import FileWatch
from runtime.store.sqlite.writer import Writer

__all__ = ["LOG_BYTES_LONG", "FileKeeper"]

_LOOK_S = 1.0
_CHECKED_BYTES_MAX = 268_435_456  # about two seconds of a start; a larger file is not checked as a whole
LOG_BYTES_LONG = 67_108_864  # four times what a commit moves into the file


class FileKeeper:
    """`log_bytes_long` is the length of the log that is reported; again each time it has doubled since."""

    def __init__(
        self,
        path: Path,
        ports: Ports,
        reader: Reader,
        writer: Writer,
        watch: FileWatch,
        *,
        vfs: str | None,
        log_bytes_long: int = LOG_BYTES_LONG,
    ) -> None:
        self._path = path
        self._ports = ports
        self._reader = reader
        self._writer = writer
        self._watch = watch
        self._vfs = vfs
        self._long = log_bytes_long
        self._told = 0  # the length that was reported last; 0 while the log is short

    async def check_whole(self) -> None:
        """A log that was left behind may be another file's, and SQLite applies it all the same. Raises StoreCorrupt."""
        if self._path.stat().st_size > _CHECKED_BYTES_MAX:
            return

        def check(connection: apsw.Connection) -> str:
            return str(connection.execute("pragma quick_check(1)").get)

        found = await self._reader.patiently(check)
        if found != "ok":
            error = StoreCorrupt(
                f"{self._path} and the log beside it do not make a whole store, as when a backup is copied over the "
                "file while its old log stays; stop all nodes, and restore the backup with "
                f"`amends admin restore`, which removes the log ({found.splitlines()[-1]})"
            )
            self._watch.note(error)
            raise error

    async def failed(self) -> StoreError:
        """Looks for as long as all is well; the error once the file is damaged, replaced, or gone from its path."""
        while self._watch.broken is None:
            await self._ports.clock.sleep(_LOOK_S)
            await self.look()
        return self._watch.broken

    async def look(self) -> None:
        """Once. What is found is noted, and reported."""
        try:
            await self._reader.patiently(lambda connection: self._watch.look(connection, self._vfs))
            await self._keep_log_short()
        except StoreError as error:
            self._watch.note(error)

    async def _keep_log_short(self) -> None:
        size = log_bytes(self._path)
        if size > max(self._long, 2 * self._told - 1):
            self._told = size
            cure = "something reads an old state of it: end foreign programs that have the file open, e.g. by `fuser`"
            self._ports.report(StoreLogLong(size, cure))
        if not self._told:
            return
        try:
            await self._writer.cut_log()
        except StoreBusy:
            return  # still read; the next look tries again
        if log_bytes(self._path) <= self._long:
            self._ports.report(StoreLogShort(self._told))
            self._told = 0
