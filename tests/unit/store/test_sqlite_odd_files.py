"""Files that are nearly a store, places that nobody lets us in, and who may use what a command makes."""

import asyncio
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.errors import StoreBusy, StoreCorrupt, StoreFull, StoreReadOnly, StoreUnavailable
from runtime.store.sqlite import SqliteStore, copies
from runtime.store.sqlite.copies import back_up, restore

NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that any user may enter and write."""
    folder = Path(tempfile.mkdtemp(prefix="amends-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def plain_user() -> Iterator[None]:
    """Run as a user whom file modes bind: root may enter everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(before)


async def made(path: Path) -> Path:
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.close()
    return path


def run(path: Path | str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(admin, ["--store", f"sqlite:///{path}", *map(str, arguments)])


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("delete from meta where name = 'schema'", "number of its schema"),
        ("update meta set value = 'many' where name = 'schema'", "number of its schema"),
        ("update meta set value = '0' where name = 'schema'", "number of its schema"),
        ("delete from meta where name = 'cluster_id'", "its cluster_id"),
        ("update meta set value = '' where name = 'cluster_id'", "its cluster_id"),
        ("drop table meta", "no such table: meta"),
        ("drop table mail", "of mail"),
        ("drop table history", "of history"),
        ("alter table actors rename column state to stat", "state of actors"),
    ],
)
async def test_a_store_that_lacks_a_part_is_told_by_nodes_views_backups_and_restores(
    path: Path, tmp_path: Path, harm: str, what: str
) -> None:
    connection = apsw.Connection(str(await made(path)))
    connection.execute(harm)
    connection.close()
    told = f"amends.db lacks what a store has.*{what}"
    for view in (False, True):
        store = SqliteStore(path, system_ports(), view=view)
        with pytest.raises(StoreCorrupt, match=told if "such" not in what else what):
            await store.open()
        await store.close()
    with pytest.raises(StoreCorrupt, match=what):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    other = await made(tmp_path / "other.db")
    before = other.read_bytes()
    with pytest.raises(StoreCorrupt, match=what):
        restore(other, path, system_ports().ids.new_id)
    assert other.read_bytes() == before
    assert not (tmp_path / "other.db.restoring").exists()


def test_an_empty_file_is_not_said_to_be_of_an_older_version(path: Path, tmp_path: Path) -> None:
    path.touch()
    for arguments in (("nodes",), ("backup", tmp_path / "copy.db")):
        result = run(path, *arguments)
        assert result.exit_code == 1
        assert "is empty; start a node with it first" in result.output


@pytest.mark.parametrize("name", ["locked/amends.db", "x" * 5000 + ".db", "y" * 300 + ".db"])
def test_what_cannot_even_be_looked_at_is_refused_with_the_cause(folder: Path, plain_user: None, name: str) -> None:
    (folder / "locked").mkdir()
    (folder / "locked").chmod(0)
    odd, whole = folder / name, asyncio.run(made(folder / "whole.db"))
    with pytest.raises(StoreUnavailable, match="cannot be looked at; check its name, and owner and mode"):
        asyncio.run(made(odd))
    for result in (run(odd, "nodes"), run(whole, "restore", odd), run(odd, "restore", whole)):
        assert (result.exit_code, "cannot be looked at" in result.output) == (1, True), result.exception
    result = run(whole, "backup", folder / name)
    assert (result.exit_code, "written; check" in result.output) == (1, True), result.exception


def test_a_restore_into_a_folder_that_is_not_there_names_it(path: Path, tmp_path: Path) -> None:
    asyncio.run(made(path))
    result = run(tmp_path / "none" / "amends.db", "restore", path)
    assert (result.exit_code, "does not exist; make it first" in result.output) == (1, True)


