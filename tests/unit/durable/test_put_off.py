"""Mail of an instance whose version a node lacks waits for a node that has it, within a bound."""

from __future__ import annotations

from typing import Any, cast

import pytest

from protos.billing_pb2 import OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durable.kind import Limits, MessageParked
from runtime.durable.turn.unhandled import MessagePutOff
from runtime.durations import seconds
from runtime.envelope import Envelope, shard_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow, Transition
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.saga.shop import ShopProcess, begin, bill_order

ADDRESS = ("order-process", "ORD-1")


class Newer(Saga[OrderProcessState], kind="order-process"):
    """Of the same name as ShopProcess, with other steps; it knows nothing of labels."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(1), no_undo="nothing of it has to be taken back")
    flow = bill


async def instance(of: type[Saga[Any]], store: MemoryStore | None = None, limits: Limits | None = None) -> LocalNode:
    return await LocalNode([SagaBehaviour(of)], store, limits).start()


async def tell(node: LocalNode, number: int, message: OrderBilled | ShippingLabelCreated, type_: str = "") -> None:
    """An answer to a question that was never asked: the version that began the instance ignores it."""
    envelope = Envelope(
        id=number.to_bytes(16, "big"),
        kind=ADDRESS[0],
        key=ADDRESS[1],
        type=type_ or message.DESCRIPTOR.full_name,
        body=message.SerializeToString(),
        conversation=b"T" * 16,
        cause=b"",
        sender="billing/ORD-1",
        in_reply_to=b"q" * 16,
        sent_at_s=node.ports.clock.now_s(),
        sequence=number,
    )
    row = MailRow.of(envelope, shard_of(ADDRESS[1], node.limits.shards_per_kind))
    await node.store.commit([Transition(mail=(row,))])


async def begun(limits: Limits | None = None) -> LocalNode:
    """A node whose build is newer than the one that began ORD-1."""
    node = await instance(ShopProcess, limits=limits)
    await node.send(OrderPlaced(order_id="ORD-1", amount_cents=1), kind=ADDRESS[0])
    await node.stop()
    return await instance(Newer, node.store, limits)


@pytest.mark.parametrize("message", [OrderBilled(order_id="ORD-1"), ShippingLabelCreated(order_id="ORD-1")])
def test_mail_waits_for_its_version_uncounted_and_in_order_and_is_handled_once_that_is_back(
    message: OrderBilled | ShippingLabelCreated,
) -> None:
    async def scenario() -> None:
        node = await begun()
        for number in (1, 2):
            await tell(node, number, message)
        await node.sleep(600)
        rows = await node.mail(*ADDRESS)
        assert [(row.attempts, row.parked) for row in rows] == [(0, ""), (0, "")]
        told = cast("list[MessagePutOff]", node.facts_of(MessagePutOff))
        assert 10 < len(told) < 40 and max(one.again_in_s for one in told) == 60
        assert ShopProcess.definition.fingerprint.hex() in told[0].error
        await node.stop()
        back = await instance(ShopProcess, node.store)
        await back.sleep(61)
        assert await back.mail(*ADDRESS) == []
        assert not back.facts_of(MessageParked)
        await back.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("type_", ["sales.OrderAmended", ShippingLabelCreated.DESCRIPTOR.full_name])
def test_what_would_begin_an_instance_and_only_another_build_knows_is_put_off_and_never_parked_at_once(
    type_: str,
) -> None:
    """Of a type that no contract here has, and of one that this version is not started by."""

    async def scenario() -> None:
        node = await instance(Newer, limits=Limits(version_wait_s=300))
        await tell(node, 1, ShippingLabelCreated(order_id="ORD-1"), type_)
        await node.sleep(290)
        (row,) = await node.mail(*ADDRESS)
        assert (row.attempts, row.parked) == (0, "")
        assert f"{type_} for order-process/ORD-1" in cast("list[MessagePutOff]", node.facts_of(MessagePutOff))[0].error
        await node.sleep(80)
        (row,) = await node.mail(*ADDRESS)
        assert "another version of order-process" in row.parked
        await node.stop()

    in_virtual_time(scenario)


def test_a_client_that_asks_a_saga_for_what_no_version_is_known_to_take_hears_so_at_once() -> None:
    async def scenario() -> None:
        node = await instance(Newer)
        command = ShippingLabelCreated(order_id="ORD-1")
        reply = await node.client.ask(command, kind=ADDRESS[0], key="ORD-1", timeout=20.0)
        assert "order-process has no handler for shop.ShippingLabelCreated" in reply.fault
        assert not node.facts_of(MessagePutOff)
        await node.stop()

    in_virtual_time(scenario)


def test_what_nobody_can_know_is_parked_at_once_by_the_version_that_began_the_instance() -> None:
    async def scenario() -> None:
        node = await instance(ShopProcess)
        await node.send(OrderPlaced(order_id="ORD-1", amount_cents=1), kind=ADDRESS[0])
        await tell(node, 1, OrderBilled(order_id="ORD-1"), "sales.OrderAmended")
        await node.sleep(5)
        (row,) = [one for one in await node.mail(*ADDRESS) if one.sequence == 1]
        assert row.parked and not node.facts_of(MessagePutOff)
        await node.stop()

    in_virtual_time(scenario)


def test_mail_that_has_waited_too_long_is_parked_with_the_version_that_is_missing() -> None:
    async def scenario() -> None:
        node = await begun(Limits(version_wait_s=300))
        await tell(node, 1, OrderBilled(order_id="ORD-1"))
        await node.sleep(290)
        assert not node.facts_of(MessageParked)
        await node.sleep(80)
        (row,) = await node.mail(*ADDRESS)
        assert ShopProcess.definition.fingerprint.hex() in row.parked
        record = SagaRecord.FromString((await node.row(*ADDRESS)).state)
        assert record.fingerprint == ShopProcess.definition.fingerprint
        await node.stop()

    in_virtual_time(scenario)
