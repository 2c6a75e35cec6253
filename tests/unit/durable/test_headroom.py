"""A node at which too much waits takes no new commands, says so, and takes them again once half of it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from runtime.durable.kind import Limits
from runtime.durable.region.headroom import CommandsRefused, CommandsTaken
from runtime.errors import BacklogFull, NoSuchSaga, Overloaded
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

ID = b"\xff" + bytes(15)
NEW = BillOrder(order_id="NEW-1", amount_cents=7)


def _full(scenario: Callable[[LocalNode, Till], Awaitable[None]], *, waiting: int = 11, backlog_max: int = 10) -> None:
    """A node at which so many bills wait behind one that hangs."""

    async def run() -> None:
        till = Till(hangs={1: asyncio.Event()})
        local = LocalNode([till], limits=Limits(sweep_s=0.5), backlog_max=backlog_max)
        await local.start()
        post = Post(local)
        await post.send(*(post.bill(1) for _ in range(waiting)))
        await local.sleep(2.0)
        await scenario(local, till)
        await local.stop()

    in_virtual_time(run)


def test_a_new_command_is_refused_with_the_cause_the_cure_and_a_time_and_is_not_stored() -> None:
    async def scenario(local: LocalNode, _: Till) -> None:
        for call in (local.client.send, local.client.ask):
            with pytest.raises(
                BacklogFull, match=r"11 messages wait at node node, .* backlog_max of 10, .* until 5 are"
            ) as caught:
                await call(NEW)
            assert caught.value.retry_after_s >= 0.5
            assert isinstance(caught.value, Overloaded)
        assert await local.mail("billing", "NEW-1") == []

    _full(scenario)


@pytest.mark.parametrize(("waiting", "backlog_max"), [(10, 10), (500, 0)])
def test_what_waits_within_the_limit_or_where_there_is_none_closes_nothing(waiting: int, backlog_max: int) -> None:
    async def scenario(local: LocalNode, _: Till) -> None:
        assert await local.send(NEW)
        assert local.facts_of(CommandsRefused) == []

    _full(scenario, waiting=waiting, backlog_max=backlog_max)


def test_the_door_stays_closed_until_half_of_the_limit_is_left_and_each_change_is_logged_once() -> None:
    async def scenario(local: LocalNode, till: Till) -> None:
        headroom = local.headroom
        headroom.found("billing", 6)
        with pytest.raises(BacklogFull):
            await local.client.send(NEW)
        headroom.found("billing", 11)
        headroom.found("billing", 5)
        assert await local.client.send(NEW)
        assert [fact.waiting for fact in local.facts_of(CommandsRefused)] == [11]  # type: ignore[attr-defined]
        (taken,) = local.facts_of(CommandsTaken)
        assert isinstance(taken, CommandsTaken)
        assert (taken.waiting, taken.refused) == (5, 1)

    _full(scenario)


def test_once_the_mail_is_done_commands_are_taken_again() -> None:
    async def scenario(local: LocalNode, till: Till) -> None:
        till.hangs[1].set()
        await local.sleep(5.0)
        assert await local.send(NEW)
        assert len(local.facts_of(CommandsTaken)) == 1

    _full(scenario)


def test_a_command_that_was_accepted_before_is_not_new_whether_it_waits_or_was_handled() -> None:
    async def scenario(local: LocalNode, till: Till) -> None:
        local.headroom.found("billing", 0)
        outcome = await local.client.ask(NEW, message_id=ID)
        waits = b"\xff\xff" + bytes(14)
        await local.client.send(BillOrder(order_id="ORD-1", amount_cents=2), message_id=waits)
        local.headroom.found("billing", 11)
        again = await local.client.ask(NEW, message_id=ID)
        assert (again.id, again.fault) == (outcome.id, "")
        assert (await local.client.send(BillOrder(order_id="ORD-1", amount_cents=2), message_id=waits)).id == waits
        with pytest.raises(BacklogFull):
            await local.client.send(RefundOrder(order_id="NEW-2"), message_id=b"\xff" * 16)

    _full(scenario)


def test_what_goes_on_with_a_conversation_is_taken_and_so_is_a_cancellation() -> None:
    async def scenario(local: LocalNode, _: Till) -> None:
        accepted = await local.client.send(NEW, conversation=ID)
        assert accepted.conversation == ID
        with pytest.raises(NoSuchSaga):
            await local.client.cancel("billing", "NOBODY", "changed our mind")

    _full(scenario)


def test_what_queues_for_the_store_counts_as_well() -> None:
    async def scenario(local: LocalNode, _: Till) -> None:
        first = [asyncio.ensure_future(local.client.send(BillOrder(order_id=f"X-{n}"))) for n in range(12)]
        results = await asyncio.gather(*first, return_exceptions=True)
        assert sum(isinstance(one, BacklogFull) for one in results) == 1, "eleven were queued when the last one came"

    _full(scenario, waiting=0)


def test_mail_that_waits_for_a_retry_closes_no_door_to_others() -> None:
    async def run() -> None:
        till = Till(broken={1})
        local = await LocalNode([till], limits=Limits(sweep_s=0.5), backlog_max=10).start()
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(0.1)
        await post.send(*(post.bill(2) for _ in range(50)))
        await local.sleep(2.0)
        assert till.runs == [1], "the others wait behind the one that failed"
        assert await local.send(NEW)
        await local.stop()

    in_virtual_time(run)


def test_messages_of_other_nodes_are_never_refused() -> None:
    async def scenario(local: LocalNode, till: Till) -> None:
        other = Post(local, "NEW-1")
        await other.send(other.bill(9), other.refund(other.bill(8)))
        await local.sleep(1.0)
        assert 9 in till.runs

    _full(scenario)
