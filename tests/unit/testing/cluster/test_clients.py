"""A test's cluster offers all that a client can do: send, ask, read, watch, cancel a saga."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from actors.catalogue import catalogue
from protos.sales_pb2 import ORCHESTRATION, OrderLine, OrderPlaced, OrderState, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked, StockState
from runtime.errors import InvalidMessage, NoSuchSaga
from runtime.protos.saga_pb2 import CancelAccepted, SagaRecord
from runtime.testing import NodeDown
from runtime.testing.fixtures import MakeCluster

APART = {name: [name] for name in ("sales", "billing", "warehouse", "orchestration")}
ORDER = PlaceOrder(order_id="ORD-1", line=OrderLine(sku="lamp", quantity=1), amount_cents=100, flow=ORCHESTRATION)


async def test_a_command_is_sent_and_lies_in_its_mailbox_at_once(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=APART)
    cluster.kill("sales")
    accepted = await cluster.client("billing").send(ORDER)
    assert len(accepted.id) == 16
    await cluster.restart("sales")
    await cluster.at_rest()
    assert (await cluster.state("sales", "ORD-1", OrderState)).order_id == "ORD-1"


async def test_one_id_is_one_command_however_often_it_is_sent(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    id = b"\xff" * 16
    assert await cluster.send(Restock(sku="lamp", quantity=9), Restocked, message_id=id)
    assert await cluster.send(Restock(sku="lamp", quantity=9), message_id=id) is None
    assert (await cluster.state("warehouse", "lamp", StockState)).on_hand == 9
    with pytest.raises(InvalidMessage):
        await cluster.client().ask(Restock(sku="chair", quantity=1), message_id=id, timeout=timedelta(seconds=5))


async def test_an_actor_is_read_and_watched(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    client = cluster.client("node-2")
    assert await client.read("warehouse", "lamp") is None
    async with client.watch("warehouse", "lamp") as changes:
        for quantity in (4, 5):
            await cluster.send(Restock(sku="lamp", quantity=quantity), Restocked)
            seen = await anext(changes)
            assert isinstance(seen.state, StockState)
        assert isinstance(seen.state, StockState) and seen.state.on_hand == 9
    found = await client.read("warehouse", "lamp")
    assert found is not None and found.revision == seen.revision


async def test_a_watch_ends_with_its_node(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=2)
    with pytest.raises(NodeDown):
        async with cluster.client("node-2").watch("warehouse", "lamp") as changes:
            next_one = asyncio.ensure_future(anext(changes))
            await cluster.advance(1.0)
            cluster.kill("node-2")
            await next_one
    with pytest.raises(NodeDown):
        async with cluster.client("node-2").watch("warehouse", "lamp"):
            pass


async def test_a_saga_is_cancelled(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=APART)
    client = cluster.client("orchestration")
    with pytest.raises(NoSuchSaga):
        await client.cancel("order-process", "ORD-1", "too early")
    cluster.kill("billing")
    await cluster.send(ORDER, OrderPlaced)
    await cluster.advance(2.0)
    outcome = await client.cancel("order-process", "ORD-1", "changed my mind")
    assert isinstance(outcome.message, CancelAccepted)
    await cluster.restart("billing")
    await cluster.at_rest()
    record = await cluster.state("order-process", "ORD-1", SagaRecord)
    assert record.status == SagaRecord.COMPENSATED
