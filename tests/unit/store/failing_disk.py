"""A disk that fails on command: a SQLite VFS over the real one, for one store file and its log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["FailingDisk", "failing_disk"]

_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24


class FailingDisk(apsw.VFS):
    """Registered under `name` while it lives. What it shall do is in its fields, which a test sets."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.full = False  # nothing more fits into the log
        self.sync_fails = False  # what was written stays, but the disk reports an error when asked to flush it
        self.commit_write_fails = False  # the last frame of a commit can't be written
        self.failures = 0

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 -- SQLite's
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802 -- SQLite's
        if self._is_log:
            if self._disk.full:
                self._disk.failures += 1
                raise apsw.FullError("no space left (planned)")
            if self._disk.commit_write_fails and _is_commit_frame(bytes(data), offset):
                self._disk.failures += 1
                raise apsw.IOError("write failed (planned)")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's
        if self._is_log and self._disk.sync_fails:
            self._disk.failures += 1
            raise apsw.IOError("flush failed (planned)")
        super().xSync(flags)


def _is_commit_frame(data: bytes, offset: int) -> bool:
    """The header of a frame ends a transaction when it carries the size of the database (SQLite file format, 4.1)."""
    return offset >= _LOG_HEADER_BYTES and len(data) == _FRAME_HEADER_BYTES and data[4:8] != bytes(4)


@contextmanager
def failing_disk(name: str) -> Iterator[FailingDisk]:
    disk = FailingDisk(name)
    try:
        yield disk
    finally:
        disk.unregister()
