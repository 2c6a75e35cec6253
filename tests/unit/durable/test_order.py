"""Messages of one sender to one actor take effect in the order sent, whatever was retried, declined or reloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import SetTimer
from runtime.durable.kind import Limits
from runtime.durable.region.kind_actor import PauseKind, ResumeKind
from runtime.durable.residence.intake import BacklogWanted
from runtime.envelope import Address
from runtime.errors import StoreUnavailable
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


async def node(till: Till, store: MemoryStore | None = None, limits: Limits | None = None) -> LocalNode:
    return await LocalNode([till], store, limits).start()


class Unsteady(MemoryStore):
    """A store that can be told to fail its next commits or reads."""

    commits_fail = 0
    reads_fail = 0

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.commits_fail:
            self.commits_fail -= 1
            raise StoreUnavailable("no commit today")
        return await super().commit(batch)

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        if self.reads_fail:
            self.reads_fail -= 1
            raise StoreUnavailable("no reads today")
        return await super().waiting_for(address, shard, limit=limit)


class Stale(MemoryStore):
    """A store whose answers, while there is a gate, are as old as their questions."""

    gate: asyncio.Event | None = None

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        rows = await super().waiting_for(address, shard, limit=limit)
        if self.gate is not None:
            await self.gate.wait()
        return rows


def test_a_retry_that_is_planned_while_its_actors_mail_is_read_still_waits_for_its_time() -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        hangs = till.hangs[1] = asyncio.Event()
        store = Stale(LocalNode([till]).ports)
        local = await node(till, store)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        assert till.runs == [1]
        store.gate = asyncio.Event()
        backlog = local.shards.sweepers["billing"].residents._backlog
        backlog.tell(("billing", "ORD-1"), post.shard, BacklogWanted())  # as when mail was declined
        await local.sleep(0.1)
        hangs.set()
        await local.sleep(0.1)
        store.gate.set()
        await local.sleep(3)
        assert till.runs == [1], "it ran before its retry was due"
        till.broken.clear()
        await local.sleep(10)
        assert till.runs == [1, 1]
        assert await post.order() == ["1"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_what_waits_in_memory_behind_a_message_that_is_retried_does_not_overtake_it() -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        local = await node(till, limits=Limits(turn_messages_max=4))
        post = Post(local)
        await post.send(*(post.bill(n) for n in range(1, 21)))
        await local.sleep(1)
        assert till.runs == [1]
        till.broken.clear()
        await local.sleep(10)
        assert await post.order() == [str(n) for n in range(1, 21)]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_what_comes_while_a_failed_turn_commits_does_not_overtake_it() -> None:
    async def scenario() -> None:
        till = Till(broken={1}, hangs={1: asyncio.Event()})
        local = await node(till)
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        await post.send(post.bill(2))
        till.hangs[1].set()
        await local.sleep(2)
        assert till.runs == [1]
        till.broken.clear()
        await local.sleep(10)
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_what_does_not_fit_into_a_turn_is_not_overtaken_by_what_waits_behind_it() -> None:
    async def scenario() -> None:
        till = Till()
        local = await node(till, limits=Limits(turn_messages_max=4, turn_bytes_max=400))
        post = Post(local)
        await post.send(*(post.bill(n, sku="x" * 100) for n in range(1, 41)))
        await local.sleep(1)
        assert await post.order() == [str(n) for n in range(1, 41)]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_after_a_commit_that_failed_nothing_overtakes_what_is_read_again() -> None:
    async def scenario() -> None:
        till = Till()
        local = LocalNode([till])
        store = Unsteady(local.ports)
        local = await node(till, store)
        post = Post(local)
        first, second = post.bill(1), post.bill(2)
        await post.store(first, second)
        store.commits_fail = 1
        await post.push(first)
        await local.sleep(0.1)
        await post.push(second)
        await local.sleep(3)
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_after_a_read_that_failed_nothing_overtakes_what_was_to_be_read() -> None:
    async def scenario() -> None:
        till = Till()
        local = LocalNode([till])
        store = Unsteady(local.ports)
        local = await node(till, store, Limits(sweep_s=30.0))
        post = Post(local)
        first, second = post.bill(1), post.bill(2)
        await post.store(first, second)
        store.commits_fail, store.reads_fail = 1, 1
        await post.push(first)
        await local.sleep(1.2)
        await post.push(second)
        await local.sleep(3)
        assert await post.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_a_timer_that_fails_neither_loses_nor_reorders_the_mail_beside_it() -> None:
    async def scenario() -> None:
        till = Till(broken={7}, hangs={1: asyncio.Event()})
        local = await node(till, limits=Limits(sweep_s=30.0))
        due_s = local.ports.clock.now_s() + 1.0
        till.timers[9] = SetTimer("again", due_s, BillOrder(order_id="ORD-1", amount_cents=7))
        post = Post(local)
        await post.send(post.bill(9))
        await local.sleep(0.5)
        await post.send(post.bill(1))  # hangs while the timer and the next two queue behind it
        await local.sleep(1)
        await post.send(post.bill(2), post.bill(3))
        till.hangs[1].set()
        await local.sleep(0.1)
        await post.send(post.bill(4))
        await local.sleep(1)
        assert await post.order() == ["9", "1", "2", "3", "4"]
        till.broken.clear()
        await local.sleep(10)
        assert await post.order() == ["9", "1", "2", "3", "4", "7"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_mail_that_was_declined_for_want_of_room_is_not_overtaken_once_there_is_room() -> None:
    async def scenario() -> None:
        till = Till(hangs={100: asyncio.Event(), 101: asyncio.Event()})
        local = await node(till, limits=Limits(activations_max=2, sweep_s=30.0))
        busy = [Post(local, "A"), Post(local, "B")]
        for number, post in enumerate(busy, 100):
            await post.send(post.bill(number))
        await local.sleep(0.1)
        late = Post(local, "C")
        await late.send(late.bill(1))  # declined: all room is taken
        for event in till.hangs.values():
            event.set()
        await local.sleep(0.1)
        await late.send(late.bill(2))
        await local.sleep(0.1)
        assert await late.order() == ["1", "2"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_mail_that_waits_for_a_paused_kind_is_not_overtaken_although_the_actor_left_memory() -> None:
    async def scenario() -> None:
        till = Till()
        local = await node(till, limits=Limits(idle_s=1.0, sweep_s=30.0))
        post = Post(local)
        local.roots["billing"].try_tell(PauseKind())
        await local.sleep(0.1)
        first, second = post.bill(1), post.bill(2)
        await post.send(first)
        local.shards.sweepers["billing"].residents.passivate()
        local.shards.sweepers["billing"].residents.passivate()
        local.shards.sweepers["billing"].residents.passivate()
        await local.sleep(0.1)
        await post.store(second)
        local.shards.sweepers["billing"].residents.paused = False
        await post.push(second)
        await local.sleep(0.1)
        assert await post.order() == ["1", "2"]
        local.roots["billing"].try_tell(ResumeKind())
        await local.stop()

    in_virtual_time(scenario)


def test_an_actor_with_more_dead_letters_than_its_mailbox_holds_still_gets_its_mail() -> None:
    async def scenario() -> None:
        till = Till()
        local = await node(till, limits=Limits(mailbox_max=8))
        post = Post(local)
        await post.send(*(post.bill(n, type="shop.Nonsense") for n in range(20)))
        await local.sleep(5)
        await post.send(*(post.bill(n) for n in range(1, 21)))
        await local.sleep(5)
        assert await post.order() == [str(n) for n in range(1, 21)]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_a_gap_with_more_mail_than_one_sweep_reads_lets_nothing_overtake() -> None:
    async def scenario() -> None:
        till = Till()
        local = await node(till, limits=Limits(sweep_s=30.0))
        post, other = Post(local), Post(local, "ORD-2")
        await other.store(*(other.bill(n) for n in range(1100)))
        await local.sleep(0.1)
        first, second = post.bill(1), post.bill(2)
        await post.store(first, second)
        await post.push(second, missed_pushes=True)
        await local.sleep(5)
        assert await post.order() == ["1", "2"]
        assert len(await other.order()) == 1100
        await local.stop()

    in_virtual_time(scenario)


def test_i7_an_actor_read_anew_is_not_overtaken_when_more_waits_than_one_reading_takes() -> None:
    async def scenario() -> None:
        till = Till()
        store = Unsteady(LocalNode([till]).ports)
        local = await node(till, store, Limits(mailbox_max=2, sweep_s=60.0))
        post = Post(local)
        first = post.bill(1)
        await post.store(first)
        store.commits_fail = 1
        await post.push(first)
        await local.sleep(0.1)  # its commit has failed, and the actor is read anew after a second
        await post.store(post.bill(2), post.bill(3))
        await local.sleep(1.5)
        await post.send(post.bill(4))
        await local.sleep(0.1)
        assert await post.order() == ["1", "2", "3", "4"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_mail_that_waits_for_a_paused_kind_is_not_overtaken_although_the_actor_has_ended() -> None:
    async def scenario() -> None:
        till = Till(hangs={1: asyncio.Event()}, ends=True)
        local = await node(till, limits=Limits(sweep_s=30.0))
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        local.shards.sweepers["billing"].residents.paused = True
        await post.send(post.bill(2))
        till.hangs[1].set()
        await local.sleep(0.1)
        assert len(local.shards.sweepers["billing"].residents) == 0, "it has left memory"
        local.shards.sweepers["billing"].residents.paused = False
        await post.send(post.bill(3))
        await local.sleep(0.1)
        assert await post.order() == ["1", "2", "3"]
        await local.stop()

    in_virtual_time(scenario)


def test_i7_a_gap_that_comes_while_an_actors_mail_is_read_is_not_forgotten_when_that_ends() -> None:
    async def scenario() -> None:
        till = Till()
        store = Stale(LocalNode([till]).ports)
        local = await node(till, store, Limits(sweep_s=30.0))
        post, other = Post(local), Post(local, "ORD-2")
        await post.send(post.bill(0))
        gate = store.gate = asyncio.Event()
        local.shards.sweepers["billing"].residents._backlog.tell(("billing", "ORD-1"), post.shard, BacklogWanted())
        await local.sleep(0.01)
        await other.store(*(other.bill(n) for n in range(1100)))
        await local.sleep(0.01)
        first, second = post.bill(1), post.bill(2)
        await post.store(first, second)
        await local.router.sweep_all()  # it reads a thousand
        gate.set()
        store.gate = None
        await local.sleep(0.01)
        await post.push(second)
        await local.sleep(5)
        assert await post.order() == ["0", "1", "2"]
        await local.stop()

    in_virtual_time(scenario)
