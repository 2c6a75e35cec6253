"""A disk whose power fails: a SQLite VFS over the real one, for the files of one life of a store.

    SQLite ──xWrite, xSync, ...──▶ Disk ──▶ DiskModel     what would be left
                                        ──▶ real files  what reads see, while there is power

Everything is written through to real files, so that reads, locks and the shared memory of the log work as always. The
model decides what a power cut leaves. The operation at which the power fails is left half done, and the remains of all
files are drawn. From then on every operation is refused, since the process that used this disk is dead.

The model grants what SQLite takes as given (sqlite.org/atomiccommit.html, sqlite.org/psow.html): bytes beside the
written ones do not change, synced bytes stay, and a sector is written from one end to the other.
The folder is synced when SQLite's own VFS for Unix does that: with the first sync of a log or journal that was opened
to be created, and with a deletion that asks for it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import apsw

from runtime.testing.virtual.dice import Dice
from tests.proof.power.disk_model import Content, DiskModel
from tests.proof.power.write_fate import Luck, WriteFate

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["ANY", "Aim", "Disk", "FlushFaults"]

_T = TypeVar("_T")

ANY = "any operation"
"""The kind of an aim that takes every operation."""
_PARTS = {
    apsw.SQLITE_OPEN_MAIN_DB: "file",
    apsw.SQLITE_OPEN_WAL: "log",
    apsw.SQLITE_OPEN_MAIN_JOURNAL: "journal",
}
_DONE = 0.3  # How often the operation at which the power fails is done, and only its answer is lost.


@dataclass(frozen=True, slots=True)
class Aim:
    """When the power fails: at the `nth` operation of a kind, counted from when the aim is taken."""

    kind: str = ANY
    nth: int = 1


@dataclass(frozen=True, slots=True)
class FlushFaults:
    """How often a flush reports an error, by part: file, log, journal.

    A flush that `fails` has done nothing, and the next one tries again. After one that `forgets`, its bytes count as
    written although they are not, as on Linux (see `Content.fail_sync`).
    """

    fails: Mapping[str, float] = field(default_factory=dict)
    forgets: Mapping[str, float] = field(default_factory=dict)


class Disk(apsw.VFS):
    """It is registered under `name` until `clean_up`. Set an `aim`, or `cut` the power at once."""

    def __init__(self, name: str, folder: Path, image: Mapping[str, bytes], dice: Dice) -> None:
        super().__init__(name, "")
        self.name = name
        self.folder = folder
        self.has_power = True
        self.remains: dict[str, bytes] = {}  # After its end, each file's bytes by name.
        self.was_cut = False
        self.went_at = ""  # The operation at which the power failed.
        self.done: Counter[str] = Counter()  # How many operations of each kind were done.
        self.flush_faults = FlushFaults()
        self.fates: Counter[WriteFate] = Counter()
        self._dice = dice
        self._guard = threading.RLock()  # replay: the real store has threads, and is not replayed
        self._aim: Aim | None = None
        self._seen = 0  # How many operations of the aim's kind have come.
        self._model = DiskModel(image)
        for file, content in image.items():
            (folder / file).write_bytes(content)

    # --- for the harness ---

    def aim(self, aim: Aim) -> None:
        """Set the aim, in place of an earlier one."""
        with self._guard:
            self._aim, self._seen = aim, 0

    def cut(self, went_at: str = "no operation") -> None:
        """Cut the power."""
        with self._guard:
            if self.has_power:
                self.has_power = False
                self.was_cut = True
                self.went_at = went_at
                self.remains = self.remaining(self._model)

    def retire(self) -> None:
        """End the process without a power cut: everything remains, synced or not."""
        with self._guard:
            if self.has_power:
                self.has_power = False
                self.remains = self._model.whole()

    def clean_up(self) -> None:
        """Unregister the disk. No connection may be left."""
        self.unregister()

    def remaining(self, model: DiskModel) -> dict[str, bytes]:
        """What a power cut leaves. Tests plant a worse disk by overriding this method."""
        luck = Luck(self._dice)
        remains = model.remains(luck)
        self.fates = luck.seen
        return remains

    # --- for SQLite ---

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 -- SQLite's
        part = next((what for flag, what in _PARTS.items() if flags[0] & flag), "")
        if not part or name is None:
            return apsw.VFSFile("", name, flags)  # A temporary file: nothing of it survives a power cut.
        file = Path(name if isinstance(name, str) else name.filename()).name
        with self._guard:
            self.check()
            if file not in self._model and flags[0] & apsw.SQLITE_OPEN_CREATE:
                self._operate(f"create {part}", lambda: self._model.create(file))
            return _SimulatedFile(self, name, flags, part, file)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 -- SQLite's
        model, file = self._model, Path(filename).name
        with self._guard:
            self.check()
            if file in model:
                self._operate("delete", lambda: model.delete(file), model.sync_folder if syncdir else None)
            super().xDelete(filename, syncdir)

    # --- for its files ---

    def write(self, part: str, content: Content, offset: int, data: bytes, pass_on: Callable[[], None]) -> None:
        with self._guard:
            self._operate(f"write {part}", lambda: content.write(offset, data))
            pass_on()

    def truncate(self, part: str, content: Content, size: int, pass_on: Callable[[], None]) -> None:
        with self._guard:
            self._operate(f"truncate {part}", lambda: content.truncate(size))
            pass_on()

    def sync(self, part: str, content: Content, *, with_folder: bool) -> None:
        """Sync the model alone. The real disk need not be synced, since only the model counts."""

        def flush() -> None:
            content.sync()
            if with_folder:
                self._model.sync_folder()

        with self._guard:
            self.check()
            self._fail_flush(part, content)
            self._operate(f"sync {part}", None, flush)

    def _fail_flush(self, part: str, content: Content) -> None:
        """Raises if this flush is drawn to fail."""
        if self._dice.chance(self.flush_faults.forgets.get(part, 0.0)):
            content.fail_sync(Luck(self._dice))
            self.done["flush failed and forgot"] += 1
        elif self._dice.chance(self.flush_faults.fails.get(part, 0.0)):
            self.done["flush failed"] += 1
        else:
            return
        raise apsw.IOError("flush failed (planned)")

    def content(self, file: str) -> Content:
        return self._model.content(file)

    def check(self) -> None:
        """Raises if there is no power."""
        if not self.has_power:
            raise apsw.IOError("the power is gone (planned)")

    def _operate(self, kind: str, begin: Callable[[], None] | None, end: Callable[[], None] | None = None) -> None:
        """Do one operation to the model: `begin` leaves it under way, `end` makes it durable."""
        self.check()
        self.done[kind] += 1
        if begin is not None:
            begin()
        if self._is_met(kind):
            if end is not None and self._dice.chance(_DONE):
                end()
            self.cut(kind)
            self.check()
        if end is not None:
            end()

    def _is_met(self, kind: str) -> bool:
        if self._aim is None or self._aim.kind not in (kind, ANY):
            return False
        self._seen += 1
        return self._seen >= self._aim.nth


class _SimulatedFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename, flags: list[int], part: str, file: str) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._part = part
        self._content = disk.content(file)
        self._folder_is_next = part in ("log", "journal") and bool(flags[0] & apsw.SQLITE_OPEN_CREATE)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 -- SQLite's
        self._disk.check()
        return super().xRead(amount, offset)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802 -- SQLite's
        super_write = super().xWrite
        self._disk.write(self._part, self._content, offset, bytes(data), lambda: super_write(data, offset))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 -- SQLite's
        super_truncate = super().xTruncate
        self._disk.truncate(self._part, self._content, newsize, lambda: super_truncate(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's
        self._disk.sync(self._part, self._content, with_folder=self._folder_is_next)
        self._folder_is_next = False
