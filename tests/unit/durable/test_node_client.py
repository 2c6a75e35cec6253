"""The client inside a node: what is accepted, what is refused, and what a saga is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from protos import billing_pb2
from protos.billing_pb2 import BillOrder
from protos.sales_pb2 import OrderLine
from runtime.errors import DeadlineExceeded, InvalidMessage, MessageTooLarge, NoSuchSaga
from runtime.store.records import Subscription
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Till
from tests.unit.operate.rows import actor, fill, join

ID = b"\xff" + bytes(15)
COMMAND = BillOrder(order_id="ORD-1", amount_cents=5)


def _with_node(scenario: Callable[[LocalNode], Awaitable[None]], *, owning: bool = True) -> None:
    async def run() -> None:
        local = await LocalNode([Till()]).start(owning=owning)
        await scenario(local)
        await local.stop()

    in_virtual_time(run)


def test_a_command_is_sent_once_it_lies_in_the_mailbox_though_nobody_handles_it() -> None:
    async def scenario(local: LocalNode) -> None:
        accepted = await local.client.send(COMMAND, timeout=timedelta(seconds=5))
        (row,) = await local.mail("billing", "ORD-1")
        assert (row.id, accepted.conversation) == (accepted.id, accepted.id)
        with pytest.raises(DeadlineExceeded, match=r"no outcome of shop\.BillOrder for billing/ORD-1 within 5 s"):
            await local.client.ask(COMMAND, timeout=timedelta(seconds=5), message_id=accepted.id)

    _with_node(scenario, owning=False)


def test_what_was_sent_may_be_sent_again_and_its_outcome_asked_for_by_its_id() -> None:
    async def scenario(local: LocalNode) -> None:
        for _ in range(2):
            assert (await local.client.send(COMMAND, message_id=ID)).id == ID
        outcome = await local.client.ask(COMMAND, message_id=ID)
        assert (outcome.fault, outcome.id) == ("", ID)
        found = await local.client.read("billing", "ORD-1")
        assert found is not None and (found.revision, found.conversation) == (1, ID)

    _with_node(scenario)


def test_one_id_for_two_commands_is_refused_when_they_are_sent() -> None:
    async def scenario(local: LocalNode) -> None:
        await local.client.send(COMMAND, message_id=ID)
        with pytest.raises(InvalidMessage, match="was used for two commands"):
            await local.client.send(billing_pb2.RefundOrder(order_id="ORD-1"), message_id=ID)

    _with_node(scenario)


@pytest.mark.parametrize("command", ["BillOrder", None, BillOrder])
def test_what_is_no_message_is_refused_by_name(command: Any) -> None:
    async def scenario(local: LocalNode) -> None:
        with pytest.raises(InvalidMessage, match="a command is a message such as"):
            await local.client.ask(command)

    _with_node(scenario)


@pytest.mark.parametrize(("kind", "hint"), [("biling", "the nearest is 'billing'"), ("x" * 9, "there are billing, ")])
def test_a_kind_that_nobody_knows_is_refused_with_the_nearest_and_nothing_waits_for_it(kind: str, hint: str) -> None:
    async def scenario(local: LocalNode) -> None:
        for call in (local.client.send, local.client.ask):
            with pytest.raises(InvalidMessage, match=f"knows a kind '{kind}', so nothing was sent; {hint}"):
                await call(COMMAND, kind=kind)
        assert await local.mail(kind, "ORD-1") == []

    _with_node(scenario)


@pytest.mark.parametrize("row", ["member", "shard", "subscription", "actor"])
def test_a_kind_of_which_the_store_has_heard_gets_its_mail_though_no_node_of_it_lives(row: str) -> None:
    async def scenario(local: LocalNode) -> None:
        if row == "member":
            await join(local.store, "old", kinds=("audit",), lease_s=0.0)
        elif row == "shard":
            await local.store.assign("audit", 0, owner="", expected_epoch=0)
        elif row == "subscription":
            await local.store.subscribe([Subscription("shop.OrderBilled", "audit", "order_id")], kind="audit")
        else:
            await fill(local.store, actor("audit"))
        await local.client.send(COMMAND, kind="audit")
        assert len(await local.mail("audit", "ORD-1")) == 1

    _with_node(scenario)


def test_an_option_that_there_is_not_is_refused_by_name() -> None:
    async def scenario(local: LocalNode) -> None:
        options: Any = {"timeout_s": 5.0}
        with pytest.raises(InvalidMessage, match="a command has no option 'timeout_s'; it has timeout, message_id, "):
            await local.client.ask(COMMAND, **options)

    _with_node(scenario)


def test_what_is_too_large_is_refused_before_it_is_stored() -> None:
    async def scenario(local: LocalNode) -> None:
        with pytest.raises(MessageTooLarge):
            await local.client.send(BillOrder(order_id="ORD-1", line=OrderLine(sku="x" * 2_000_000)))
        assert await local.mail("billing", "ORD-1") == []

    _with_node(scenario)


@pytest.mark.parametrize("timeout", [float("nan"), "5", None, True])
def test_a_timeout_that_is_no_span_of_time_is_refused(timeout: Any) -> None:
    async def scenario(local: LocalNode) -> None:
        for call in (local.client.ask, local.client.send):
            with pytest.raises(InvalidMessage, match="timeout is a timedelta or a number of seconds, not"):
                await call(COMMAND, timeout=timeout)

    _with_node(scenario)


@pytest.mark.parametrize("timeout", [0, -1, timedelta(days=-1)])
def test_a_timeout_that_is_over_gives_no_outcome(timeout: Any) -> None:
    async def scenario(local: LocalNode) -> None:
        with pytest.raises(DeadlineExceeded):
            await local.client.ask(COMMAND, timeout=timeout)

    _with_node(scenario)


def test_a_timeout_without_an_end_is_one_of_a_hundred_years() -> None:
    async def scenario(local: LocalNode) -> None:
        assert not (await local.client.ask(COMMAND, timeout=float("inf"))).fault

    _with_node(scenario)


def test_only_a_saga_that_has_begun_can_be_cancelled() -> None:
    async def scenario(local: LocalNode) -> None:
        with pytest.raises(NoSuchSaga, match="there is no saga trip/T-1"):
            await local.client.cancel("trip", "T-1", "no more wanted")
        await local.client.ask(COMMAND)
        with pytest.raises(InvalidMessage, match="billing/ORD-1 is a service and no saga"):
            await local.client.cancel("billing", "ORD-1", "no more wanted")

    _with_node(scenario)
