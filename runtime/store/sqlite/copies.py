"""Copies of a store: one made while nodes run, and one put in a store's place while none does.

    back_up   file + log ──SQLite's backup──▶ TO.*.part/ ──checked, flushed──▶ TO
    restore   FROM ──checked──▶ FILE.restoring, of a new identity ──▶ old file and log set aside ──▶ FILE

A copy that is put back is a store of its own: with a new cluster id, by which its nodes and those of the original
refuse each other. Were they one cluster, each would confirm to the other what only one of the two stores has.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from runtime.errors import StoreBusy, StoreCorrupt, StoreFull, StoreReadOnly, StoreUnavailable
from runtime.store.sqlite.connection import connect, connect_to_view, translated
from runtime.store.sqlite.links import check_links
from runtime.store.sqlite.lock import FileLock, users_of
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.schema import check_file, check_place, identify, new_secret
from runtime.store.sqlite.watch import FileWatch

__all__ = ["back_up", "restore"]

_BUSY_S = 10.0
_LOGS = ("-wal", "-shm", "-journal")
_ASIDE = (".restoring", ".replaced", ".replaced-wal")


def back_up(store: Path, to: Path) -> int:
    """Write a whole, checked copy of a store, live or not; gives its size in bytes. Raises StoreError."""
    check_file(store, create=False)
    check_links(Path(os.path.realpath(store)))
    with _files(to):
        _check_name(store, to)
    with _files(to), TemporaryDirectory(prefix=f"{to.name}.", suffix=".part", dir=to.parent) as folder:
        part = Path(
            folder, to.name
        )  # A folder of its own: of two backups to one name each is whole, and one is refused.
        _copy(store, part)
        shutil.copymode(store, part)  # A copy may be read by no more people than the store.
        _flush(part)
        _place(part, to)
        _flush(to.parent)
        return to.stat().st_size


def restore(store: Path, source: Path, new_id: Callable[[], bytes]) -> Path | None:
    """Put a copy in a store's place, as a store of its own; gives where the old one was set aside."""
    store = Path(os.path.realpath(store))
    if _is_missing(source):
        raise StoreUnavailable(f"there is no backup {source}; name the file that a backup was written to")
    check_file(source, create=False)
    check_place(store)
    if store.exists() and source.samefile(store):
        raise StoreUnavailable(f"{source} is the store itself; name the backup to restore")
    check_links(store)
    with _files(store), _nobody_else(store):
        part = Path(f"{store}.restoring")
        if part.exists() and source.samefile(part):
            raise StoreUnavailable(f"{source} is what a restore that was interrupted left; name the backup to restore")
        _remove(part)
        try:
            _copy(source, part)
            _renew(part, new_id)
            _share(part, store if store.exists() else source)
            _flush(part)
        except BaseException:
            _remove(part)  # If it stayed, it would look like an interrupted restore.
            raise
        with _held_back():
            aside = _set_aside(store)
            part.rename(store)
        _flush(store.parent)
    return aside


