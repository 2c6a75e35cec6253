"""Several processes take turns at one file: what keeps a node alive goes before what clients cause in any of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.store.committer import Committer
from runtime.store.sqlite.lock import FileLock
from runtime.testing.conformance.samples import mail_row, node_row, post
from tests.unit.store.conftest import OpenStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks on bytes that belong to an open file")

COUNTED = "select name, cast(value as integer) from meta where name like 'turns-%'"
FLOOD = """
import asyncio, sys
from pathlib import Path
from runtime.adapters import system_ports
from runtime.store.sqlite import SqliteStore, lock

lock._GIVE_WAY_S = 600.0  # nobody is frozen here, however slow the machine

def count(connection):
    connection.execute(
        "insert into meta values (?, '1') on conflict do update set value = value + 1", ("turns-" + sys.argv[2],)
    )

async def main():
    store = SqliteStore(Path(sys.argv[1]), system_ports())
    await store.open()

    async def post_without_end():
        while True:
            await store._writer.transact(count)

    await asyncio.gather(*(post_without_end() for _ in range(20)))

asyncio.run(main())
"""


def turns(connection: apsw.Connection) -> dict[str, int]:
    """How often each of the others has had the lock."""
    return {str(name): int(str(count)) for name, count in connection.execute(COUNTED)}


@pytest.fixture
def flooded(path: Path) -> Iterator[int]:
    """Processes that always have something to write."""
    names = ("one", "two", "three")
    running = [subprocess.Popen([sys.executable, "-c", FLOOD, str(path), name]) for name in names]
    yield len(running)
    for process in running:
        process.kill()
        process.wait()


async def test_a_renewal_waits_for_one_turn_at_the_most_of_each_process_that_posts_without_end(
    path: Path, make_store: OpenStore, flooded: int
) -> None:
    store = make_store(wait_s=60.0)
    await store.open()
    seen = apsw.Connection(str(path))
    while len(turns(seen)) < flooded:
        await asyncio.sleep(0.01)
    for _ in range(100):
        renewal = asyncio.ensure_future(store._writer.transact(turns, vital=True))
        await asyncio.sleep(0)  # it is announced, and perhaps waits
        before, after = turns(seen), await renewal
        assert all(after[name] - before[name] <= 1 for name in after), (before, after)
    seen.close()


async def test_those_who_post_get_the_lock_as_well(path: Path, make_store: OpenStore, flooded: int) -> None:
    store = make_store(wait_s=60.0)
    await store.open()
    seen = apsw.Connection(str(path))
    while len(turns(seen)) < flooded:
        await asyncio.sleep(0.01)
    before = turns(seen)
    while any(turns(seen)[name] < before[name] + 3 for name in before):
        await store._writer.transact(turns, vital=True)
    seen.close()


async def test_a_node_renews_while_others_have_large_bodies_by_the_hundred_to_write(
    path: Path, make_store: OpenStore
) -> None:
    """Two stores of one process take turns as two processes do: a renewal waits for 1 MiB of the other, not for all."""
    store, other = make_store(wait_s=60.0), make_store(wait_s=60.0)
    await store.open()
    await other.open()
    node = node_row("a-1")
    assert await store.join(node, lease_s=60.0) is None
    committer, told = Committer(other, system_ports()), list[object]()
    for number in range(60):
        committer.submit(post(mail_row(number, f"key-{number}", envelope=b"x" * 500_000)), told.append)
    while not told:
        assert await store.renew(node.name, node.incarnation, lease_s=60.0)
    assert len(told) < 60
    await committer.close()
    assert len(told) == 60
    assert committer.stats.commits == 30


def opened(path: Path) -> FileLock:
    lock = FileLock(path)
    lock.acquire()
    lock.release()
    return lock


class Waits:
    """Pauses that pass at once."""

    def __init__(self, *, until: int = 1_000_000) -> None:
        self.count = 0
        self._until = until

    def __call__(self, pause_s: float) -> bool:
        self.count += 1
        return self.count >= self._until

    def of(self, lock: FileLock) -> int:
        self.count = 0
        lock.give_way(self)
        return self.count


def test_who_is_given_way_to_in_vain_is_given_way_to_once(path: Path) -> None:
    frozen, other, waits = opened(path), opened(path), Waits()
    assert waits.of(other) == 0
    frozen.announce()
    assert waits.of(other) > 100
    assert waits.of(other) == 0
    frozen.withdraw()
    assert waits.of(other) == 0
    frozen.announce()
    assert waits.of(other) > 100
    frozen.close()  # as its process does when it ends
    assert waits.of(other) == 0
    other.close()


def test_a_frozen_node_is_given_way_to_for_a_second_in_all_also_when_own_renewals_break_in(path: Path) -> None:
    frozen, other, waits = opened(path), opened(path), Waits(until=400)
    frozen.announce()
    assert [waits.of(other) for _ in range(5)] == [400, 400, 200, 0, 0]
    frozen.withdraw()
    assert waits.of(other) == 0
    frozen.announce()
    assert waits.of(other) == 400
    frozen.close()
    other.close()


def test_giving_way_ends_when_there_is_vital_work_of_ones_own(path: Path) -> None:
    waiting, other = opened(path), opened(path)
    waiting.announce()
    assert Waits(until=3).of(other) == 3
    other.announce()
    waiting.withdraw()
    assert Waits().of(other) == 0  # its own does not count
    waiting.close()
    other.close()


def test_an_announcement_takes_no_lock_away(path: Path) -> None:
    holder, waiting = opened(path), opened(path)
    holder.acquire()
    waiting.announce()
    assert not waiting.acquire_at_once()
    holder.release()
    assert waiting.acquire_at_once()
    waiting.close()
    holder.close()
