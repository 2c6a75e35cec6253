"""Turns start only where a shard is this node's: through losses, hand-overs and handlers that hang."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runtime.durable.kind import Limits
from runtime.envelope import Address
from runtime.errors import StoreUnavailable
from runtime.protos import mesh_pb2
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, MailRow, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


class SlowReads(MemoryStore):
    """A store whose reads of mail wait for an event, and whose commits can be told to fail."""

    gate: asyncio.Event | None = None
    commits_fail = 0

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.commits_fail:
            self.commits_fail -= 1
            raise StoreUnavailable("no commit today")
        return await super().commit(batch)

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

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        rows = await super().waiting_for(address, shard, limit=limit)
        if self.gate is not None:
            await self.gate.wait()
        return rows


async def node(till: Till, *, owning: bool = True, limits: Limits | None = None) -> tuple[LocalNode, SlowReads]:
    store = SlowReads(LocalNode([till]).ports)
    return await LocalNode([till], store, limits).start(owning=owning), store


def all_shards(local: LocalNode) -> frozenset[int]:
    return frozenset(range(local.limits.shards_per_kind))


def is_watched(local: LocalNode) -> bool:
    return not local.router.watches.is_empty


def test_a_loss_during_a_take_over_leaves_nothing_taken() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till, owning=False)
        post = Post(local)
        await post.store(post.bill(1))
        store.gate = asyncio.Event()
        taking = asyncio.ensure_future(local.shards.take_over("billing", all_shards(local)))
        await local.sleep(0.1)
        local.shards.on_lease_lost("the lease ran out")
        store.gate.set()
        await taking
        await post.send(post.bill(2))
        await local.sleep(30)
        assert till.runs == []
        assert local.shards.sweepers["billing"].shards == 0
        await local.stop()

    in_virtual_time(scenario)


def test_a_take_over_that_a_loss_has_ended_does_not_complete_the_next_one() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till, owning=False)
        gate = store.gate = asyncio.Event()
        first = asyncio.ensure_future(local.shards.take_over("billing", all_shards(local)))
        await local.sleep(0.1)
        local.shards.on_lease_lost("the lease ran out")
        store.gate = asyncio.Event()
        second = asyncio.ensure_future(local.shards.take_over("billing", all_shards(local)))
        await local.sleep(0.1)
        gate.set()
        await first
        assert local.shards.sweepers["billing"].shards == 0
        store.gate.set()
        await second
        assert local.shards.sweepers["billing"].shards == local.limits.shards_per_kind
        await local.stop()

    in_virtual_time(scenario)


def test_a_take_over_that_the_store_ends_can_be_repeated() -> None:
    async def scenario() -> None:
        class Unreadable(SlowReads):
            broken = True

            async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
                if self.broken:
                    raise StoreUnavailable("no timers today")
                return await super().due(kind, shards, before_s=before_s, limit=limit)

        till = Till()
        store = Unreadable(LocalNode([till]).ports)
        local = await LocalNode([till], store).start(owning=False)
        post = Post(local)
        try:
            await local.shards.take_over("billing", all_shards(local))
        except StoreUnavailable:
            pass
        await post.send(post.bill(1))
        await local.sleep(5)
        assert till.runs == []
        store.broken = False
        await local.shards.take_over("billing", all_shards(local))
        await local.sleep(1)
        assert till.runs == [1]
        await local.stop()

    in_virtual_time(scenario)


def test_a_sweep_that_was_under_way_when_a_shard_was_released_starts_no_turn() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till)
        post = Post(local)
        await post.store(post.bill(1))
        store.gate = asyncio.Event()
        await local.sleep(5)
        await local.shards.release("billing", all_shards(local))
        store.gate.set()
        await local.sleep(5)
        assert till.runs == []
        await local.stop()

    in_virtual_time(scenario)


def test_a_reading_that_was_under_way_when_a_shard_was_released_starts_no_turn() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till)
        post = Post(local)
        first = post.bill(1)
        await post.store(first)
        store.commits_fail, store.gate = 1, asyncio.Event()
        await post.push(first)
        await local.sleep(1.5)  # its turn failed, and its mail is being read again
        await local.shards.release("billing", all_shards(local))
        store.gate.set()
        await local.sleep(10)
        assert till.runs == [1], "only the one that could not commit"
        await local.stop()

    in_virtual_time(scenario)


def test_a_failed_commit_after_a_loss_brings_no_actor_back() -> None:
    async def scenario() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local, store = await node(till)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        store.commits_fail = 1
        local.shards.on_lease_lost("the lease ran out")
        till.hangs[1].set()
        await local.sleep(10)
        assert till.runs == [1]
        assert len(local.shards.sweepers["billing"].residents) == 0
        await local.stop()

    in_virtual_time(scenario)


def test_a_handler_that_hangs_over_a_loss_and_a_new_taking_commits_once_in_all() -> None:
    async def scenario() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local, _ = await node(till)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        local.shards.on_lease_lost("the lease ran out")
        await local.shards.take_over("billing", all_shards(local))
        await local.sleep(0.1)
        await post.send(post.bill(2))
        till.hangs[1].set()
        await local.sleep(5)
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_release_waits_for_a_handler_that_hangs_and_for_its_commit() -> None:
    async def scenario() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local, _ = await node(till)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        releasing = asyncio.ensure_future(local.shards.release("billing", all_shards(local)))
        await local.sleep(1)
        await post.send(post.bill(2))
        assert not releasing.done()
        till.hangs[1].set()
        await releasing
        assert await post.order() == ["1"]
        await local.sleep(10)
        assert till.runs == [1]
        await local.stop()

    in_virtual_time(scenario)


def test_a_push_for_a_shard_being_taken_is_kept_when_another_take_over_begins() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till, owning=False, limits=Limits(sweep_s=60.0))
        post = Post(local)
        others = all_shards(local) - {post.shard}
        gate = store.gate = asyncio.Event()
        first = asyncio.ensure_future(local.shards.take_over("billing", frozenset((post.shard,))))
        await local.sleep(0.1)
        await post.send(post.bill(1))  # after the sweep has read
        store.gate = None
        await local.shards.take_over("billing", others)
        gate.set()
        await first
        await local.sleep(0.1)
        assert till.runs == [1]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_a_shard_that_pushes_never_cease_to_come_for_becomes_live_all_the_same() -> None:
    async def scenario() -> None:
        till = Till()
        local, _ = await node(till, owning=False, limits=Limits(sweep_s=1.0))
        post, reads = Post(local), 0

        async def read(shards: list[int]) -> None:
            nonlocal reads
            await local.shards.sweepers["billing"].read_everything(shards)
            reads += 1
            await post.send(post.bill(reads))  # after it has read
            await local.sleep(0.01)

        await asyncio.wait_for(local.shards.sweepers["billing"].ownership.take_over(all_shards(local), read), 5)
        assert post.shard in local.shards.sweepers["billing"].ownership.live
        await post.send(post.bill(reads + 1))
        await local.sleep(5)
        assert await post.order() == [str(number) for number in range(1, reads + 2)]
        await local.stop()

    in_virtual_time(scenario)


def test_who_watched_an_actor_of_a_released_shard_is_forgotten() -> None:
    async def scenario() -> None:
        local, _ = await node(Till())
        post = Post(local)
        for address in ("billing/ORD-1", "billing/ORD-2", "no address"):
            local.router.watches.on_watch(mesh_pb2.Watch(address=address, node="peer"))
        await local.shards.release("billing", all_shards(local) - {post.shard})
        assert is_watched(local)
        await local.shards.release("billing", frozenset((post.shard,)))
        local.router.on_peer_lost("peer")
        assert not is_watched(local)
        await local.stop()

    in_virtual_time(scenario)


def test_i7_a_gap_that_comes_while_a_shard_is_taken_has_it_read_again() -> None:
    async def scenario() -> None:
        till = Till()
        local, store = await node(till, owning=False, limits=Limits(sweep_s=60.0))
        post = Post(local)
        gate = store.gate = asyncio.Event()
        taking = asyncio.ensure_future(local.shards.take_over("billing", all_shards(local)))
        await local.sleep(0.1)
        await post.store(post.bill(1))  # after the sweep has read, and its push was shed
        store.gate = None
        await post.push(missed_pushes=True)
        gate.set()
        await taking
        await post.send(post.bill(2))
        await local.sleep(0.1)
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)
