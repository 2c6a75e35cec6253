"""What keeps a node alive never queues behind what clients cause."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreBusy
from runtime.store.busy import busy_from_text, busy_to_text
from runtime.store.records import Busy, BusyHandler
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import node_row
from tests.unit.store.conftest import OpenStore

_FLOOD = 1_200  # more than the queue of a thread takes


async def _flooded(store: SqliteStore, which: str) -> tuple[threading.Event, list[asyncio.Task[object]], list[str]]:
    """A thread of the store that stands in one job, with its queue full; the jobs note when they run."""
    begun, go_on = threading.Event(), threading.Event()
    ran: list[str] = []

    def stand(_: object) -> None:
        begun.set()
        go_on.wait(30)

    def note(_: object) -> None:
        ran.append("client")

    run = store._writer.transact if which == "writer" else store._reader.patiently
    tasks: list[asyncio.Task[object]] = [asyncio.ensure_future(run(stand))]
    while not begun.is_set():
        await asyncio.sleep(0)
    tasks += [asyncio.ensure_future(run(note)) for _ in range(_FLOOD)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):  # the flood is one
        await run(note)
    return go_on, tasks, ran


async def test_a_lease_is_renewed_before_all_writes_that_wait(make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    node = node_row("a-1")
    assert await store.join(node, lease_s=60.0) is None
    go_on, tasks, ran = await _flooded(store, "writer")
    renewal = asyncio.ensure_future(store.renew(node.name, node.incarnation, lease_s=60.0))
    renewal.add_done_callback(lambda _: ran.append("renewal"))
    await asyncio.sleep(0)
    go_on.set()
    assert await renewal
    await asyncio.gather(*tasks, return_exceptions=True)
    assert "client" in ran and ran.index("renewal") < len(ran) - 1


async def test_all_that_membership_writes_is_taken_while_the_queue_of_the_writer_is_full(make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    node = node_row("a-1")
    go_on, tasks, _ = await _flooded(store, "writer")

    async def live() -> None:
        assert await store.join(node, lease_s=60.0) is None
        assert await store.assign("billing", 0, owner="a-1", expected_epoch=0)
        assert not await store.evict("b-1", "gone")
        await store.leave(node.name, node.incarnation)

    life = asyncio.ensure_future(live())
    await asyncio.sleep(0)
    go_on.set()
    await life
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_members_are_read_while_the_reading_thread_stands_and_its_queue_is_full(
    make_store: OpenStore,
) -> None:
    store = make_store()
    await store.open()
    assert await store.join(node_row("a-1"), lease_s=60.0) is None
    go_on, tasks, _ = await _flooded(store, "reader")
    view = await store.cluster()  # would wait for ever behind the one that stands
    assert [node.name for node in view.nodes] == ["a-1"]
    go_on.set()
    await asyncio.gather(*tasks, return_exceptions=True)


def block_until(there: Callable[[], bool]) -> bool:
    """Keep the loop to ourselves until it is so."""
    never = threading.Event()
    return any(there() or never.wait(0.01) for _ in range(3_000))


def busy(number: int) -> Busy:
    handler = BusyHandler("Billing.bill", "billing", "a", b"", "X", "", 0.0, 0.0)
    return Busy("a-1", "1", float(number), number + 3.0, (handler,))


async def test_what_a_node_is_busy_with_is_written_while_its_loop_stands_still(path: Path) -> None:
    store, other = SqliteStore(path, system_ports()), SqliteStore(path, system_ports())
    await store.open()
    await other.open()
    thread = threading.Thread(target=store.tell_busy, args=(busy(1),))
    thread.start()
    thread.join(30)

    def there() -> bool:
        found = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY).execute("select name from meta").get
        return ("busy/a-1@1") in str(found)

    assert block_until(there), "this loop has given way to nothing meanwhile"
    assert await other.busy() == [busy(1)]
    await store.close()
    await other.close()


async def test_of_what_is_told_in_a_row_the_last_is_written_and_takes_one_place_in_the_queue(
    make_store: OpenStore,
) -> None:
    store = make_store()
    await store.open()
    go_on, tasks, _ = await _flooded(store, "writer")
    waiting = store._writer._worker._jobs.qsize()
    for number in range(_FLOOD):
        store.tell_busy(busy(number))
    assert store._writer._worker._jobs.qsize() == waiting + 1
    renewal = asyncio.ensure_future(store.renew("a-1", "1", lease_s=60.0))
    go_on.set()
    assert await renewal is False
    assert await store.busy() == [busy(_FLOOD - 1)]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_cannot_be_told_is_dropped_and_the_next_is_written(
    make_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    await store.open()
    with monkeypatch.context() as patched:
        patched.setattr("runtime.store.sqlite.members.busy_to_text", None)
        store.tell_busy(busy(1))
        await store.subscribe([], kind="nobody")
    assert await store.busy() == []
    store.tell_busy(busy(2))
    await store.subscribe([], kind="nobody")
    assert await store.busy() == [busy(2)]


def test_what_a_newer_version_says_beside_it_is_passed_over() -> None:
    text = json.loads(busy_to_text(busy(1)))
    text["threads"] = 3
    text["handlers"][0]["stack"] = "deep"
    assert busy_from_text(json.dumps(text)) == busy(1)
