"""Connections to the file, and SQLite's errors in the words of the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from runtime.errors import StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from runtime.store.sqlite.lock import describe_writer

__all__ = ["CHECKPOINT_PAGES", "close", "connect", "connect_to_view", "log_bytes", "translate", "translated"]

_WRITER_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_VIEW_FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_CACHE_KIB = 16_384
_STATEMENTS_MAX = 300  # A prepared statement is dropped when as many others were used since. The writer has about 200.
CHECKPOINT_PAGES = 4_000  # of 4 KiB in the log, 16 MB, before a commit moves them into the file


def connect(
    path: Path,
    *,
    read_only: bool,
    busy_s: float,
    vfs: str | None = None,
    checkpoint_pages: int = CHECKPOINT_PAGES,
) -> apsw.Connection:
    """Open a connection. `busy_s` is how long one statement waits for a lock that another program holds."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else _WRITER_FLAGS
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs, statementcachesize=_STATEMENTS_MAX)
    connection.set_busy_timeout(int(busy_s * 1000))
    connection.execute(f"pragma cache_size = -{_CACHE_KIB}")
    connection.execute("pragma temp_store = memory")
    if not read_only:
        # A commit is on the disk before it is answered; NORMAL would lose acknowledged commits in a power cut.
        connection.execute("pragma synchronous = full")
        connection.wal_autocheckpoint(checkpoint_pages)
    return connection


def connect_to_view(path: Path, *, busy_s: float, vfs: str | None = None) -> apsw.Connection:
    """Open with no more than the right to read: neither the file, nor its folder, nor its log need be writable.

    SQLite reads a log through `-shm`, which it makes when it is missing. Where it may not, a file without a log is read
    as one that nobody changes, and one with a log from a copy of both.
    """
    try:
        connection = connect(path, read_only=True, busy_s=busy_s, vfs=vfs)
        connection.execute("select count(*) from sqlite_schema").get  # noqa: B018 -- the first read opens the log
        return connection
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError):
        pass
    if log_bytes(path) == 0:
        return apsw.Connection(f"{path.as_uri()}?immutable=1", flags=_VIEW_FLAGS, vfs=vfs)
    return _copied(path)


def _copied(path: Path) -> apsw.Connection:
    """A connection to a copy of the file and its log, which is gone when the connection is closed."""
    with TemporaryDirectory(prefix="amends-view-") as folder:
        copy = Path(folder, path.name)
        try:
            for ending in ("-wal", ""):
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        except OSError as error:
            raise StoreUnavailable(
                f"{path} has a log in a folder that cannot be written, and could not be copied to be read ({error}); "
                "make room in the folder for temporary files, or name another with TMPDIR"
            ) from error
        connection = connect(copy, read_only=False, busy_s=0)
        connection.execute("select count(*) from sqlite_schema").get  # noqa: B018 -- opens all, before the names go
        connection.execute("pragma query_only = on")
    return connection


def close(connection: apsw.Connection) -> None:
    """Close, whatever state it is in; an open transaction is rolled back by that."""
    try:
        connection.close(force=True)
    except apsw.Error:
        pass  # closing tidies the log up, which a failing disk refuses; the next connection does it


def log_bytes(path: Path) -> int:
    """How long the log beside the file is at present; 0 if there is none."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0


@contextmanager
def translated(path: Path, note: Callable[[StoreError], None] | None = None) -> Iterator[None]:
    """Turns SQLite's errors into the store's; `note` is shown each of them."""
    try:
        yield
    except apsw.Error as error:
        ours = translate(error, path)
        if note is not None:
            note(ours)
        raise ours from error


def translate(error: apsw.Error, path: Path) -> StoreError:
    """The store's error for one of SQLite's: names the file, the cause and the cure."""
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return StoreBusy(f"{path} is locked by {describe_writer(path)}; end it, or let it finish ({error})")
        case apsw.FullError():
            return StoreFull(f"the disk of {path} is full; free some space on it, nothing else is needed ({error})")
        case apsw.ReadOnlyError() | apsw.PermissionsError():
            return StoreReadOnly(f"{path} or its folder cannot be written; check owner, mode and mount ({error})")
        case apsw.NotADBError():
            cure = "name another file as the store, or stop all nodes and restore it from a backup"
            return StoreCorrupt(f"{path} is no database; {cure} ({error})")
        case apsw.CorruptError():
            return StoreCorrupt(f"{path} is damaged; stop all nodes and restore it from a backup ({error})")
        case apsw.CantOpenError():
            return StoreUnavailable(f"{path} cannot be opened; check the folder, its owner and mode ({error})")
        case apsw.SQLError() if "no such table" in str(error) or "no such column" in str(error):
            return StoreCorrupt(f"{path} lacks what a store has; stop all nodes and restore it from a backup ({error})")
        case _:
            return StoreUnavailable(f"{path} failed; see the disk and the system's log ({error!r})")
