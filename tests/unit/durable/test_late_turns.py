"""A turn that ends after its actor has left memory: nothing of it is taken for a turn of whoever is there by then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.kind import Limits
from runtime.envelope import Address
from runtime.store.groups import Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

SHARDS = frozenset(range(16))


class GatedStore(MemoryStore):
    """A store whose commits of turns, or loads of rows, wait for a gate while there is one."""

    gate: asyncio.Event | None = None
    load_gate: asyncio.Event | None = None

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.gate is not None and any(one.rescheduled or one.consumed for one in transitions_of(batch)):
            await self.gate.wait()
        return await super().commit(batch)

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        if self.load_gate is not None:
            await self.load_gate.wait()
        return await super().load(addresses)


async def node_of(till: Till) -> tuple[LocalNode, GatedStore]:
    store = GatedStore(LocalNode([till]).ports)
    return await LocalNode([till], store, Limits(sweep_s=30.0)).start(), store


async def regain(local: LocalNode, died: dict[int, str] | None = None) -> None:
    """The node that has lost its lease has all shards again."""
    sweeper = local.shards.sweepers["billing"]
    await sweeper.ownership.take_over(SHARDS, sweeper.read_everything, died or {})


@pytest.mark.parametrize("is_back", [False, True])
def test_a_retry_that_is_committed_after_its_actor_has_left_memory_leaves_the_next_its_mail(is_back: bool) -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        local, store = await node_of(till)
        post = Post(local)
        gate = store.gate = asyncio.Event()
        await post.send(post.bill(1))
        await local.sleep(0.1)
        assert till.runs == [1], "its retry is being committed"
        await post.send(post.bill(2))
        local.shards.on_lease_lost("for a test")
        if is_back:
            await regain(local)
            await local.sleep(0.1)
        store.gate = None
        gate.set()
        await local.sleep(0.1)
        if not is_back:
            await regain(local)
        till.broken.clear()
        await post.send(post.bill(3))
        await local.sleep(60)
        assert await post.order() == ["1", "2", "3"]
        await local.stop()

    in_virtual_time(scenario)


async def most_at_once(*, dropped_while: str) -> int:
    """How many handlers run at a time when an actor is dropped, and comes back, while its message is on trial."""
    running: list[int] = []
    most = [0]

    class CountingTill(Till):
        async def handle(self, state: Message, delivery: Delivery) -> Decision:
            running.append(1)
            most[0] = max(most[0], len(running))
            try:
                return await super().handle(state, delivery)
            finally:
                running.pop()

    till = CountingTill(hangs={1: asyncio.Event(), 2: asyncio.Event()})
    local, store = await node_of(till)
    first, second = Post(local), Post(local, "ORD-2")
    await first.store(first.bill(1))
    await second.store(second.bill(2))
    died = dict.fromkeys(SHARDS, "gone@1")
    local.shards.on_lease_lost("for a test")
    await regain(local, died)
    await local.sleep(0.1)
    assert till.runs == [1], "the first is on trial"
    gate = store.gate = asyncio.Event()
    if dropped_while == "it commits":
        till.hangs[1].set()
        await local.sleep(0.1)
        till.hangs[1] = asyncio.Event()
    local.shards.on_lease_lost("for a test")
    await regain(local, died)
    await local.sleep(0.1)
    store.gate = None
    gate.set()
    await local.sleep(0.1)
    for hangs in till.hangs.values():
        hangs.set()
    await local.sleep(60)
    assert await first.order() == ["1"]
    assert await second.order() == ["2"]
    await local.stop()
    return most[0]


@pytest.mark.parametrize("dropped_while", ["it runs", "it commits"])
def test_what_runs_after_a_death_runs_alone_though_its_actor_leaves_memory_meanwhile(dropped_while: str) -> None:
    assert in_virtual_time(partial(most_at_once, dropped_while=dropped_while)) == 1


def test_an_actor_that_leaves_memory_while_its_row_is_read_runs_nothing() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node_of(till)
        gate = store.load_gate = asyncio.Event()
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        local.shards.on_lease_lost("for a test")
        gate.set()
        await local.sleep(0.1)
        assert till.runs == []
        await regain(local)
        await local.sleep(0.1)
        assert till.runs == [1]
        await local.stop()

    in_virtual_time(scenario)
