"""What is done to `-shm`, the index of the log, which all processes share: it is made anew, or its loss is named.

Who reads behind the end of a file that was cut short is ended by the system at once (SIGBUS), with no word.
"""

from __future__ import annotations

import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreReplaced
from runtime.store.sqlite import SqliteStore
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
