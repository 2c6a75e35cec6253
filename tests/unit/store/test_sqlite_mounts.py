"""One file by two paths through a mount: each path would have a lock, a log and an index of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreError, StoreReplaced, StoreUnavailable
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.copies import back_up, restore
from runtime.testing.conformance.samples import SHARD, mail_row, post

Bind = Callable[[Path, Path], None]


@pytest.fixture
def bind() -> Iterator[Bind]:
    """Show a file or a folder at another path too; one has to be root for that."""
    mounted: list[Path] = []

    def show(source: Path, at: Path) -> None:
        done = subprocess.run(["mount", "--bind", str(source), str(at)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.decode(errors='replace').strip()}")
        mounted.append(at)

    yield show
    for at in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(at)], check=True)


async def filled(path: Path, *numbers: int) -> SqliteStore:
    store = SqliteStore(path, system_ports())
    await store.open()
    for number in numbers:
        await store.commit([post(mail_row(number))])
    return store


@pytest.mark.parametrize("folder", ["other", "an other", "b\\ack\tslash"])
async def test_a_file_that_is_mounted_by_itself_is_refused_and_nothing_is_made_beside_it(
    path: Path, tmp_path: Path, bind: Bind, folder: str
) -> None:
    store = await filled(path, 1)
    good = tmp_path / "good.db"
    back_up(path, good)
    other = tmp_path / folder / "amends.db"
    other.parent.mkdir()
    other.touch()
    bind(path, other)
    link = tmp_path / "link.db"
    link.symlink_to(other)
    for name in (other, link):
        for view in (False, True):
            with pytest.raises(StoreUnavailable, match="mount the folder"):
                await SqliteStore(name, system_ports(), view=view).open()
        with pytest.raises(StoreUnavailable, match="mount the folder"):
            back_up(name, tmp_path / "backup.db")
        with pytest.raises(StoreUnavailable, match="mount the folder"):
            restore(name, good, system_ports().ids.new_id)
    assert [one.name for one in other.parent.iterdir()] == ["amends.db"]
    await store.commit([post(mail_row(2))])
    await store.close()


async def test_a_folder_by_two_paths_is_one_store_with_one_lock_and_one_log(tmp_path: Path, bind: Bind) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    bind(here, there)
    one = await filled(here / "amends.db", 1)
    other = await filled(there / "amends.db", 2)
    assert len(await one.waiting_for(("billing", "a"), SHARD, limit=10)) == 2
    for store in (one, other):
        await store._keeper.look()
        assert store._watch.broken is None
    await other.close()
    await one.close()


async def test_a_file_that_is_mounted_over_the_open_one_is_found(path: Path, tmp_path: Path, bind: Bind) -> None:
    store = await filled(path, 1)
    other = tmp_path / "other.db"
    await (await filled(other)).close()
    bind(other, path)
    with pytest.raises(StoreReplaced):
        await store.commit([post(mail_row(2))])
    assert isinstance(store._watch.broken, StoreError)
    await store.close()
