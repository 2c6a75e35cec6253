"""Whether the file that is open is still the store that its path names, and whole; and how long its log has grown.

    reader's thread ──look──▶ path, header, log ──StoreReplaced, StoreCorrupt──▶ the node stops
    writer's thread ──check_commit──▶ after each transaction: what is committed lies where the path points

The header is read through SQLite itself: closing a descriptor of our own would drop the locks that every connection
of this process holds on the file (https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from pathlib import Path

import apsw

from runtime.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreReplaced,
    StoreUnavailable,
)
from runtime.store.sqlite.connection import close
from runtime.store.sqlite.index import LogIndex
from runtime.store.sqlite.links import check_links
from runtime.store.sqlite.schema import APPLICATION_ID
from runtime.store.sqlite.seals import first_label, label_in

__all__ = ["FileWatch", "let_go"]

_HEADER_BYTES = 100  # https://sqlite.org/fileformat2.html#the_database_header
_MAGIC = b"SQLite format 3\0"
_CURE = "stop all nodes of it, put the right file in place with `amends admin restore`, and start again"

_FOREIGN_LOG = (
    "{path} is older or newer than the log beside it knows, as when a backup is copied over the file while its old log "
    "stays; stop all nodes, and restore the backup with `amends admin restore`, which removes the log"
)

_CURE_OF_INDEX = (
    "nothing is lost: stop all nodes of it and start them again, by which it is made anew; no `restore` is needed. "
    "Find what writes there"
)

_Seen = tuple[int, int]  # device and inode


def let_go(connection: apsw.Connection, watch: FileWatch) -> None:
    """Close a connection. If its index was cut short it stays open until the process ends, since closing reads that."""
    with suppress(StoreError):
        watch.check_index()
    if watch.index_is_cut:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    else:
        close(connection)


class FileWatch:
    """Remembers what was opened and compares. Any thread may use it: what it keeps is written whole.

    `broken` is the first error that shows that this store must not be used any more; until then it is None.
    """

    def __init__(self, named: Path, path: Path) -> None:
        self.broken: StoreError | None = None
        self._named = named  # As the settings say; perhaps a symbolic link.
        self._path = path  # Where that name led when the file was opened.
        self._watched = (named, Path(f"{path}-lock"))
        self._seen: dict[Path, _Seen] = {}
        self._size = 0
        self._counter = 0
        self._marked = False
        self.index_is_cut = False
        self._log, self._index = Path(f"{path}-wal"), Path(f"{path}-shm")
        self._index_bytes = 0
        self._has_failed = False
        self._is_plain = False  # SQLite's own file system, so that what lies on the disk is what SQLite sees
        self._log_index = LogIndex(path)
        self._logs: dict[Path, _Seen] = {}  # The logs that the writing connection has open.
        self._missing = 0  # How many looks in a row have found the log unlinked.

    def begin(self, connection: apsw.Connection, vfs: str | None) -> None:
        """The file is open now. Raises StoreReplaced."""
        self._is_plain = vfs is None
        self._look_at_seals(connection, vfs)
        self._look_at_header(vfs)
        self._seen = {one: seen for one in self._watched if (seen := _seen(one)) is not None}

    def note(self, error: StoreError) -> None:
        """Any error of the store; what cannot mend itself is kept, and the rest makes `look` ask the disk."""
        if self.broken is None and isinstance(error, StoreCorrupt) and self._is_plain:
            # An index that was overwritten makes a whole store look damaged.
            error = StoreReplaced(self._foreign_index()) if LogIndex(self._path).is_foreign() else error
        if self.broken is None and isinstance(error, (StoreCorrupt, StoreReplaced)):
            self.broken = error
        self._has_failed |= not isinstance(error, (StoreBusy, StoreFull))

    def check_use(self) -> None:
        """Before a transaction: raises what has broken the store, or what would end the process. One system call."""
        if self.broken is not None:
            raise self.broken
        self.check_index()

    def check_name(self) -> _Seen | None:
        """Raises StoreReplaced when the path no longer names the open file. Three system calls; gives the index."""
        if self.broken is not None:
            raise self.broken
        index = self.check_index()
        for path, before in self._seen.items():
            if _seen(path) != before:
                self._fail(StoreReplaced(self._what_happened(path)))
        return index

    def check_commit(self) -> None:
        """After a commit: raises StoreReplaced unless it lies in the file that the path names, and in its own log."""
        self._check_logs(self.check_name())

    def _check_logs(self, index: _Seen | None) -> None:
        """Raises StoreReplaced when log or index are not those that the writing connection has open.

        On the writer's thread: while it is connected nobody removes them, for SQLite does that with the last one.
        """
        for path, now in ((self._log, _seen(self._log)), (self._index, index)):
            before = self._logs.get(path)
            if before is None and now is not None:
                self._logs[path] = now
            elif now != before:
                lost = "was removed or replaced while it is in use, and the newest commits may be lost"
                self._fail(StoreReplaced(f"{path} {lost}; {_CURE}"))

    def writer_has_come(self) -> None:
        """The writing connection is open: what lies there is its log."""
        self._check_logs(_seen(self._index))

    def writer_goes(self) -> None:
        """The writing connection is about to be closed: the next may have another log."""
        self._logs = {}

    def connected(self, connection: apsw.Connection) -> None:
        """A connection was made: by the first one of all, SQLite makes the index anew, and then it may be shorter."""
        connection.execute("select count(*) from sqlite_schema").get  # noqa: B018 -- the first read opens the log
        self._index_bytes = 0
        self.check_index()

    def check_index(self) -> _Seen | None:
        """Raises StoreReplaced when `-shm` was cut short: the system ends who reads behind its end. One call."""
        try:
            found = self._index.stat()
        except OSError:
            return None  # `look` finds what is gone
        size = found.st_size
        if self.index_is_cut or size < self._index_bytes:
            self.index_is_cut = True
            self._fail(StoreReplaced(f"{self._index} was cut short while it is in use; {_CURE_OF_INDEX}"))
        self._index_bytes = size
        return (found.st_dev, found.st_ino)

    def look(self, connection: apsw.Connection, vfs: str | None) -> None:
        """Everything that can be seen in little time. Raises StoreReplaced, StoreCorrupt."""
        self.check_name()
        if self._has_failed:
            self._look_at_disk()
        if self._is_plain and self._log_index.is_foreign():
            self._fail(StoreReplaced(self._foreign_index()))
        try:
            check_links(self._path)
        except StoreUnavailable as error:
            self._fail(StoreReplaced(str(error)))
        self._look_at_header(vfs)
        self._look_at_seals(connection, vfs)
        self._look_for_unlinked_logs()

    def check_log(self, vfs: str | None) -> None:
        """Before the file is opened: whether the log that lies there is its own. Raises StoreCorrupt."""
        first = first_label(self._path)
        if first is None or not self._path.exists():
            return
        size, header = _header(self._path, vfs)
        if not size or label_in(header) >= first - 1:
            return
        first = first_label(self._path, is_sure=True)  # it costs more to know than to guess
        if first is not None and label_in(header) < first - 1:
            self._fail(StoreCorrupt(_FOREIGN_LOG.format(path=self._path)))

    def _look_at_seals(self, connection: apsw.Connection, vfs: str | None) -> None:
        """The log may grow, and be moved into the file, while this looks: so the log's first label is read first."""
        self.check_log(vfs)
        size, header = _header(self._path, vfs)
        if size and label_in(header) > int(connection.execute("pragma user_version").get):
            self._fail(StoreReplaced(_FOREIGN_LOG.format(path=self._path)))

    def _look_at_header(self, vfs: str | None) -> None:
        size, header = _header(self._path, vfs)
        if size == 0 and self._size == 0:
            return  # everything is in the log as yet
        application = int.from_bytes(header[68:72])
        # Who made the file is in the log only, until that was moved into the file for the first time.
        unmarked = application == 0 and not self._marked
        if header[: len(_MAGIC)] != _MAGIC or (application != APPLICATION_ID and not unmarked):
            self._fail(StoreReplaced(f"{self._path} was overwritten with something that is no store; {_CURE}"))
        counter = int.from_bytes(header[24:28])
        if size < self._size or counter < self._counter:
            self._fail(
                StoreReplaced(
                    f"{self._path} was cut short, or overwritten with an older copy, while it is open, and its log no "
                    f"longer belongs to it; {_CURE}"
                )
            )
        self._size, self._counter, self._marked = size, counter, application == APPLICATION_ID

    def _look_at_disk(self) -> None:
        """Linux turns a disk that reports errors read-only, and it stays so; only an attempt to write tells it."""
        self._has_failed = False
        try:
            os.utime(f"{self._path}-lock")
        except OSError as error:
            if error.errno == errno.EROFS:
                self.broken = StoreReadOnly(
                    f"{self._path} is on a disk that was mounted read-only while it is in use, perhaps after errors of "
                    "the disk; see the system's log, mount it for writing, and start again"
                )
                raise self.broken from error

    def _look_for_unlinked_logs(self) -> None:
        gone = _unlinked(self._path)
        self._missing = self._missing + 1 if gone else 0
        if self._missing > 1:  # SQLite itself unlinks a log an instant before it closes it
            self._fail(
                StoreReplaced(f"{self._path}{gone} was removed while it is in use, and commits in it are lost; {_CURE}")
            )

    def _foreign_index(self) -> str:
        return (
            f"{self._index} was overwritten while it is in use, and no longer says what the log holds; stop all nodes "
            "of it and start them again, by which it is made anew and the store is checked, and `restore` a backup if "
            "that finds damage. Find what writes there"
        )

    def _what_happened(self, path: Path) -> str:
        if path != self._named:
            return f"{path} was removed or replaced while nodes take turns by it; {_CURE}"
        if _seen(path) is None:
            return f"{path} is gone: it was removed, renamed, or its folder was moved while it is open; {_CURE}"
        return f"{path} is another file than the one that is open: it was replaced while in use; {_CURE}"

    def _fail(self, error: StoreError) -> None:
        self.note(error)
        raise error


def _seen(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _header(path: Path, vfs: str | None) -> tuple[int, bytes]:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB
    file = apsw.VFSFile(vfs or "", str(path), [flags, 0])
    try:
        size = file.xFileSize()
        return size, file.xRead(_HEADER_BYTES, 0) if size >= _HEADER_BYTES else b""
    finally:
        file.xClose()


def _unlinked(path: Path) -> str:
    """The ending of a log of this store that this process holds open although nobody can find it; Linux only."""
    try:
        descriptors = list(Path("/proc/self/fd").iterdir())
    except OSError:
        return ""
    for descriptor in descriptors:
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        for ending in ("-wal", "-shm"):
            if target == f"{path}{ending} (deleted)":
                return ending
    return ""
