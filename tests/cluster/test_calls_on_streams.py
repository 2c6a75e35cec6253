"""Clients that do much at once, over streams to real nodes: nothing is lost or done twice when a node stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from protos import billing_pb2, orders_pb2, orders_pb2_grpc, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder
from protos.orders_pb2 import Placement, PlaceOrderRequest
from protos.sales_pb2 import READY_TO_SHIP, OrderConflict, OrderLine, OrderPlaced, PlaceOrder
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.client import CommandOutcome
from runtime.errors import InvalidMessage
from runtime.gateway.calls.served_stream import CallStreamEnded
from runtime.gateway.remote_client import connect
from runtime.host import Node
from runtime.ports import Fact
from runtime.protos import calls_pb2

CONTRACTS = (sales_pb2, billing_pb2, warehouse_pb2, orders_pb2)


@asynccontextmanager
async def _node(folder: Path, name: str, facts: list[Fact]) -> AsyncIterator[Node]:
    settings = Settings(store=f"sqlite:///{folder}/cluster.db", listen="127.0.0.1:0", name=name, drain_s=5.0)
    node = Node(settings, catalogue(), system_ports(facts.append), register=[register])
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def _place(number: int, quantity: int = 1) -> PlaceOrder:
    line = OrderLine(sku="CUP", quantity=quantity)
    return PlaceOrder(order_id=f"ORD-{number}", line=line, amount_cents=100)


async def test_commands_at_once_share_frames_and_each_has_an_outcome_of_its_own(tmp_path: Path) -> None:
    facts: list[Fact] = []
    async with _node(tmp_path, "a", facts) as node, connect(node.address, contracts=CONTRACTS) as client:
        await client.ask(_place(1))
        alone = BillOrder(order_id="ORD-1", amount_cents=5)
        wrong = client.send(alone, message_id=b"abc")
        asked = [client.ask(_place(number, quantity=2)) for number in range(1, 201)]
        refused, conflict, *placed = await asyncio.gather(wrong, *asked, return_exceptions=True)
        assert isinstance(refused, InvalidMessage) and "a message id has 16 bytes, not 3" in str(refused)
        assert isinstance(conflict, CommandOutcome) and isinstance(conflict.message, OrderConflict)
        assert all(isinstance(one, CommandOutcome) and isinstance(one.message, OrderPlaced) for one in placed)
    (ended,) = [fact for fact in facts if isinstance(fact, CallStreamEnded)]
    assert ended.calls == 200 and ended.frames <= 10


async def test_a_node_that_stops_sends_its_clients_on_and_no_order_is_missing(tmp_path: Path) -> None:
    facts: list[Fact] = []
    numbers = iter(range(600))
    async with (
        _node(tmp_path, "b", facts) as second,
        _node(tmp_path, "a", facts) as first,
        connect(first.address, second.address, contracts=CONTRACTS) as client,
    ):
        placed: list[CommandOutcome] = []
        some = asyncio.Event()

        async def customer() -> None:
            for number in numbers:
                placed.append(await client.ask(_place(number)))
                if len(placed) == 150:
                    some.set()

        customers = [asyncio.create_task(customer()) for _ in range(30)]
        await some.wait()
        await first.stop()
        await asyncio.gather(*customers)
        assert len(placed) == 600 and not any(outcome.fault for outcome in placed)
        rows = await second.store.load([("sales", f"ORD-{number}") for number in range(600)])
        assert all(row is not None for row in rows)
    streams = [fact for fact in facts if isinstance(fact, CallStreamEnded)]
    assert len(streams) >= 2 and sum(stream.calls for stream in streams) >= 500


async def test_orders_are_placed_over_their_own_stream(tmp_path: Path) -> None:
    async with (
        _node(tmp_path, "a", []) as node,
        grpc.aio.insecure_channel(node.address) as channel,
        asyncio.timeout(30),
    ):
        stub = orders_pb2_grpc.OrderServiceStub(channel)
        await stub.Restock(orders_pb2.RestockRequest(sku="CUP", quantity=100))
        stream = stub.PlaceOrders()
        await stream.read()
        orders = [PlaceOrderRequest(order_id=f"ORD-{n}", sku="CUP", quantity=n, wait=True) for n in range(5)]
        placements = [Placement(id=number, order=order) for number, order in enumerate(orders, 1)]
        await stream.write(orders_pb2.Placements(placements=placements))
        answers: dict[int, orders_pb2.PlacementAnswer] = {}
        while len(answers) < 5:
            frame = await stream.read()
            assert isinstance(frame, orders_pb2.PlacementAnswers)
            answers.update((answer.id, answer) for answer in frame.answers)
        assert (answers[1].code, answers[1].text) == (3, "quantity must be 1 or more; it is 0")
        assert [answers[id].order.status for id in range(2, 6)] == [READY_TO_SHIP] * 4
        with pytest.raises(grpc.aio.AioRpcError, match="are no frame of calls"):
            garbage: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(
                "/shop.OrderService/PlaceOrders"
            )
            broken = garbage()
            await broken.read()
            await broken.write(b"\xff\xff")
            await broken.read()
    assert calls_pb2.DESCRIPTOR.services_by_name["ClientCalls"]
