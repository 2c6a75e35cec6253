"""What happens to the file of an open store: each is found while it runs, named with its cure, and ends its use."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreCorrupt, StoreError, StoreReplaced, StoreUnavailable
from runtime.ports import Fact
from runtime.store.facts import StoreLogLong, StoreLogShort
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.connection import log_bytes
from runtime.testing.conformance.samples import mail_row, post
from tests.unit.store.conftest import OpenStore

Harm = Callable[[Path], object]


def unlink(path: Path) -> None:
    path.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def move_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def replace_by_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.with_name("copy.db").rename(path)


def truncate(path: Path) -> None:
    os.truncate(path, 100)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 10_000)


def remove_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def remove_the_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def replace_the_log_by_a_copy(path: Path) -> None:
    shutil.copy(f"{path}-wal", path.with_name("copy"))
    path.with_name("copy").rename(f"{path}-wal")


def replace_by_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def put_a_fifo_for_the_log(path: Path) -> None:
    replace_by_a_fifo(Path(f"{path}-wal"))


def put_a_fifo_for_the_index(path: Path) -> None:
    replace_by_a_fifo(Path(f"{path}-shm"))


def put_a_fifo_for_the_lock(path: Path) -> None:
    replace_by_a_fifo(Path(f"{path}-lock"))


def remove_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def remove_the_lock(path: Path) -> None:
    Path(f"{path}-lock").unlink()


def link(path: Path) -> None:
    os.link(path, path.with_name("other.db"))


HARMS = [
    unlink,
    rename,
    move_the_folder,
    replace_by_a_copy,
    truncate,
    empty,
    overwrite,
    remove_the_log,
    remove_the_index,
    remove_the_lock,
    remove_the_folder,
    replace_the_log_by_a_copy,
    replace_by_a_fifo,
    put_a_fifo_for_the_log,
    put_a_fifo_for_the_index,
    put_a_fifo_for_the_lock,
    link,
]


async def filled(path: Path) -> SqliteStore:
    """An open store whose file has contents beside its log."""
    store = SqliteStore(path, system_ports(), checkpoint_pages=1)
    await store.open()
    for number in range(3):
        await store.commit([post(mail_row(number))])
    return store


@pytest.mark.parametrize("harm", HARMS)
async def test_a_store_whose_file_is_harmed_under_it_says_so_and_writes_nothing_more(
    tmp_path: Path, harm: Harm
) -> None:
    path = tmp_path / "folder" / "amends.db"
    path.parent.mkdir()
    store = await filled(path)
    failed = asyncio.ensure_future(store.failed())
    # A first look at the healthy file, which the later ones are compared with.
    await store._keeper.look()
    harm(path)
    error = await asyncio.wait_for(failed, 30)
    assert isinstance(error, (StoreReplaced, StoreCorrupt))
    assert any(cure in str(error) for cure in ("restore", "keep one name"))
    with pytest.raises(StoreError):
        await store.commit([post(mail_row(99))])
    await store.close()


async def test_a_store_that_nobody_touches_stays_well_while_it_is_written(path: Path) -> None:
    store = await filled(path)
    for number in range(20):
        await store.commit([post(mail_row(100 + number))])
        await store._keeper.look()
        if number % 5 == 0:
            store._writer._drop()
    assert store._watch.broken is None
    await store.close()


async def test_a_new_store_is_well_before_its_log_was_ever_moved_into_the_file(path: Path) -> None:
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.commit([post(mail_row(1))])
    await store._keeper.look()
    with sqlite3.connect(path) as other:
        other.execute("pragma wal_checkpoint(truncate)")
    await store._keeper.look()
    assert store._watch.broken is None
    await store.close()


async def test_what_is_committed_to_a_file_that_was_renamed_is_not_reported_as_committed(path: Path) -> None:
    store = await filled(path)
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(StoreReplaced, match="is gone"):
        await store.commit([post(mail_row(99))])
    await store.close()


@pytest.mark.parametrize(
    "harm",
    [remove_the_log, remove_the_index, replace_the_log_by_a_copy, put_a_fifo_for_the_log, put_a_fifo_for_the_index],
)
async def test_what_is_committed_to_a_log_that_is_not_beside_the_file_is_not_reported_as_committed(
    path: Path, harm: Harm
) -> None:
    store = await filled(path)
    harm(path)
    with pytest.raises(StoreReplaced, match=r"removed or replaced|cut short"):
        await store.commit([post(mail_row(99))])
    await store.close()


async def test_a_file_with_two_names_is_refused(path: Path, make_store: OpenStore) -> None:
    await (await filled(path)).close()
    os.link(path, path.with_name("other.db"))
    with pytest.raises(StoreUnavailable, match="2 hard links"):
        await make_store().open()


async def test_a_store_by_its_symbolic_link_has_the_lock_and_the_log_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "real" / "amends.db"
    path.parent.mkdir()
    store = await filled(path)
    (tmp_path / "linked.db").symlink_to(path)
    linked = SqliteStore(tmp_path / "linked.db", system_ports())
    await linked.open()
    await linked.commit([post(mail_row(99))])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["linked.db", "real"]
    await linked.close()
    await store.close()


async def test_a_backup_copied_over_the_file_beside_its_old_log_is_refused_at_the_start(path: Path) -> None:
    store = SqliteStore(path, system_ports())
    await store.open()

    async def fill(first: int) -> None:
        for number in range(first, first + 1_000, 50):
            await store.commit([post(mail_row(one, key=f"key-{one}")) for one in range(number, number + 50)])

    await fill(0)
    backup, crashed = path.with_name("backup.db"), path.with_name("crashed.db")
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    await fill(1_000)
    with sqlite3.connect(path) as other:
        other.execute("pragma wal_checkpoint(truncate)")
    await fill(2_000)
    shutil.copy(f"{path}-wal", f"{crashed}-wal")
    shutil.copy(backup, crashed)
    await store.close()
    copied = SqliteStore(crashed, system_ports())
    with pytest.raises(StoreCorrupt, match=r"restore|backup"):
        await copied.open()
    await copied.close()


async def test_a_log_that_a_foreign_reader_keeps_is_reported_once_and_cut_when_the_reader_ends(path: Path) -> None:
    facts: list[Fact] = []
    store = SqliteStore(path, system_ports(facts.append), checkpoint_pages=10, log_bytes_long=100_000)
    await store.open()
    await store.commit([post(mail_row(0))])
    with closing(apsw.Connection(str(path))) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from mail").fetchall()
        for number in range(1, 60):
            await store.commit([post(mail_row(number))])
        for _ in range(5):
            await store._keeper.look()
        assert [type(fact) for fact in facts] == [StoreLogLong]
        assert log_bytes(path) > 100_000
    assert facts[0].level == "warning"
    await store._keeper.look()
    assert log_bytes(path) == 0
    assert [type(fact) for fact in facts] == [StoreLogLong, StoreLogShort]
    await store.close()