async def test_a_backup_of_a_store_in_memory_is_refused_in_its_own_words(tmp_path: Path) -> None:
    result = CliRunner().invoke(admin, ["--store", "memory:", "backup", str(tmp_path / "copy.db")])
    assert "can't be read from outside; name a file" in result.output


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal", "-lock", ".restoring", ".replaced", ".replaced-wal"])
async def test_a_backup_takes_no_name_that_the_store_keeps_for_itself(path: Path, ending: str) -> None:
    await made(path)
    Path(f"{path}-lock").unlink()
    with pytest.raises(StoreUnavailable, match="a name that the store keeps for itself"):
        back_up(path, Path(f"{path}{ending}"))
    assert not Path(f"{path}{ending}").exists()


async def test_a_backup_lies_beside_no_log_of_another_file_and_follows_no_link(path: Path, tmp_path: Path) -> None:
    await made(path)
    (tmp_path / "copy.db-wal").touch()
    with pytest.raises(StoreUnavailable, match=r"copy\.db-wal is left of another file"):
        back_up(path, tmp_path / "copy.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere.db")
    with pytest.raises(StoreUnavailable, match="is there already"):
        back_up(path, tmp_path / "link.db")


async def test_what_an_interrupted_restore_left_is_not_restored_from_and_not_removed(path: Path) -> None:
    left = Path(f"{await made(path)}.restoring")
    shutil.copy(path, left)
    with pytest.raises(StoreUnavailable, match="a restore that was interrupted left"):
        restore(path, left, system_ports().ids.new_id)
    assert left.exists()


@pytest.mark.parametrize("fails", ["_renew", "_share", "_flush"])
async def test_a_restore_that_fails_leaves_nothing_that_looks_like_an_interrupted_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    store, copy = await made(path), tmp_path / "copy.db"
    back_up(store, copy)

    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(copies, fails, fail)
    with pytest.raises(StoreUnavailable, match="the disk is gone"):
        restore(store, copy, system_ports().ids.new_id)
    assert not list(store.parent.glob("*.restoring*"))


async def test_what_few_may_read_stays_so_in_a_backup_and_after_a_restore(path: Path, tmp_path: Path) -> None:
    (await made(path)).chmod(0o600)
    copy = tmp_path / "copy.db"
    back_up(path, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    restore(path, copy, system_ports().ids.new_id)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
async def test_what_root_restores_or_locks_still_belongs_to_who_runs_the_nodes(folder: Path) -> None:
    store, copy = await made(folder / "amends.db"), folder / "copy.db"
    Path(f"{store}-lock").unlink()
    os.chown(store, NOBODY, NOBODY)
    back_up(store, copy)
    restore(store, copy, system_ports().ids.new_id)
    assert store.stat().st_uid == NOBODY
    Path(f"{store}-lock").unlink(missing_ok=True)
    await made(store)
    assert Path(f"{store}-lock").stat().st_uid == NOBODY
    os.seteuid(NOBODY)
    try:
        await made(store)  # as the node does
    finally:
        os.seteuid(0)


async def test_a_copy_without_room_names_its_own_disk_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    await made(path)

    class Full:
        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None: ...

        def step(self) -> None:
            raise apsw.FullError("database or disk is full")

    class Small(apsw.Connection):
        def backup(self, *_: object) -> Full:  # type: ignore[override]
            return Full()

    monkeypatch.setattr(apsw, "Connection", Small)
    with pytest.raises(StoreFull, match=f"no room for the copy in {small};"):
        back_up(path, small / "copy.db")
    assert not list(small.iterdir())


def test_a_restore_names_who_holds_the_lock(path: Path, tmp_path: Path) -> None:
    asyncio.run(made(path))
    asyncio.run(made(tmp_path / "copy.db"))
    with Path(f"{path}-lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy, match=r"another store of this process holds the lock of .* nothing was changed"):
            restore(path, tmp_path / "copy.db", system_ports().ids.new_id)


async def test_a_backup_to_a_medium_that_takes_no_writing_says_so(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    await made(path)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(StoreReadOnly, match=r"copy\.db or its folder cannot be written; check owner, mode and mount"):
        back_up(path, tmp_path / "copy.db")
