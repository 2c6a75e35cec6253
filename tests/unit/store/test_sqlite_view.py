"""A store that is only looked at: with nothing but the right to read, whoever holds its locks, leaving no trace."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.lock import FileLock
from runtime.testing.conformance.samples import SHARD, mail_row, post

ADDRESS = ("billing", "a")


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="amends-"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "amends.db"


@pytest.fixture
def plain_user() -> Iterator[None]:
    """A user whom modes bind, once `be` is called."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)


async def seen(path: Path) -> int:
    view = SqliteStore(path, system_ports(), view=True)
    await view.open()
    try:
        assert len(view.cluster_id) == 32
        return len(await view.waiting_for(ADDRESS, SHARD, limit=10))
    finally:
        await view.close()


async def filled(path: Path, count: int = 2) -> SqliteStore:
    store = SqliteStore(path, system_ports())
    await store.open()
    for number in range(count):
        await store.commit([post(mail_row(number))])
    return store


async def test_it_reads_while_others_hold_both_locks_to_write(path: Path) -> None:
    store = await filled(path)
    lock = FileLock(path)
    lock.acquire()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("begin immediate")
        assert await seen(path) == 2
        other.execute("rollback")
    lock.release()
    lock.close()
    await store.close()


async def test_it_reads_where_nothing_may_be_written(plain_user: None, folder: Path, path: Path) -> None:
    await (await filled(path)).close()
    path.chmod(0o444)
    Path(f"{path}-lock").unlink()
    folder.chmod(0o555)
    assert await seen(path) == 2
    assert [one.name for one in folder.iterdir()] == ["amends.db"]


@pytest.mark.parametrize("shared", [True, False])
async def test_it_reads_a_log_that_was_left_behind_where_nothing_may_be_written(
    plain_user: None, folder: Path, path: Path, shared: bool
) -> None:
    crashed = folder / "crashed.db"
    store = await filled(path)
    for ending in ("", "-wal", "-shm") if shared else ("", "-wal"):
        shutil.copyfile(f"{path}{ending}", f"{crashed}{ending}")
        Path(f"{crashed}{ending}").chmod(0o444)
    await store.close()
    names = sorted(one.name for one in folder.iterdir())
    folder.chmod(0o555)
    assert await seen(crashed) == 2
    assert sorted(one.name for one in folder.iterdir()) == names


async def test_it_sees_what_is_written_meanwhile(path: Path) -> None:
    store = await filled(path)
    view = SqliteStore(path, system_ports(), view=True)
    await view.open()
    await store.commit([post(mail_row(9))])
    assert len(await view.waiting_for(ADDRESS, SHARD, limit=10)) == 3
    await view.close()
    await store.close()


async def test_it_writes_nothing(path: Path) -> None:
    await (await filled(path)).close()
    view = SqliteStore(path, system_ports(), view=True)
    await view.open()
    with pytest.raises(StoreUnavailable):
        await view.commit([post(mail_row(9))])
    await view.close()
    assert await seen(path) == 2


async def test_what_is_no_store_of_ours_is_refused(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store"):
        await seen(path)
    path.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(StoreCorrupt, match="no database"):
        await seen(path)


async def test_an_empty_file_and_a_newer_store_are_refused(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreUnavailable, match="start a node with it first"):
        await seen(path)
    await (await filled(path)).close()
    with sqlite3.connect(path) as other:
        other.execute("update meta set value = '99' where name = 'schema'")
    with pytest.raises(StoreTooNew):
        await seen(path)
