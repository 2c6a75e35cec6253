"""A running system moves to another store: its orders begin in one, and are finished in the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
from click.testing import CliRunner

from actors.catalogue import catalogue
from actors.gateway import register
from protos import orders_pb2, orders_pb2_grpc
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.config import Settings
from runtime.host import Node

ORDERS = tuple((f"{flow}-{number}", flow) for flow in (ORCHESTRATION, CHOREOGRAPHY) for number in range(4))


@asynccontextmanager
async def running(url: str, *services: str) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
    settings = Settings(services=services, store=url, listen="127.0.0.1:0", name="one")
    node = Node(settings, catalogue(), system_ports(), register=[register])
    await node.start()
    try:
        async with grpc.aio.insecure_channel(node.address) as channel:
            yield orders_pb2_grpc.OrderServiceStub(channel)
    finally:
        await node.stop()


async def place(stub: orders_pb2_grpc.OrderServiceAsyncStub, id: str, flow: Flow.ValueType, *, wait: bool) -> int:
    request = orders_pb2.PlaceOrderRequest(order_id=id, sku="lamp", quantity=1, amount_cents=100, flow=flow, wait=wait)
    return (await stub.PlaceOrder(request, timeout=30)).status


def ran(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(admin, arguments)
    return done.exit_code, done.output


async def test_orders_in_the_middle_are_finished_in_the_store_that_they_were_copied_to(tmp_path: Path) -> None:
    source, target = f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/target.db"
    async with running(source) as stub:
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=20, request_id="r"), timeout=30)
        assert await place(stub, "done", ORCHESTRATION, wait=True) == READY_TO_SHIP
    async with running(source, "sales", "orchestration") as stub:  # nobody bills
        for id, flow in ORDERS:
            assert await place(stub, id, flow, wait=False) != READY_TO_SHIP
        code, output = await asyncio.to_thread(ran, "copy", "--from", source, "--to", target)
        assert (code, "nodes run on the source: one" in output) == (5, True)
    code, output = await asyncio.to_thread(ran, "--store", source, "copy", "--to", target, "--json")
    assert code == 0, output
    assert json.loads(output)["actors"] > len(ORDERS)
    async with running(target) as stub:
        for id, flow in ORDERS:
            assert await place(stub, id, flow, wait=True) == READY_TO_SHIP
        stock = await stub.GetStock(orders_pb2.GetStockRequest(sku="lamp"), timeout=30)
        assert (stock.on_hand, stock.labels) == (20 - 1 - len(ORDERS), 1 + len(ORDERS))
    code, output = await asyncio.to_thread(ran, "copy", "--from", source, "--to", target)
    assert (code, "the target is not empty" in output) == (5, True)


def test_a_copy_needs_two_stores_that_stay(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/one.db"
    assert ran("copy", "--from", url, "--to", "memory:")[0] == 1
    code, output = ran("copy", "--from", url, "--to", f"sqlite:///{tmp_path}/two.db")
    assert (code, "there is no store" in output) == (1, True)
    assert not (tmp_path / "two.db").exists()
