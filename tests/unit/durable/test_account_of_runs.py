"""The history says of each message how often it was run, what it failed with, and what came of it."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder
from protos.sales_pb2 import CancelOrder
from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.durable.caused import came_of
from runtime.envelope import Envelope
from runtime.store.records import HistoryRow, Outcome
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import CONVERSATION, Post, Till


async def told_of(local: LocalNode, envelope: Envelope) -> HistoryRow:
    (row,) = await local.store.handled([(CONVERSATION, envelope.id)])
    assert row is not None
    return row


def test_s87_the_history_counts_the_runs_that_failed_before_the_one_that_did_not() -> None:
    async def scenario() -> None:
        till = Till(broken={2})
        local = await LocalNode([till]).start()
        post = Post(local)
        first, second = post.bill(1), post.bill(2)
        await post.send(first, second)
        await local.sleep(6)
        assert till.runs == [1, 2, 2]
        till.broken.clear()
        await local.sleep(60)
        assert [(await told_of(local, one)).attempts for one in (first, second)] == [1, 3]
        assert (await told_of(local, second)).outcome is Outcome.HANDLED
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("timers-of-failed-turns")
def test_s87_the_history_has_each_failed_run_of_a_timer_and_counts_them() -> None:
    async def scenario() -> None:
        till = Till(broken={2}, timers={1: SetTimer("again", 0.0, BillOrder(order_id="ORD-1", amount_cents=2))})
        local = await LocalNode([till]).start()
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(10)
        till.broken.clear()
        await local.sleep(60)
        fired = [row for row in await local.store.conversation(CONVERSATION) if row.sender == "billing/ORD-1"]
        assert [(row.outcome, row.attempts) for row in fired] == [
            (Outcome.FAULTED, 1),
            (Outcome.FAULTED, 2),
            (Outcome.FIRED, 3),
        ]
        assert ["the till is jammed" in row.error for row in fired] == [True, True, False]
        await local.stop()

    in_virtual_time(scenario)


def test_s87_the_history_says_what_a_message_led_to_and_what_led_to_it() -> None:
    async def scenario() -> None:
        sent = Outgoing(CancelOrder(order_id="ORD-9"), "sales", "ORD-9")
        local = await LocalNode([Till(sends={1: sent})]).start()
        post = Post(local)
        bill = post.bill(1, cause=b"c" * 16)
        await post.send(bill)
        await local.sleep(1)
        row = await told_of(local, bill)
        (caused,) = came_of(row).caused
        (mail,) = await local.mail("sales", "ORD-9")
        assert (caused.id, caused.address, caused.type) == (mail.id, "sales/ORD-9", "shop.CancelOrder")
        assert (row.type, row.sender, row.cause, row.revision) == ("shop.BillOrder", "tests/x", b"c" * 16, 1)
        await local.stop()

    in_virtual_time(scenario)
