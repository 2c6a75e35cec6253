"""Backups of a store, and putting one in its place: whole, checked, refused while it is in use, a store of its own."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.errors import StoreUnavailable
from runtime.store.records import Busy, BusyHandler
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.copies import back_up, restore
from runtime.testing.conformance.samples import SHARD, mail_row, node_row, post

ADDRESS = ("billing", "a")
_OPEN = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("select count(*) from meta").get
print("open", flush=True)
sys.stdin.read()
"""


async def filled(path: Path, *numbers: int) -> SqliteStore:
    store = SqliteStore(path, system_ports())
    await store.open()
    for number in numbers:
        await store.commit([post(mail_row(number))])
    return store


async def made(path: Path) -> None:
    await (await filled(path, 1)).close()


async def contents(path: Path) -> tuple[str, int, int]:
    """Cluster id, mail, members."""
    store = SqliteStore(path, system_ports())
    await store.open()
    mail, view = await store.waiting_for(ADDRESS, SHARD, limit=100), await store.cluster()
    await store.close()
    return store.cluster_id, len(mail), len(view.nodes)


def run(path: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(admin, ["--store", f"sqlite:///{path}", *map(str, arguments)])


async def test_a_backup_of_a_live_store_holds_what_its_log_holds(path: Path, tmp_path: Path) -> None:
    store = await filled(path, 1, 2, 3)
    to = tmp_path / "backup.db"
    result = run(path, "backup", to)
    assert result.exit_code == 0, result.output
    await store.commit([post(mail_row(4))])
    await store.close()
    assert sorted(one.name for one in tmp_path.glob("backup*")) == ["backup.db"]
    assert (await contents(to))[:2] == (store.cluster_id, 3)


async def test_a_backup_replaces_no_file(path: Path, tmp_path: Path) -> None:
    await (await filled(path, 1)).close()
    (tmp_path / "there.db").write_text("precious")
    result = run(path, "backup", tmp_path / "there.db")
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert (tmp_path / "there.db").read_text() == "precious"


async def test_a_restored_store_has_what_the_backup_has_under_another_identity_and_no_old_log(
    path: Path, tmp_path: Path
) -> None:
    store = await filled(path, 1, 2)
    await store.join(node_row("one"), lease_s=1_000.0)
    store.tell_busy(Busy("one", "1", 1.0, 2.0, (BusyHandler("a", "b", "c", b"", "d", "", 1.0, 0.0),)))
    to = tmp_path / "backup.db"
    assert run(path, "backup", to).exit_code == 0
    await store.commit([post(mail_row(number)) for number in range(10, 20)])
    crashed = tmp_path / "crashed.db"
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", f"{crashed}{ending}")
    await store.close()
    result = run(crashed, "restore", to)
    assert result.exit_code == 0, result.output
    assert not Path(f"{crashed}-wal").exists()
    identity, mail, members = await contents(crashed)
    assert (mail, members) == (2, 0)
    assert identity != store.cluster_id
    restored = SqliteStore(crashed, system_ports())
    await restored.open()
    assert await restored.busy() == []
    await restored.close()
    assert len(restored.cluster_secret) == len(store.cluster_secret) == 64
    assert restored.cluster_secret != store.cluster_secret
    # What was there before is not lost.
    assert (await contents(Path(f"{crashed}.replaced")))[:2] == (store.cluster_id, 12)


def test_a_restore_is_refused_while_a_process_has_the_store_open(path: Path, tmp_path: Path) -> None:
    asyncio.run(made(path))
    assert run(path, "backup", tmp_path / "backup.db").exit_code == 0
    before = path.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", _OPEN, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"open\n"
        result = run(path, "restore", tmp_path / "backup.db")
        user.kill()
    assert result.exit_code == 5
    assert f"in use by process {user.pid}" in result.output
    assert path.read_bytes() == before


async def test_a_damaged_backup_and_a_foreign_file_are_refused_and_nothing_is_changed(
    path: Path, tmp_path: Path
) -> None:
    await (await filled(path, *range(50))).close()
    damaged = tmp_path / "damaged.db"
    shutil.copy(path, damaged)
    size = damaged.stat().st_size
    os.truncate(damaged, size - 4096 * 3)
    foreign = tmp_path / "foreign.db"
    foreign.write_bytes(b"Dear diary, " * 100)
    before = path.read_bytes()
    for source in (damaged, foreign, tmp_path / "missing.db", path):
        result = run(path, "restore", source)
        assert result.exit_code == 1, result.output
    assert path.read_bytes() == before
    assert not Path(f"{path}.restoring").exists()


def test_a_backup_that_is_not_there_is_no_store_to_be_made_first(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"there is no backup \S+none\.db; name the file"):
        restore(path, tmp_path / "none.db", lambda: bytes(16))


async def test_a_store_can_be_restored_where_there_is_none(path: Path, tmp_path: Path) -> None:
    await (await filled(path, 1)).close()
    assert run(path, "backup", tmp_path / "backup.db").exit_code == 0
    elsewhere = tmp_path / "elsewhere.db"
    assert run(elsewhere, "restore", tmp_path / "backup.db").exit_code == 0
    assert (await contents(elsewhere))[1] == 1


async def test_of_two_backups_to_one_name_at_once_each_is_whole_and_one_is_refused(path: Path, tmp_path: Path) -> None:
    await (await filled(path, *range(200))).close()
    to = tmp_path / "backup.db"

    def back_up_once() -> str:
        try:
            return str(back_up(path, to))
        except StoreUnavailable as error:
            return str(error)

    told = await asyncio.gather(*(asyncio.to_thread(back_up_once) for _ in range(4)))
    refused = [text for text in told if not text.isdigit()]
    assert len(refused) == 3 and all("replaces nothing" in text for text in refused)
    assert (await contents(to))[1] == 100 and to.stat().st_nlink == 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("renames", [1, 2])
async def test_a_restore_that_was_interrupted_half_way_serves_nobody_until_it_is_done_again(
    path: Path, tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first renaming the old file is there without its log, after the second none is."""
    store = await filled(path, 1)
    assert run(path, "backup", tmp_path / "backup.db").exit_code == 0
    await store.commit([post(mail_row(2))])
    live = tmp_path / "live.db"
    for ending in ("", "-wal"):
        shutil.copy(f"{path}{ending}", f"{live}{ending}")
    await store.close()
    rename, done = Path.rename, 0

    def some(self: Path, target: Path) -> Path:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        done += 1
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", some)
        restore(live, tmp_path / "backup.db", system_ports().ids.new_id)
    with pytest.raises(StoreUnavailable, match="interrupted half way"):
        await filled(live)
    assert run(live, "restore", tmp_path / "backup.db").exit_code == 0
    assert (await contents(live))[1] == 1
    assert (await contents(Path(f"{live}.replaced")))[1] == 2, "what was there before is whole"


def test_the_listing_of_nodes_warns_of_a_log_that_has_grown(path: Path) -> None:
    asyncio.run(made(path))
    assert "long" not in run(path, "nodes").output
    with Path(f"{path}-wal").open("wb") as log:
        log.truncate(100_000_000)
    result = run(path, "nodes")
    assert "is 100 MB long" in result.output
    assert result.exit_code == 0
