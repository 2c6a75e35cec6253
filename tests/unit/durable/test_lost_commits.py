"""A store that loses what it has confirmed, as one does when a standby takes over: what a node remembers gives way."""

from __future__ import annotations

import asyncio

import pytest

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.testing.rules.saved_tables import SavedTables
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


def test_mail_whose_turn_the_store_has_lost_is_run_again_though_the_node_remembers_it() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        first = post.bill(1)
        await post.store(first)
        before = SavedTables(local.store)
        await post.push(first)
        await local.sleep(0.1)
        assert await post.order() == ["1"]
        before.turn_back()
        await local.sleep(20)
        assert (await post.order(), (await post.state()).charges) == (["1"], 1)
        assert await local.mail("billing", "ORD-1") == []
        assert till.runs == [1, 1]
        await local.stop()

    in_virtual_time(scenario)


def test_an_actor_that_knows_more_than_the_store_goes_on_from_what_the_store_has() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        before = SavedTables(local.store)
        await post.send(post.bill(2))
        await local.sleep(0.1)
        assert await post.order() == ["1", "2"]
        before.turn_back()
        await post.send(post.bill(3))
        await local.sleep(5)
        assert await post.order() == ["1", "3"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_turn_that_runs_while_its_actor_is_found_to_know_too_much_is_not_committed_on_top_of_what_was_lost() -> None:
    async def scenario() -> None:
        hangs = asyncio.Event()
        till = Till(hangs={2: hangs})
        local = await LocalNode([till]).start()
        post = Post(local)
        first, second = post.bill(1), post.bill(2)
        await post.store(first, second)
        before = SavedTables(local.store)
        await post.push(first)
        await local.sleep(0.1)
        await post.push(second)
        await local.sleep(0.1)
        assert (till.runs, await post.order()) == ([1, 2], ["1"])
        before.turn_back()
        await local.sleep(20)
        hangs.set()
        await local.sleep(20)
        assert (await post.order(), (await post.state()).charges) == (["1", "2"], 2)
        assert await local.mail("billing", "ORD-1") == []
        await local.stop()

    in_virtual_time(scenario)


def test_however_many_actors_have_lost_a_turn_at_once_each_runs_it_again_once() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        posts = [Post(local, f"ORD-{number}") for number in range(100)]
        bills = [post.bill(number) for number, post in enumerate(posts)]
        for post, bill in zip(posts, bills, strict=True):
            await post.store(bill)
        before = SavedTables(local.store)
        for post, bill in zip(posts, bills, strict=True):
            await post.push(bill)
        await local.sleep(0.5)
        assert sorted(till.runs) == list(range(100))
        before.turn_back()
        await local.sleep(20)
        assert sorted(till.runs) == sorted([*range(100), *range(100)])
        assert [await post.order() for post in posts] == [[str(number)] for number in range(100)]
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("again", [1, 2])
def test_only_a_second_sweep_that_finds_what_has_run_is_a_reason_to_doubt(again: int) -> None:
    """The first may have read before the turn was committed."""

    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        bill = post.bill(1)
        await post.store(bill)
        (row,) = await local.mail("billing", "ORD-1")
        before = SavedTables(local.store)
        await post.push(bill)
        await local.sleep(0.1)
        before.turn_back()
        residents = local.shards.sweepers["billing"].residents
        for _ in range(again):
            assert residents.deliver_row(row, local.ports.clock.now_s())
        await local.sleep(0.1)
        assert till.runs == [1] * again
        await local.stop()

    in_virtual_time(scenario)


def test_a_turn_that_runs_again_sends_the_same_under_the_same_id_and_what_it_decides_otherwise_under_another() -> None:
    """Else who holds what was pushed before would take the one for the other."""

    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        bill = post.bill(1)
        await post.store(bill)
        before = SavedTables(local.store)
        sent = []
        for amount in (5, 5, 6):
            later_s = local.ports.clock.now_s() + 1_000.0
            till.sends = {1: Outgoing(BillOrder(order_id="ORD-2", amount_cents=amount), due_at_s=later_s)}
            await post.push(bill)
            await local.sleep(0.1)
            sent.append([row.id for row in await local.mail("billing", "ORD-2")])
            await local.stop()
            before.turn_back()
            before = SavedTables(local.store)
            local = await LocalNode([till], local.store).start()
            post.local = local
        first, same, other = sent
        assert len(first) == 1
        assert first == same != other
        await local.stop()

    in_virtual_time(scenario)


def test_who_remembers_a_turn_that_was_lost_cannot_go_on_from_another_of_the_same_message() -> None:
    """The revision is the same, and the message that made it; what came of it is not."""

    async def scenario() -> None:
        remembers = await LocalNode([Till()]).start()
        post = Post(remembers)
        bill = post.bill(1)
        await post.store(bill)
        before = SavedTables(remembers.store)
        await post.push(bill)
        await remembers.sleep(0.1)
        before.turn_back()
        later_s = remembers.ports.clock.now_s() + 1_000.0
        other = await LocalNode([Till(timers={1: SetTimer("later", later_s)})], remembers.store).start()
        await other.sleep(0.5)
        await other.stop()
        row = await other.row("billing", "ORD-1")
        assert (row.revision, row.due_at_s) == (1, later_s)
        await post.send(post.bill(2))
        await remembers.sleep(0.5)
        row = await remembers.row("billing", "ORD-1")
        assert (row.revision, row.due_at_s) == (2, later_s), "it has read what the other wrote"
        assert await post.order() == ["1", "2"]
        await remembers.stop()

    in_virtual_time(scenario)
