"""Whether file and log belong together is told by their seals alone, whatever SQLite's own check would find."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreCorrupt, StoreReplaced
from runtime.store.sqlite import SqliteStore, keeper
from runtime.store.sqlite.copies import back_up
from runtime.store.sqlite.seals import first_label
from runtime.testing.conformance.samples import SHARD, mail_row, post

ADDRESS = ("billing", "a")


@pytest.fixture(autouse=True)
def nothing_else_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a file too large to be read as a whole at the start."""
    monkeypatch.setattr(keeper, "_CHECKED_BYTES_MAX", -1)


async def opened(path: Path, *, pages: int = 40) -> SqliteStore:
    store = SqliteStore(path, system_ports(), checkpoint_pages=pages)
    await store.open()
    return store


async def numbers(path: Path) -> list[int]:
    store = await opened(path)
    rows = await store.waiting_for(ADDRESS, SHARD, limit=10_000)
    await store.close()
    return sorted(int.from_bytes(row.id) for row in rows)


async def fill(store: SqliteStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        await store.commit([post(mail_row(number))])


def elsewhere(*command: str) -> None:
    """In another process: closing a file drops all locks that this one has on it."""
    subprocess.run(command, check=True)


def copy(source: Path, target: Path) -> None:
    elsewhere("cp", str(source), str(target))


def both(path: Path, to: Path) -> Path:
    """As after a crash: the file and its log, as they lie there."""
    for ending in ("-wal", ""):
        if Path(f"{path}{ending}").exists():
            copy(Path(f"{path}{ending}"), Path(f"{to}{ending}"))
    return to


async def moved(store: SqliteStore, first: int) -> int:
    """Write until the log was moved into the file and begun anew; gives the next number."""
    before = first_label(store._path)
    while first_label(store._path) == before:
        await fill(store, first, 1)
        first += 1
    return first


@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("at", ["the end of a log", "the middle of a log"])
async def test_a_backup_copied_over_the_file_beside_a_later_log_is_refused(
    path: Path, tmp_path: Path, epochs: int, at: str
) -> None:
    store = await opened(path)
    next_ = await moved(store, 0)
    if at == "the middle of a log":
        await fill(store, next_, 3)
        next_ += 3
    backup, crashed = tmp_path / "backup.db", tmp_path / "crashed.db"
    back_up(path, backup)
    for _ in range(epochs + (at == "the end of a log")):
        next_ = await moved(store, next_)
    await fill(store, next_, 3)
    both(path, crashed)
    await store.close()
    copy(backup, crashed)
    before = crashed.read_bytes(), Path(f"{crashed}-wal").read_bytes()
    with pytest.raises(StoreCorrupt, match="older or newer than the log"):
        await opened(crashed)
    with pytest.raises(StoreCorrupt, match="older or newer than the log"):
        await SqliteStore(crashed, system_ports(), view=True).open()
    with pytest.raises(StoreCorrupt, match="older or newer than the log"):
        back_up(crashed, tmp_path / "mixed.db")
    assert (crashed.read_bytes(), Path(f"{crashed}-wal").read_bytes()) == before, "nothing was mixed"


async def test_each_log_has_a_label_from_its_first_commit_on(path: Path) -> None:
    """Else a file with an older label would be taken for its own, as long as the log is short."""
    labels = []
    for number in range(30):
        if number % 10 == 0:  # whoever opens it next knows no more of the log than what lies there
            store = await opened(path)
        await fill(store, number, 1)
        labels.append(first_label(path))
        if number % 10 == 9:
            await store.close()
    assert None not in labels
    assert len(set(labels)) > 2, "the log was begun anew"


async def test_a_file_beside_an_older_log_is_refused(path: Path, tmp_path: Path) -> None:
    store = await opened(path)
    next_ = await moved(store, 0)
    await fill(store, next_, 3)
    crashed = both(path, tmp_path / "crashed.db")
    for _ in range(2):
        next_ = await moved(store, next_)
    copy(path, crashed)
    await store.close()
    with pytest.raises(StoreReplaced, match="older or newer than the log"):
        await opened(crashed)


async def test_a_backup_of_the_same_log_makes_a_whole_store_with_it(path: Path, tmp_path: Path) -> None:
    """What the log holds is all that has changed since: nothing is amiss, and nothing is refused."""
    store = await opened(path)
    next_ = await moved(store, 0)
    await fill(store, next_, 3)
    backup = tmp_path / "backup.db"
    back_up(path, backup)
    await fill(store, next_ + 3, 3)
    crashed = both(path, tmp_path / "crashed.db")
    await store.close()
    copy(backup, crashed)
    assert await numbers(crashed) == list(range(next_ + 6))


async def test_a_backup_copied_over_the_file_of_a_running_store_is_seen_by_what_its_log_says(
    path: Path, tmp_path: Path
) -> None:
    store = await opened(path)
    next_ = await moved(store, 0)
    backup = tmp_path / "backup.db"
    back_up(path, backup)
    await store._keeper.look()  # the last one before the file gets further
    next_ = await moved(store, await moved(store, next_))
    copy(backup, path)
    await store._keeper.look()
    assert isinstance(store._watch.broken, (StoreCorrupt, StoreReplaced))
    with pytest.raises((StoreCorrupt, StoreReplaced)):
        await fill(store, next_, 1)
    await store.close()


@pytest.mark.parametrize("seed", range(8))
async def test_what_crashes_closes_and_foreign_programs_leave_is_never_refused(
    path: Path, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    stores = [await opened(path, pages=draw.choice([1, 5, 20]))]
    count = 0
    for step in range(60):
        store = draw.choice(stores)
        match draw.choice(["write", "write", "write", "open", "close", "crash", "foreign", "cut", "look"]):
            case "write":
                await fill(store, count, more := draw.randrange(1, 12))
                count += more
            case "open" if len(stores) < 3:
                stores.append(await opened(path, pages=draw.choice([1, 5, 20])))
            case "close":
                stores.remove(store)
                await store.close()
                if not stores:
                    stores = [await opened(path, pages=draw.choice([1, 5, 20]))]
            case "crash":
                assert await numbers(both(path, tmp_path / f"crashed-{step}.db")) == list(range(count))
            case "foreign":
                how = draw.choice(["passive", "restart", "truncate"])
                code = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('pragma wal_checkpoint({how})')"
                elsewhere(sys.executable, "-c", code)
            case "cut":
                await store._writer.cut_log()
            case _:
                await store._keeper.look()
        assert all(one._watch.broken is None for one in stores)
    for store in stores:
        await store.close()
    assert await numbers(path) == list(range(count))


async def test_what_a_power_cut_has_left_half_written_in_the_log_is_no_label(path: Path, tmp_path: Path) -> None:
    store = await opened(path)
    await moved(store, 0)
    torn = both(path, tmp_path / "torn.db")
    await store.close()
    log = Path(f"{torn}-wal")
    frames = bytearray(log.read_bytes())
    place = _label_place(frames)
    frames[place : place + 4] = (1 << 30).to_bytes(4)
    log.write_bytes(frames)
    assert first_label(torn) == 1 << 30
    assert first_label(torn, is_sure=True) is None
    await numbers(torn)  # opens, with what SQLite takes for written


def _label_place(frames: bytearray) -> int:
    offset, page_bytes = 32, int.from_bytes(frames[8:12])
    while int.from_bytes(frames[offset : offset + 4]) != 1:
        offset += 24 + page_bytes
    return offset + 24 + 60


async def test_the_log_stays_as_short_as_it_was_asked_to(path: Path) -> None:
    store = await opened(path, pages=20)
    await fill(store, 0, 200)
    assert Path(f"{path}-wal").stat().st_size < 60 * 4_200
    await store.close()
