"""I7: what an owner committed after it had lost its shard is not overtaken by what its successor sends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import Outgoing
from runtime.durable.kind import Limits
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.test_moves import NotedLinks
from tests.unit.durable.till import Post, Till

LIMITS = Limits(sweep_s=600.0)  # no sweep mends an order meanwhile


class GatedSweeps(MemoryStore):
    """A store whose next sweep gives what it has read when the gate is opened."""

    gate: asyncio.Event | None = None

    async def waiting(
        self,
        kind: str,
        shards: Sequence[int],
        *,
        due_before_s: float,
        sent_before_s: float,
        limit: int,
        after: MailRow | None = None,
    ) -> list[MailRow]:
        rows = await super().waiting(
            kind, shards, due_before_s=due_before_s, sent_before_s=sent_before_s, limit=limit, after=after
        )
        if self.gate is not None:
            await self.gate.wait()
        return rows


def till() -> Till:
    """Of ORD-1: tells ORD-2 of what it bills, ten times over."""
    tells = {amount: Outgoing(BillOrder(order_id="ORD-2", amount_cents=amount * 10)) for amount in (1, 2)}
    return Till(sends=tells, hangs={1: asyncio.Event()})


async def frozen_in_a_turn(store: GatedSweeps) -> tuple[LocalNode, Till, Post]:
    """A node in the middle of a turn over the first bill, and its shards are lost."""
    its = till()
    local = await LocalNode([its], store, LIMITS).start()
    post = Post(local)
    first = post.bill(1)
    await post.send(first)
    await local.sleep(0.1)
    assert its.runs == [1]
    local.shards.on_lease_lost("it was frozen")
    return local, its, post


async def told_to_the_other(local: LocalNode) -> list[str]:
    return BillState.FromString((await local.row("billing", "ORD-2")).state).reason.split()


@pytest.mark.parametrize("has_read_the_row", [True, False])
def test_i7_what_a_node_sends_after_it_lost_its_shards_is_not_overtaken_by_its_successor(
    has_read_the_row: bool,
) -> None:
    """The successor began the same turn before, or has the message still to run: it loses a compare-and-set or mail."""

    async def scenario() -> None:
        store = GatedSweeps(LocalNode([till()]).ports)
        former, frozen, post = await frozen_in_a_turn(store)
        its = till()
        successor = await LocalNode([its], store, LIMITS).start(owning=False)
        store.gate = None if has_read_the_row else asyncio.Event()
        gate = store.gate
        taking = asyncio.ensure_future(successor.shards.take_over("billing", frozenset(range(LIMITS.shards_per_kind))))
        await successor.sleep(0.1)
        assert its.runs == ([1] if has_read_the_row else [])
        frozen.hangs[1].set()  # it wakes, and commits
        await former.sleep(0.1)
        store.gate = None
        if gate is not None:
            gate.set()
        its.hangs[1].set()
        second = post.bill(2)
        await post.store(second)
        await successor.router.on_pushes("peer", [second.encoded], False)
        await taking
        await successor.sleep(5)
        assert await post.order() == ["1", "2"]
        assert await told_to_the_other(successor) == ["10", "20"]
        await former.stop()
        await successor.stop()

    in_virtual_time(scenario)


def test_i7_who_lost_a_compare_and_set_has_every_other_node_read_its_mail_before_it_sends_more() -> None:
    async def scenario() -> None:
        store = GatedSweeps(LocalNode([till()]).ports)
        former, frozen, post = await frozen_in_a_turn(store)
        its = till()
        successor = await LocalNode([its], store, LIMITS).start(owning=False)
        links = NotingOrder()
        successor.router.connect(links, links)
        await successor.shards.take_over("billing", frozenset((post.shard,)))
        links.owners["billing", Post(successor, "ORD-2").shard] = "elsewhere"
        await successor.sleep(0.1)
        frozen.hangs[1].set()
        await former.sleep(0.1)
        links.gaps.clear()
        its.hangs[1].set()
        second = post.bill(2)
        await post.store(second)
        await successor.router.on_pushes("peer", [second.encoded], False)
        await successor.sleep(5)
        assert links.gaps == ["*", "push"], "first the gap, then what it sends"
        await former.stop()
        await successor.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("is_lost", [True, False])
def test_i7_a_turn_that_ends_when_the_lease_may_have_run_out_is_not_committed_and_is_run_again_by_who_has_it(
    is_lost: bool,
) -> None:
    """A process that wakes in the middle of a turn knows by its clock, before any timer of it has told it."""

    async def scenario() -> None:
        its = Till(hangs={1: asyncio.Event()})
        local = await LocalNode([its], None, LIMITS).start()
        links = NotedLinks()
        local.router.connect(links, links)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        links.is_sure = False
        its.hangs[1].set()
        await local.sleep(0.1)
        assert await local.store.load([("billing", "ORD-1")]) == [None]
        if is_lost:
            local.shards.on_lease_lost("the lease ran out")
            await local.sleep(10)
            assert its.runs == [1]
            await local.shards.take_over("billing", frozenset((post.shard,)))
        links.is_sure = True
        await local.sleep(10)
        assert await post.order() == ["1"]
        assert its.runs == [1, 1]
        await local.stop()

    in_virtual_time(scenario)


class NotingOrder(NotedLinks):
    """Notes pushes among the gaps."""

    def push(self, node: str, encoded: bytes) -> bool:
        self.gaps.append("push")
        return True
