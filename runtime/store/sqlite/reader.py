"""Connections that only read: one for the event loop, one for a thread.

A row by its key takes some 10 us, a hop to a thread and back ten times that: so a few rows are read right on the loop,
without suspending. Whatever may take long, or has to wait for a lock, goes to the thread.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from runtime.ports import Ports
from runtime.store.sqlite.connection import connect, connect_to_view, translated
from runtime.store.sqlite.watch import FileWatch, let_go
from runtime.store.sqlite.worker import Worker

__all__ = ["Reader"]

T = TypeVar("T")

Read = Callable[[apsw.Connection], T]


class Reader:
    """Runs reads. A read is one statement, or independent ones: there is no transaction around them."""

    def __init__(
        self,
        path: Path,
        ports: Ports,
        *,
        wait_s: float,
        vfs: str | None = None,
        watch: FileWatch | None = None,
        view: bool = False,
        of: str = "reader",
    ) -> None:
        self._path = path
        self._wait_s = wait_s
        self._vfs = vfs
        self._view = view
        self._watch = watch or FileWatch(path, path)
        self._worker = Worker(f"{path.name} {of}", ports.clock, wait_s=wait_s)
        self._near: apsw.Connection | None = None  # used by the loop only
        self._far: apsw.Connection | None = None  # used by the thread only

    def open(self) -> None:
        self._worker.start()

    async def soon(self, read: Read[T]) -> T:
        """For a few rows: on the loop, at once; on the thread only when a lock is in the way."""
        if self._view:
            return await self.patiently(read)
        try:
            return self._read_near(read)
        except apsw.BusyError:
            return await self.patiently(read)

    async def patiently(self, read: Read[T]) -> T:
        """For many rows: on the thread."""
        return await self._worker.run(lambda: self._read_far(read))

    async def close(self) -> None:
        if self._near is not None:
            let_go(self._near, self._watch)
            self._near = None
        await self._worker.stop(self._drop_far)

    def _read_near(self, read: Read[T]) -> T:
        try:
            self._watch.check_index()
            if self._near is None:
                self._near = connect(self._path, read_only=True, busy_s=0, vfs=self._vfs)
                self._watch.connected(self._near)
            return read(self._near)
        except apsw.BusyError:
            raise
        except apsw.Error:
            with translated(self._path, self._watch.note):
                if self._near is not None:
                    let_go(self._near, self._watch)
                    self._near = None
                raise

    def _read_far(self, read: Read[T]) -> T:
        with translated(self._path, self._watch.note):
            try:
                self._watch.check_index()
                if self._far is None:
                    self._far = self._connect_far()
                    self._watch.connected(self._far)
                return read(self._far)
            except apsw.Error:
                self._drop_far()
                raise

    def _connect_far(self) -> apsw.Connection:
        if self._view:
            return connect_to_view(self._path, busy_s=self._wait_s, vfs=self._vfs)
        return connect(self._path, read_only=True, busy_s=self._wait_s, vfs=self._vfs)

    def _drop_far(self) -> None:
        if self._far is not None:
            let_go(self._far, self._watch)
            self._far = None
