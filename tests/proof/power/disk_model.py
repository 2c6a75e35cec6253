"""What of some files is on the disk for good, what only looks as if it were, and what a power cut leaves of both.

    Disk ──write, truncate, sync, create, delete, sync_folder──▶ DiskModel ──one per file──▶ Content
    the power goes ──▶ DiskModel.remains(luck) ──▶ the bytes that the next life boots on

A file's bytes are durable when the file was synced after they were written. A file's being there, or being gone, is
durable when its folder was synced; syncing the file is not enough for that, which is the least that POSIX promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.proof.power.write_fate import Luck, WriteFate

__all__ = ["PAGE_BYTES", "Content", "DiskModel"]

PAGE_BYTES = 4096
"""In which the system keeps files in memory, and writes them."""


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Truncation:
    size: int


class Content:
    """The bytes of one file, whatever its name is, and what was done to them since they were last synced."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
        self.pending: list[_Write | _Truncation] = []
        self.forgotten: dict[int, bytes] = {}  # pages that readers see, and that no sync will write: see `fail_sync`

    def write(self, offset: int, data: bytes) -> None:
        for page in range(offset // PAGE_BYTES, (offset + len(data) - 1) // PAGE_BYTES + 1):
            if page in self.forgotten:  # a page is written as a whole
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
        """As Linux does when it can't write: what did not get to the disk is taken for written from now on.

        Readers go on seeing it, and the next sync succeeds without it, unless its page is written again (Rebello et
        al., Can Applications Recover from fsync Failures?, 2020).
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
        """As a reader sees it while there is power."""
        whole = self.durable[:]
        for page, data in self.forgotten.items():
            _put(whole, page * PAGE_BYTES, data)
        for change in self.pending:
            _apply(whole, change)
        return whole

    def remains(self, luck: Luck) -> bytes:
        """Each change since the last sync got through, or did not, or half; each for itself.

        They are applied in the order in which they were made. Any other order leaves nothing else: where two of them
        meet, the later one winning or not is the later one kept or dropped.
        """
        left = bytearray(self.durable)
        for change in self.pending:
            match change:
                case _Write():
                    self._leave(left, change, luck)
                case _Truncation(size) if luck.of_entry():
                    _resize(left, size)
        return bytes(left)

    def _leave(self, left: bytearray, write: _Write, luck: Luck) -> None:
        size = len(write.data)
        match luck.of_write():
            case WriteFate.KEPT:
                _put(left, write.offset, write.data)
            case WriteFate.TORN:
                self._grow(left, write.offset + size, luck)
                for start, end in luck.parts(write.offset, size):
                    _put(left, write.offset + start, write.data[start:end])
            case WriteFate.DROPPED:
                if luck.of_entry():  # the length is known to the folder, the bytes are not on the disk
                    self._grow(left, write.offset + size, luck)

    def _grow(self, left: bytearray, size: int, luck: Luck) -> None:
        if size > len(left):
            left += luck.unwritten(size - len(left), self.durable)


class DiskModel:
    """All files of one folder, by name. Durable in the beginning is what the last life left."""

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
        """Each file as a reader sees it while there is power."""
        return {name: bytes(content.whole()) for name, content in sorted(self._now.items())}

    def remains(self, luck: Luck) -> dict[str, bytes]:
        """What is left of each file, and of the folder: each change since its last sync got through or did not."""
        entries = dict(self._durable)
        for name, content in self._pending:
            if luck.of_entry():
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
