"""The lock beside the file, `<file>-lock`, by which local nodes take turns at writing; and who holds a lock.

SQLite lets writers wait by asking again after a pause, which starves some of them (measured: 40 to 1 between two
processes). A process that blocks in flock is woken as soon as the lock is free; but who has just released it may take
it again before the woken one runs. So vital work (a lease) announces that it waits, and all else gives way:

    vital     announce ▸ acquire ▸ withdraw ▸ work ▸ release
    the rest  give_way (while another process has announced) ▸ acquire ▸ work ▸ release

By that vital work waits for one turn of each other process at the most. The announcement is a lock, too, on a byte of
the same file: it ends with its process, and asking for it takes nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runtime.errors import StoreBusy, StoreReadOnly, StoreUnavailable

__all__ = ["FileLock", "describe_writer", "users_of"]

_LOCKS = Path("/proc/locks")  # Linux; elsewhere holders stay unnamed
_GIVE_WAY_S = 1.0  # whoever still waits after that is frozen, and is no longer given way to
_ASK_AGAIN_S = 0.001
_BYTE_LOCK = "hhqqi4x"  # struct flock: kind, whence, first byte, how many (0: all to the end), process
_HAS_BYTE_LOCKS = hasattr(fcntl, "F_OFD_SETLK")  # Linux; elsewhere nobody announces, and nobody gives way
_WRITE_BYTE = 120  # of `<file>-shm`: locked by SQLite while a connection writes


class FileLock:
    """An exclusive lock between processes and between stores of one process.

    One thread at a time may use it; only `announce` may be called by another one.
    """

    def __init__(self, store_path: Path) -> None:
        self._store_path = store_path
        self._path = Path(f"{store_path}-lock")
        self._descriptor = -1
        self._has_announced = False
        self._pauses = 0  # since somebody was first seen to have announced vital work

    def announce(self) -> None:
        """Vital work waits for the lock: from now on the others give way. Never waits itself."""
        self._put(fcntl.F_RDLCK)
        self._has_announced = True

    def withdraw(self) -> None:
        if self._has_announced:
            self._has_announced = False
            self._put(fcntl.F_UNLCK)

    def give_way(self, wait: Callable[[float], bool]) -> None:
        """Wait while vital work of others does, for a second at the most; `wait` pauses and says to wait no longer.

        What was waited before `wait` broke in counts: a node renews its lease more often than once a second. When the
        second has passed, this lock gives way to nobody until the one that announced itself has gone.
        """
        while self._is_announced():
            if self._pauses * _ASK_AGAIN_S >= _GIVE_WAY_S:
                return
            self._pauses += 1
            if wait(_ASK_AGAIN_S):
                return
        self._pauses = 0

    def _put(self, kind: int) -> None:
        if self._descriptor >= 0 and _HAS_BYTE_LOCKS:
            with suppress(OSError):  # a kernel or file system without such locks: then nobody gives way
                fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, struct.pack(_BYTE_LOCK, kind, os.SEEK_SET, 0, 1, 0))

    def _is_announced(self) -> bool:
        """By others; what we have announced ourselves does not count."""
        if self._descriptor < 0 or not _HAS_BYTE_LOCKS:
            return False
        asked = struct.pack(_BYTE_LOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
        try:
            found = fcntl.fcntl(self._descriptor, fcntl.F_OFD_GETLK, asked)
        except OSError:
            return False
        return bool(struct.unpack(_BYTE_LOCK, found)[0] != fcntl.F_UNLCK)

    def acquire(self) -> None:
        """Wait until the lock is ours, however long. Raises StoreReadOnly, StoreUnavailable."""
        self._acquire(fcntl.LOCK_EX)

    def _acquire(self, how: int) -> bool:
        try:
            if self._descriptor < 0:
                self._descriptor = self._opened()
            fcntl.flock(self._descriptor, how)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise StoreReadOnly(
                    f"{self._path} cannot be written; check owner, mode and mount of it and its folder"
                ) from error
            raise StoreUnavailable(
                f"{self._path} cannot be locked; keep the store on a local disk ({error})"
            ) from error
        return True

    def _opened(self) -> int:
        how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            made = os.open(self._path, how | os.O_EXCL, 0o666)
        except FileExistsError:
            return os.open(self._path, how, 0o666)
        with suppress(OSError):  # no store as yet, or it is another's: the lock is as any new file
            self._share(made)
        return made

    def _share(self, made: int) -> None:
        """Whoever may write the store may lock it, also if root was the first to."""
        seen = self._store_path.stat()
        os.fchmod(made, seen.st_mode & 0o666 | 0o600)
        if os.geteuid() == 0:
            os.fchown(made, seen.st_uid, seen.st_gid)

    def acquire_at_once(self) -> bool:
        """Take the lock if it is free; whether it is ours. Raises StoreReadOnly, StoreUnavailable."""
        return self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def holder(self) -> str:
        """Who has the lock, for an error message."""
        return _name(_holder(self._path, "FLOCK"))

    def busy(self, waited_s: float) -> StoreBusy:
        """The error for those who waited too long; names the holder."""
        return StoreBusy(
            f"{self._store_path} is held by {self.holder} for more than {waited_s:g} s; nothing was written. "
            "If that process is frozen, continue or end it"
        )


def describe_writer(store_path: Path) -> str:
    """Who holds SQLite's own lock to write, for an error message."""
    return _name(_holder(Path(f"{store_path}-shm"), "POSIX") or _holder(store_path, "POSIX"))


def users_of(store_path: Path) -> list[int]:
    """The processes that have the store open, by the locks that SQLite keeps on it; Linux only, else none."""
    users: set[int] = set()
    for path in (store_path, Path(f"{store_path}-shm")):
        users |= {pid for pid, _ in _locks(path, "POSIX")}
    return sorted(users)


def _name(pid: int) -> str:
    if not pid:
        return "another process"
    return "another store of this process" if pid == os.getpid() else f"process {pid}"


def _holder(path: Path, kind: str) -> int:
    """The process that holds an exclusive lock on a file, by the kernel's table; 0 when it can't be told."""
    for pid, (how, start, end) in _locks(path, kind):
        if how == "WRITE" and (kind == "FLOCK" or not path.name.endswith("-shm") or _covers(start, end)):
            return pid
    return 0


def _locks(path: Path, kind: str) -> list[tuple[int, tuple[str, str, str]]]:
    """Who holds which locks on a file: the process, and how, from which byte, to which."""
    try:
        inode = str(path.stat().st_ino)
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; one that waits has "->" behind the number
    rows = [fields for line in lines if (fields := line.split())[1:2] == [kind]]
    return [(int(row[4]), (row[3], row[6], row[7])) for row in rows if row[5].rpartition(":")[2] == inode]


def _covers(start: str, end: str) -> bool:
    return int(start) <= _WRITE_BYTE and (end == "EOF" or int(end) >= _WRITE_BYTE)
