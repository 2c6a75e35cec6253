"""What keeps a node alive never queues behind what clients cause."""

import asyncio
import threading

import pytest

from runtime.errors import StoreBusy
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
