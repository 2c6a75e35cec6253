"""Makes the tables in an empty file, brings older ones up to date, and refuses what is not ours.

The file is ours if its application_id says so. Its version is the number of steps it has been through; each step runs
in one transaction with the new number, under the file lock, so that nodes that start at once make one schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from runtime.errors import StoreCorrupt, StoreReadOnly, StoreTooNew, StoreUnavailable
from runtime.store.marks import Marks, check_whole_copy

__all__ = ["APPLICATION_ID", "check_file", "check_place", "identify", "new_secret", "prepare"]

APPLICATION_ID = 0x416D6E64  # "Amnd"
_BESIDE = ("-wal", "-shm", "-lock")
_EMPTY = "{path} is empty; start a node with it first, or correct its name"
_LACKS = "{path} lacks what a store has ({what}); stop all nodes and restore it from a backup"
_COLUMNS = "select tables.name, columns.name from sqlite_schema tables, pragma_table_info(tables.name) columns"


def check_file(path: Path, *, create: bool) -> None:
    """Look before opening, since opening makes a file. Raises StoreUnavailable.

    Never reads the file: closing it would drop the locks that other connections of this process hold on it.
    """
    check_place(path)
    with _seen(path):
        if _half_restored(path):
            raise StoreUnavailable(
                f"a restore of {path} was interrupted half way; do it again with `amends admin restore`"
            )
        if not create and not path.exists():
            raise StoreUnavailable(f"there is no store {path}; start a node with it first, or correct its name")


def check_place(path: Path) -> None:
    """Raises StoreUnavailable when the path is something else than a file, or its folder is missing or closed to us.

    SQLite itself would wait for ever for the other end of a fifo.
    """
    with _seen(path):
        if not path.parent.is_dir():
            raise StoreUnavailable(f"the folder {path.parent} of the store {path.name} does not exist; make it first")
        for one in (path, *(Path(f"{path}{ending}") for ending in _BESIDE)):
            if one.exists() and not one.is_file():
                cure = "name a file as the store" if one is path else "move it away, for the store has one of that name"
                raise StoreUnavailable(f"{one} is a {_kind(one)}, not a file; {cure}")


def _kind(path: Path) -> str:
    return "folder" if path.is_dir() else "fifo" if path.is_fifo() else "socket" if path.is_socket() else "device"


@contextmanager
def _seen(path: Path) -> Iterator[None]:
    """A file that cannot even be looked at: no right to enter its folder, a name that is too long."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be looked at; check its name, and owner and mode of the folders it is in ({error.strerror})"
        ) from error


def _half_restored(path: Path) -> bool:
    """Whether the old file has lost its log to the set-aside name, or is away itself and the new one not yet here."""
    if not path.exists():
        return Path(f"{path}.restoring").exists()
    return Path(f"{path}.replaced-wal").exists() and not Path(f"{path}.replaced").exists()


def identify(connection: apsw.Connection, path: Path, steps: Sequence[str]) -> Marks:
    """The marks, without writing. Raises StoreCorrupt, StoreTooNew, StoreUnavailable."""
    version = _version(connection, path)
    if version == 0:
        raise StoreUnavailable(_EMPTY.format(path=path))
    _check_version(version, path, steps)
    if version < len(steps):
        raise StoreUnavailable(f"{path} was written by an older version of Amends; start a node with it first")
    _check_whole(connection, path, steps)
    return _marks(connection, path)


def prepare(
    connection: apsw.Connection, path: Path, steps: Sequence[str], new_id: Callable[[], bytes], *, create: bool
) -> Marks:
    """Bring the schema up to date; gives the marks. Raises StoreCorrupt, StoreTooNew, StoreUnavailable."""
    version = _version(connection, path)
    if connection.readonly("main"):
        raise StoreReadOnly(f"{path} cannot be written; check owner, mode and mount of it and its folder")
    if version == 0 and not create:
        raise StoreUnavailable(_EMPTY.format(path=path))
    _check_version(version, path, steps)
    if connection.execute("pragma journal_mode = wal").get != "wal":
        raise StoreUnavailable(f"{path} cannot use a write-ahead log; keep the store on a local disk")
    for number, step in enumerate(steps[version:], start=version + 1):
        _migrate(connection, step, number, new_id)
    _check_whole(connection, path, steps)
    if not _marks(connection, path).secret:  # written before there was one
        connection.execute("insert or ignore into meta values ('cluster_secret', ?)", (new_secret(new_id),))
    return _marks(connection, path)


def new_secret(new_id: Callable[[], bytes]) -> str:
    """What the nodes of one store prove to each other that they know."""
    return (new_id() + new_id()).hex()


def _check_version(version: int, path: Path, steps: Sequence[str]) -> None:
    if version > len(steps):
        raise StoreTooNew(
            f"{path} was written by a newer version of Amends (schema {version}, this one knows {len(steps)}); "
            "upgrade this node"
        )


def _check_whole(connection: apsw.Connection, path: Path, steps: Sequence[str]) -> None:
    """Every table and column is there: a file that lacks one is no store, though all that it has is undamaged."""
    with closing(apsw.Connection(":memory:")) as model:
        for step in steps:
            model.execute(step)
        wanted = set(model.execute(_COLUMNS))
    for table, column in sorted(wanted.difference(connection.execute(_COLUMNS))):
        raise StoreCorrupt(_LACKS.format(path=path, what=f"{column} of {table}"))


def _marks(connection: apsw.Connection, path: Path) -> Marks:
    values = {str(name): str(value) for name, value in connection.execute("select name, value from meta")}
    if not values.get("cluster_id"):
        raise StoreCorrupt(_LACKS.format(path=path, what="its cluster_id"))
    check_whole_copy(values, str(path))
    return Marks(values["cluster_id"], values.get("cluster_secret", ""))


def _version(connection: apsw.Connection, path: Path) -> int:
    application = connection.execute("pragma application_id").get
    if application == APPLICATION_ID:
        version = str(connection.execute("select value from meta where name = 'schema'").get)
        if not (version.isascii() and version.isdecimal() and int(version) > 0):
            raise StoreCorrupt(_LACKS.format(path=path, what="the number of its schema"))
        return int(version)
    if application or connection.execute("select count(*) from sqlite_schema").get:
        raise StoreCorrupt(f"{path} is a database of another program; name another file as the store")
    return 0


def _migrate(connection: apsw.Connection, step: str, number: int, new_id: Callable[[], bytes]) -> None:
    connection.execute("begin immediate")
    try:
        connection.execute(step)
        if number == 1:
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute("insert into meta values ('cluster_id', ?)", (new_id().hex(),))
            connection.execute("insert into meta values ('cluster_secret', ?)", (new_secret(new_id),))
        connection.execute("insert or replace into meta values ('schema', ?)", (str(number),))
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    connection.execute("commit")
