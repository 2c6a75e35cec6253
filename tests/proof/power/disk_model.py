"""A model of the files on a disk: what is durable, what is not yet, and what a power cut leaves of both.

    Disk ──write, truncate, sync, create, delete, sync_folder──▶ DiskModel ──one per file──▶ Content
    the power goes ──▶ DiskModel.remains(luck) ──▶ the bytes that the next life boots on

A file's bytes are durable when the file was synced after they were written. The creation or deletion of a file is
durable when its folder was synced. A sync of the file is not enough for that: POSIX promises no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.proof.power.write_fate import Luck, WriteFate

__all__ = ["PAGE_BYTES", "Content", "DiskModel"]

PAGE_BYTES = 4096
"""The size of the pages in which the system keeps files in memory and writes them."""


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Truncation:
    size: int


class Content:
    """The bytes of one file, whatever its name is, and the changes since they were last synced."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.pending: list[_Write | _Truncation] = []
        self.forgotten: dict[int, bytes] = {}  # Pages that readers see and no sync will write: see `fail_sync`.

    def write(self, offset: int, data: bytes) -> None:
        for page in range(offset // PAGE_BYTES, (offset + len(data) - 1) // PAGE_BYTES + 1):
            if page in self.forgotten:  # A page is written as a whole.
                self.pending.append(_Write(page * PAGE_BYTES, self.forgotten.pop(page)))
        self.pending.append(_Write(offset, data))

    def truncate(self, size: int) -> None:
        pages = self.forgotten.items()
        self.forgotten = {page: data[: size - page * PAGE_BYTES] for page, data in pages if page * PAGE_BYTES < size}
        self.pending.append(_Truncation(size))

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def fail_sync(self, luck: Luck) -> None:
        """Fail as Linux does: the bytes that did not get to the disk count as written from now on.

        Readers go on seeing them, and the next sync succeeds without them, unless their page is written again (Rebello
        et al., Can Applications Recover from fsync Failures?, 2020).
        """
        seen = self.whole()
        self.durable = bytearray(self.remains(luck))
        _resize(self.durable, len(seen))
        self.pending.clear()
        pages = {at // PAGE_BYTES: bytes(seen[at : at + PAGE_BYTES]) for at in range(0, len(seen), PAGE_BYTES)}
        self.forgotten = {page: data for page, data in pages.items() if data != self._page(page)}

    def _page(self, page: int) -> bytearray:
        return self.durable[page * PAGE_BYTES : (page + 1) * PAGE_BYTES]

    def whole(self) -> bytearray:
        """The content that a reader sees while there is power."""
        whole = self.durable[:]
        for page, data in self.forgotten.items():
            _put(whole, page * PAGE_BYTES, data)
        for change in self.pending:
            _apply(whole, change)
        return whole

    def remains(self, luck: Luck) -> bytes:
        """What a power cut leaves: each change since the last sync is kept, dropped, or torn, whatever the others are.

        The changes are applied in the order in which they were made. Another order would give no other results: where
        two changes overlap, it has the same effect as dropping the later one.
        """
        left = bytearray(self.durable)
        for change in self.pending:
            match change:
                case _Write():
                    self._leave(left, change, luck)
                case _Truncation(size) if luck.keeps_entry():
                    _resize(left, size)
        return bytes(left)

    def _leave(self, left: bytearray, write: _Write, luck: Luck) -> None:
        size = len(write.data)
        match luck.write_fate():
            case WriteFate.KEPT:
                _put(left, write.offset, write.data)
            case WriteFate.TORN:
                self._grow(left, write.offset + size, luck)
                for start, end in luck.parts(write.offset, size):
                    _put(left, write.offset + start, write.data[start:end])
            case WriteFate.DROPPED:
                if luck.keeps_entry():  # The new length got to the disk, the bytes did not.
                    self._grow(left, write.offset + size, luck)

    def _grow(self, left: bytearray, size: int, luck: Luck) -> None:
        if size > len(left):
            left += luck.unwritten(size - len(left), self.durable)


class DiskModel:
    """All files of one folder, by name. At first everything that the last life left is durable."""

    def __init__(self, image: Mapping[str, bytes]) -> None:
        self._durable = {name: Content(content) for name, content in image.items()}
        self._now = dict(self._durable)
        self._pending: list[tuple[str, Content | None]] = []

    def __contains__(self, name: str) -> bool:
        return name in self._now

    def content(self, name: str) -> Content:
        return self._now[name]

    def create(self, name: str) -> None:
        content = self._now[name] = Content()
        self._pending.append((name, content))

    def delete(self, name: str) -> None:
        if self._now.pop(name, None) is not None:
            self._pending.append((name, None))

    def sync_folder(self) -> None:
        self._durable = dict(self._now)
        self._pending.clear()

    def whole(self) -> dict[str, bytes]:
        """The content of each file that a reader sees while there is power."""
        return {name: bytes(content.whole()) for name, content in sorted(self._now.items())}

    def remains(self, luck: Luck) -> dict[str, bytes]:
        """What a power cut leaves of each file and of the folder. Each change since the last sync may be lost."""
        entries = dict(self._durable)
        for name, content in self._pending:
            if luck.keeps_entry():
                entries.pop(name, None)
                if content is not None:
                    entries[name] = content
        return {name: content.remains(luck) for name, content in sorted(entries.items())}


def _apply(content: bytearray, change: _Write | _Truncation) -> None:
    match change:
        case _Write(offset, data):
            _put(content, offset, data)
        case _Truncation(size):
            _resize(content, size)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))
