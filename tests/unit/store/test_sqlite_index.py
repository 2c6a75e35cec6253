"""What is done to `-shm`, the index of the log, which all processes share: it is made anew, or its loss is named.

Who reads behind the end of a file that was cut short is ended by the system at once (SIGBUS), with no word.
"""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreError, StoreReplaced
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.index import LogIndex
from runtime.testing.conformance.samples import SHARD, mail_row, post

ADDRESS = ("billing", "a")


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, system_ports(), checkpoint_pages=40)
    await store.open()
    return store


async def fill(store: SqliteStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        await store.commit([post(mail_row(number))])


async def count(store: SqliteStore) -> int:
    return len(await store.waiting_for(ADDRESS, SHARD, limit=1_000))


def elsewhere(*command: str) -> None:
    """In another process: closing a file drops all locks that this one has on it."""
    subprocess.run(command, check=True)


def harm(path: Path, how: str) -> None:
    index = f"{path}-shm"
    match how:
        case "zeroed" | "random":
            source = "/dev/zero" if how == "zeroed" else "/dev/urandom"
            elsewhere("dd", f"if={source}", f"of={index}", "bs=32768", "count=1", "conv=notrunc", "status=none")
        case _:
            elsewhere("truncate", "-s", how, index)


@pytest.mark.parametrize("how", ["0", "100", "20000", "zeroed", "random"])
async def test_an_index_that_was_harmed_before_the_start_is_made_anew(path: Path, tmp_path: Path, how: str) -> None:
    store = await opened(path)
    await fill(store, 0, 100)
    crashed = tmp_path / "crashed.db"
    for ending in ("", "-wal", "-shm"):
        elsewhere("cp", f"{path}{ending}", f"{crashed}{ending}")
    await store.close()
    harm(crashed, how)
    again = await opened(crashed)
    assert await count(again) == 100
    await fill(again, 100, 1)
    await again.close()


@pytest.mark.parametrize("how", ["0", "100", "20000"])
@pytest.mark.parametrize("first", ["write", "near read", "far read", "members", "look", "close"])
async def test_an_index_that_is_cut_short_ends_the_use_of_the_store_and_not_the_process(
    path: Path, how: str, first: str
) -> None:
    store = await opened(path)
    await fill(store, 0, 100)
    await store.load([ADDRESS])
    await store.cluster()
    assert await count(store) == 100
    harm(path, how)
    act: Coroutine[Any, Any, object]
    match first:
        case "write":
            act = store.commit([post(mail_row(200))])
        case "near read":
            act = store.load([ADDRESS])
        case "far read":
            act = store.waiting_for(ADDRESS, SHARD, limit=10)
        case "members":
            act = store.cluster()
        case "look":
            act = store._keeper.look()
        case _:
            act = store.close()
    if first in ("look", "close"):
        await act
    else:
        with pytest.raises(StoreReplaced, match="cut short while it is in use"):
            await act
    assert isinstance(store._watch.broken, StoreReplaced)
    await store.close()


@pytest.mark.parametrize("how", ["zeroed", "random"])
async def test_an_index_that_is_overwritten_under_an_open_store_is_made_anew_and_nothing_is_lost(
    path: Path, how: str
) -> None:
    store = await opened(path)
    for turn in range(5):
        await fill(store, turn * 20, 20)
        harm(path, how)
        assert await count(store) == turn * 20 + 20
    assert store._watch.broken is None
    await store.close()
    again = await opened(path)
    assert await count(again) == 100
    await again.close()


def overwrite(path: Path, at: int, count: int, source: str = "/dev/zero") -> None:
    elsewhere(
        "dd", f"if={source}", f"of={path}-shm", "bs=1", f"seek={at}", f"count={count}", "conv=notrunc", "status=none"
    )


async def long_log(path: Path) -> SqliteStore:
    """An open store with nearly all in its log, which is longer than one block of the index has room for."""
    store = SqliteStore(path, system_ports(), checkpoint_pages=20_000)
    await store.open()
    for number in range(0, 4_500, 300):
        rows = [mail_row(one, key=f"key-{one}", envelope=b"x" * 3_000) for one in range(number, number + 300)]
        await store.commit([post(row) for row in rows])
    assert Path(f"{path}-shm").stat().st_size > 32_768
    return store


@pytest.mark.skipif(sys.platform != "linux", reason="the index in memory is found by /proc")
async def test_what_is_new_in_a_log_is_read_in_few_calls_and_only_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await long_log(path)
    calls = 0

    def counted(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        return preadv(*arguments)

    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", counted)
    index = LogIndex(path)
    assert not index.is_foreign()
    frames = len(index._pages)
    assert frames > 4_000
    assert calls == math.ceil(frames / 64)
    assert not index.is_foreign()
    assert calls == math.ceil(frames / 64)
    await store.commit([post(mail_row(5_000))])
    assert not index.is_foreign()
    assert calls == math.ceil(frames / 64) + 1
    assert len(index._pages) > frames
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the index in memory is found by /proc")
@pytest.mark.parametrize("off", [-100, -1, 1, 100])
async def test_an_index_that_names_fewer_or_more_frames_than_the_log_has_is_not_compared_with_it(
    path: Path, off: int
) -> None:
    store = await opened(path)
    await fill(store, 0, 30)
    index = LogIndex(path)
    assert not index.is_foreign()
    frames = len(index._pages)
    assert index._read_log(index._salts, frames, 4_096)
    assert not index._read_log(index._salts, frames + off, 4_096)
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the index in memory is found by /proc")
@pytest.mark.parametrize(
    ("at", "count"), [(136, 32_632), (136, 40), (4_000, 400), (16_384, 16_384), (32_768, 400), (49_152, 16_384)]
)
@pytest.mark.parametrize("source", ["/dev/zero", "/dev/urandom"])
async def test_an_index_that_is_overwritten_behind_its_header_is_found_and_ends_the_use_of_the_store(
    path: Path, at: int, count: int, source: str
) -> None:
    store = await long_log(path)
    await store._keeper.look()
    overwrite(path, at, count, source)
    await store._keeper.look()
    assert "was overwritten while it is in use" in str(store._watch.broken)
    with pytest.raises(StoreReplaced, match="no longer says what the log holds"):
        await store.commit([post(mail_row(9_999))])
    await store.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the index in memory is found by /proc")
async def test_a_store_that_looks_damaged_by_its_index_alone_is_not_said_to_be(path: Path) -> None:
    store = SqliteStore(path, system_ports())
    await store.open()
    await fill(store, 0, 200)
    overwrite(path, 136, 32_632)
    with pytest.raises(StoreError):
        await store.commit([post(mail_row(9_999))])  # makes all others look into the index
        await count(store)
    assert "was overwritten while it is in use" in str(store._watch.broken)
    await store.close()


async def test_an_index_that_others_write_all_the_time_is_its_own(path: Path) -> None:
    first, second = await opened(path), await opened(path)

    async def write(store: SqliteStore, begin: int) -> None:
        for number in range(begin, begin + 150):
            await store.commit([post(mail_row(number, key=f"key-{number}"))])

    writing = asyncio.gather(write(first, 0), write(second, 1_000))
    while not writing.done():
        await first._keeper.look()
        await second._keeper.look()
    await writing
    assert (first._watch.broken, second._watch.broken) == (None, None)
    await first.close()
    await second.close()


async def test_an_index_that_grows_and_is_made_anew_by_the_next_to_open_is_well(path: Path) -> None:
    store = SqliteStore(path, system_ports(), checkpoint_pages=20_000)
    await store.open()
    for number in range(0, 6_000, 4):  # beyond what one block of the index has room for
        await store.commit([post(mail_row(one, key=f"key-{one}")) for one in range(number, number + 4)])
    assert Path(f"{path}-shm").stat().st_size > 32_768
    for reader in (store._reader, store._members):
        reader._drop_far()
        if reader._near is not None:
            reader._near.close()
            reader._near = None
    store._writer._drop()  # the last connection: the log and the index go
    await fill(store, 6_000, 3)
    await store._keeper.look()
    assert store._watch.broken is None
    await store.close()
