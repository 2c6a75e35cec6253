"""Whether the index of the log, `-shm`, still says what the log holds: which page lies in which of its frames.

SQLite trusts the index and guards only its header. Where the rest is overwritten, SQLite reads old pages as if they
were new, and writes to them. We read the index in the memory that SQLite has mapped: closing a descriptor of our own
would drop the locks that every connection of this process holds on the file. See https://sqlite.org/walformat.html#the_wal_index_file_format.
"""

from __future__ import annotations

import os
import stat
from array import array
from pathlib import Path

__all__ = ["LogIndex"]

_MAPS = Path("/proc/self/maps")  # Linux; elsewhere nothing is found
_MEMORY = Path("/proc/self/mem")
_BLOCK_BYTES = 32_768  # page numbers, then the hash table that finds them
_HASH_AT = 16_384
_HEAD_BYTES = 136  # of the first block
_COPY_BYTES = 48  # of the header, which is there twice
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_FRAMES_AT_ONCE = 64  # a quarter of a megabyte, with pages of 4 KiB


class LogIndex:
    """Compares the index with the log. What was read of the log is kept, since no frame of it changes. One thread."""

    def __init__(self, path: Path) -> None:
        self._log, self._index = f"{path}-wal", f"{path}-shm"
        self._salts = b""
        self._pages = array("I")  # by frame

    def is_foreign(self) -> bool:
        """Compared twice, since others may write during the first comparison."""
        return self._differs() and self._differs()

    def _differs(self) -> bool:
        memory = _mapped(self._index)
        head = memory[:_COPY_BYTES]
        if len(memory) < _BLOCK_BYTES or head != memory[_COPY_BYTES : 2 * _COPY_BYTES] or not head[12]:
            return False  # there is none, or it is being written; and a header that is wrong SQLite mends itself
        salts, frames = head[32:40], array("I", head[16:20])[0]
        if not self._read_log(salts, frames, array("H", head[14:16])[0] or 65_536):
            return False
        blocks = [memory[at : at + _BLOCK_BYTES] for at in range(0, len(memory), _BLOCK_BYTES)]
        differs, first = False, 0
        for block, at in zip(blocks, [_HEAD_BYTES, *[0] * len(blocks)], strict=False):
            count = min(frames - first, (_HASH_AT - at) // 4)
            numbers = self._pages[first : first + count].tobytes()
            found = set(array("H", block[_HASH_AT:]))
            differs |= block[at : at + 4 * count] != numbers or not found.issuperset(range(1, count + 1))
            first += count
        return differs and _mapped(self._index)[32:40] == salts  # else the log was begun anew meanwhile

    def _read_log(self, salts: bytes, frames: int, page_bytes: int) -> bool:
        """Read what is new of the log; whether all of it could be read."""
        if salts != self._salts:
            self._salts, self._pages = salts, array("I")
        try:
            log = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            if not stat.S_ISREG(os.fstat(log).st_mode):
                return False
            self._read_frames(log, salts, frames, _FRAME_HEADER_BYTES + page_bytes)
        finally:
            os.close(log)
        return len(self._pages) == frames

    def _read_frames(self, log: int, salts: bytes, frames: int, frame_bytes: int) -> None:
        """Read on, up to the first frame that is none of this log. Many frames are one call.

        Each call gives the interpreter's lock away and has to win it back from the event loop. That costs more than to
        read the pages as well, which stand between what is wanted.
        """
        buffer = memoryview(b"")
        while (count := min(frames - len(self._pages), _FRAMES_AT_ONCE)) > 0:
            buffer = buffer or memoryview(bytearray(count * frame_bytes))
            end = os.preadv(log, [buffer[: count * frame_bytes]], _LOG_HEADER_BYTES + len(self._pages) * frame_bytes)
            for at in range(0, count * frame_bytes, frame_bytes):
                if at + _FRAME_HEADER_BYTES > end or buffer[at + 8 : at + 16] != salts:
                    return
                self._pages.append(int.from_bytes(buffer[at : at + 4]))


def _mapped(path: str) -> bytes:
    """What this process has in memory of a file; empty if it has nothing of it."""
    parts: dict[int, bytes] = {}
    try:
        lines = [line for line in _MAPS.read_text(encoding="utf-8", errors="replace").splitlines() if path in line]
        with _MEMORY.open("rb", buffering=0) as memory:
            for line in lines:
                span, _, offset, _, _, name = line.split(maxsplit=5)
                if name == path:
                    begin, end = (int(one, 16) for one in span.split("-"))
                    memory.seek(begin)
                    parts[int(offset, 16)] = memory.read(end - begin)
    except OSError:
        return b""
    whole = b""
    for at in sorted(parts):
        if at == len(whole):
            whole += parts[at]
    return whole
