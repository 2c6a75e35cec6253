"""Seals tie the file and the log beside it together, so that a backup beside another file's log is recognised.

    label of the file, odd: sealed    2 ──last commit before the log is moved──▶ 3 ──the next commit──▶ 4 ──...──▶ 5

SQLite applies any log to any file. But what was moved into the file ends with a seal, and the log that begins after it
begins with the commit that breaks the seal. So the label that comes first in a log is that of its file, or one more: a
file with an older label was put there from elsewhere. One with a newer label than its log has, too.

The label is SQLite's `user_version`. A log that programs of other origin have begun may hold none, and is not judged.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import apsw

__all__ = ["Seal", "first_label", "label_in", "seal"]

_LOG_HEADER_BYTES = 32  # https://sqlite.org/fileformat2.html#the_write_ahead_log
_FRAME_HEADER_BYTES = 24
_LABEL = slice(60, 64)  # in the first page
_MAGIC = (0x377F0682, 0x377F0683)


def label_in(header: bytes) -> int:
    """The label in the first bytes of a file."""
    return int.from_bytes(header[_LABEL])


class Seal:
    """What the writer keeps of the log's length; one thread at a time."""

    def __init__(self, log_pages_max: int) -> None:
        self._max = log_pages_max
        self._pages = 0

    def watch(self, connection: apsw.Connection) -> None:
        """Have SQLite tell how long the log is, instead of moving it by itself."""
        connection.set_wal_hook(self._note)

    def stamp(self, connection: apsw.Connection) -> None:
        """The last act of a transaction: break a seal, or set one if the log is to be moved after this commit."""
        label = _label(connection)
        if label % 2 or self.is_due:
            _put(connection, label + 1)

    @property
    def is_due(self) -> bool:
        return self._pages >= self._max

    def move(self, connection: apsw.Connection) -> None:
        """Move the log into the file if it is long and sealed; what readers still need stays. Never fails."""
        if not self.is_due:
            return
        try:
            if _label(connection) % 2:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            pass  # the commit is safe in the log; the next one tries again, and says so if the disk is at fault

    def _note(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK


def seal(connection: apsw.Connection) -> None:
    """By a transaction of its own: what is in the log now may be moved as a whole. Raises apsw.Error."""
    connection.execute("begin immediate")
    try:
        label = _label(connection)
        if label % 2 == 0:
            _put(connection, label + 1)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def first_label(store: Path, *, is_sure: bool = False) -> int | None:
    """The label that comes first in the log beside a file; None if there is no log, or no label in it.

    A label that a power cut has left half written does not count. To be sure of that, all of the log before the label
    has to be read, which `is_sure` asks for.
    """
    try:
        # Nonblocking: opening a fifo would wait until another process opens its other end.
        descriptor = os.open(f"{store}-wal", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None  # whoever opens the store says so
        return _first_label(descriptor, _committed_bytes(descriptor) if is_sure else None)
    finally:
        os.close(descriptor)


def _first_label(log: int, end: int | None) -> int | None:
    header = os.pread(log, _LOG_HEADER_BYTES, 0)
    if len(header) < _LOG_HEADER_BYTES or int.from_bytes(header[:4]) not in _MAGIC:
        return None
    page_bytes, salts = int.from_bytes(header[8:12]), header[16:24]
    offset = _LOG_HEADER_BYTES
    while end is None or offset < end:
        frame = os.pread(log, _FRAME_HEADER_BYTES + _LABEL.stop, offset)
        if len(frame) < _FRAME_HEADER_BYTES + _LABEL.stop or frame[8:16] != salts:
            return None  # the end, or what is left of an older log
        if int.from_bytes(frame[:4]) == 1:
            return label_in(frame[_FRAME_HEADER_BYTES:])
        offset += _FRAME_HEADER_BYTES + page_bytes
    return None


def _committed_bytes(log: int) -> int:
    """How far SQLite takes a log for written: to the end of the last commit of which every checksum is right."""
    header = os.pread(log, _LOG_HEADER_BYTES, 0)
    if len(header) < _LOG_HEADER_BYTES or int.from_bytes(header[:4]) not in _MAGIC:
        return 0
    words = ">" if header[3] & 1 else "<"
    sums = _sums(header[:24], (0, 0), words)
    frame_bytes = _FRAME_HEADER_BYTES + int.from_bytes(header[8:12])
    offset, committed = _LOG_HEADER_BYTES, 0
    if sums != _stored(header[24:32]):
        return 0
    while True:
        frame = os.pread(log, frame_bytes, offset)
        if len(frame) < frame_bytes or frame[8:16] != header[16:24]:
            return committed
        sums = _sums(frame[_FRAME_HEADER_BYTES:], _sums(frame[:8], sums, words), words)
        if sums != _stored(frame[16:24]):
            return committed
        offset += frame_bytes
        if any(frame[4:8]):  # the size of the file after a commit
            committed = offset


def _sums(data: bytes, sums: tuple[int, int], words: str) -> tuple[int, int]:
    """See https://sqlite.org/fileformat2.html#checksum_algorithm."""
    one, two = sums
    for first, second in struct.iter_unpack(f"{words}II", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def _stored(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[:4]), int.from_bytes(data[4:8])


def _label(connection: apsw.Connection) -> int:
    return int(connection.execute("pragma user_version").get)


def _put(connection: apsw.Connection, label: int) -> None:
    connection.execute(f"pragma user_version = {label}")