def _is_missing(path: Path) -> bool:
    """Whether a path is not there. A path that cannot even be looked at may be there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _check_name(store: Path, to: Path) -> None:
    """Raises StoreUnavailable unless `to` is a new file, with nothing beside it that SQLite would take for its log."""
    if os.path.lexists(to):
        raise StoreUnavailable(f"{to} is there already, and a backup replaces nothing; name a new file")
    own = os.path.realpath(store)
    if os.path.realpath(to) in {f"{own}{ending}" for ending in (*_LOGS, "-lock", *_ASIDE)}:
        raise StoreUnavailable(f"{to} is a name that the store keeps for itself; name the backup otherwise")
    for ending in _LOGS:
        if os.path.lexists(f"{to}{ending}"):
            raise StoreUnavailable(
                f"{to}{ending} is left of another file and would be taken for the backup's log; remove it, or name "
                "another file"
            )


def _copy(source: Path, target: Path) -> None:
    with translated(source):
        FileWatch(source, source).check_log(None)
    with translated(source), closing(connect_to_view(source, busy_s=_BUSY_S)) as original:
        identify(original, source, schema_steps())
        with closing(apsw.Connection(str(target))) as copy:
            with copy.backup("main", original, "main") as backup, _room(target):
                backup.step()  # all pages at one instant, whatever is written meanwhile
            found = str(copy.execute("pragma integrity_check(1)").get)
    if found != "ok":
        _remove(target)
        raise StoreCorrupt(f"{source} is damaged ({found}); restore an older backup")
    _remove_logs(target)


@contextmanager
def _room(target: Path) -> Iterator[None]:
    """A full disk here is the disk of the copy, not that of the store."""
    try:
        yield
    except apsw.FullError as error:
        folder = target.parent.parent if target.parent.suffix == ".part" else target.parent
        raise StoreFull(f"there is no room for the copy in {folder}; free some, or copy to another disk") from error


def _share(part: Path, like: Path) -> None:
    """Whoever may use the one may use the other: nodes seldom run as the operator who restores."""
    seen = like.stat()
    with suppress(PermissionError):  # only root may give files away
        os.chown(part, seen.st_uid, seen.st_gid)
    part.chmod(seen.st_mode & 0o777)


def _place(part: Path, to: Path) -> None:
    """Give the finished copy its name, which nothing else may have got meanwhile."""
    try:
        os.link(part, to)
    except FileExistsError as error:
        raise StoreUnavailable(f"{to} was made meanwhile, and a backup replaces nothing; name a new file") from error
    except OSError:  # a file system without hard links
        part.rename(to)


def _renew(path: Path, new_id: Callable[[], bytes]) -> None:
    """A new identity, and no members: those of the original are not its own."""
    with translated(path), closing(connect(path, read_only=False, busy_s=0)) as connection:
        with connection:
            connection.execute("update meta set value = ? where name = 'cluster_id'", (new_id().hex(),))
            connection.execute("insert or replace into meta values ('cluster_secret', ?)", (new_secret(new_id),))
            connection.execute("delete from nodes")
            connection.execute("delete from meta where name like 'busy/%'")
            connection.execute("update shards set owner = '', epoch = epoch + 1")
        connection.execute("pragma wal_checkpoint(truncate)")
    _remove_logs(path)


def _set_aside(store: Path) -> Path | None:
    """Move the old file with its log away, the log first: a log of another file must never lie beside the new one."""
    aside = Path(f"{store}.replaced")
    if not store.exists():
        return aside if aside.exists() else None
    if aside.exists():  # else its log, if there is one, is of a restore that was interrupted here
        _remove(aside)
    Path(f"{store}-shm").unlink(missing_ok=True)
    for ending in ("-wal", ""):
        old = Path(f"{store}{ending}")
        if old.exists():
            old.rename(f"{aside}{ending}")
    return aside if aside.exists() else None


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait until this is through: between two renamings the store is away."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def _nobody_else(store: Path) -> Iterator[None]:
    """Nobody has the store open, and whoever would open it now waits."""
    lock = FileLock(store)
    users = users_of(store)
    if not users and not lock.acquire_at_once():
        raise StoreBusy(f"{lock.holder} holds the lock of {store}; stop all nodes of it first, nothing was changed")
    try:
        users = users or users_of(store)
        if users:
            who = ", ".join(str(pid) for pid in users)
            raise StoreBusy(f"{store} is in use by process {who}; stop all nodes of it first, nothing was changed")
        yield
    finally:
        lock.close()


@contextmanager
def _files(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            text = f"{path} or its folder cannot be written; check owner, mode and mount ({error})"
            raise StoreReadOnly(text) from error
        raise StoreUnavailable(f"{path} could not be written; check the folder and its room ({error})") from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _remove_logs(path)


def _remove_logs(path: Path) -> None:
    for ending in _LOGS:
        Path(f"{path}{ending}").unlink(missing_ok=True)
