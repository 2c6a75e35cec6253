"""One message id for two commands: only one of them is handled, and whoever sent the other is told so."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.message import Message

from actors.billing import Billing
from actors.sales import Sales
from protos.billing_pb2 import BillOrder, BillState, RefundOrder
from protos.sales_pb2 import CancelOrder
from runtime.durable.client import CommandOutcome
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.errors import InvalidMessage
from tests.unit.durable.local import LocalNode, in_virtual_time

ID = b"\xff" * 16
FIRST = BillOrder(order_id="ORD-1", amount_cents=5)
OTHERS: dict[str, Message] = {
    "shop.CancelOrder for sales/ORD-1": CancelOrder(order_id="ORD-1"),
    "shop.BillOrder for billing/ORD-2": BillOrder(order_id="ORD-2"),
    "shop.RefundOrder for billing/ORD-1": RefundOrder(order_id="ORD-1"),
}


async def a_node(*, owning: bool = True) -> LocalNode:
    return await LocalNode([ServiceBehaviour(Billing), ServiceBehaviour(Sales)]).start(owning=owning)


@pytest.mark.parametrize("other", OTHERS)
def test_a_second_command_under_the_id_of_one_that_was_handled_is_refused_and_both_are_named(other: str) -> None:
    async def scenario() -> None:
        node = await a_node()
        await node.send(FIRST, message_id=ID)
        with pytest.raises(InvalidMessage) as refused:
            await node.send(OTHERS[other], message_id=ID)
        assert "shop.BillOrder for billing/ORD-1" in str(refused.value)
        assert other in str(refused.value)
        assert await node.send(FIRST, message_id=ID) is None, "the first one is still known"
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("conversation", [b"", b"c" * 16])
@pytest.mark.parametrize("other", OTHERS)
def test_of_two_commands_that_wait_under_one_id_the_second_is_refused_while_the_first_waits(
    other: str, conversation: bytes
) -> None:
    async def scenario() -> None:
        node = await a_node(owning=False)

        def send(command: Message) -> asyncio.Task[CommandOutcome]:
            sending = node.client.ask(command, timeout=20.0, message_id=ID, conversation=conversation)
            return asyncio.create_task(sending)

        calls = [send(one) for one in (FIRST, OTHERS[other])]
        await node.sleep(0.5)
        assert [call.done() for call in calls] == [False, True]
        refused = calls[1].exception()
        assert isinstance(refused, InvalidMessage)
        assert "shop.BillOrder for billing/ORD-1" in str(refused)
        assert other in str(refused)
        for address in (("billing", "ORD-2"), ("sales", "ORD-1")):
            assert await node.mail(*address) == [], "what was refused does not wait"
        for kind in node.shards.sweepers:
            await node.shards.take_over(kind, frozenset(range(node.limits.shards_per_kind)))
        assert not (await calls[0]).fault
        await node.stop()

    in_virtual_time(scenario)


def test_the_same_command_sent_again_under_its_id_is_one_command() -> None:
    async def scenario() -> None:
        node = await a_node()
        for _ in range(3):
            await node.send(FIRST, message_id=ID)
        assert BillState.FromString((await node.row("billing", "ORD-1")).state).charges == 1
        await node.stop()

    in_virtual_time(scenario)
