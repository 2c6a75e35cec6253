"""Whole nodes, with real gRPC and one SQLite file, side by side in one process and one event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from protos import orders_pb2, orders_pb2_grpc
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.errors import NodeNameTaken
from runtime.host import Node
from runtime.store.open import open_store
from runtime.store.records import NodeRow

ALL = ("sales", "billing", "warehouse", "orchestration")


def make(folder: Path, name: str, *services: str) -> Node:
    settings = Settings(
        services=services, store=f"sqlite:///{folder}/cluster.db", listen="127.0.0.1:0", name=name, drain_s=5.0
    )
    return Node(settings, catalogue(), system_ports(), register=[register])


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    started: list[Node] = []
    try:
        for node in nodes:
            await node.start()
            started.append(node)
        yield
    finally:
        for node in started:
            await node.stop()


@asynccontextmanager
async def client(node: Node) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
    async with grpc.aio.insecure_channel(node.address) as channel:
        yield orders_pb2_grpc.OrderServiceStub(channel)


async def order(
    stub: orders_pb2_grpc.OrderServiceAsyncStub, id: str, flow: Flow.ValueType, quantity: int = 1
) -> orders_pb2.Order:
    return await stub.PlaceOrder(
        orders_pb2.PlaceOrderRequest(
            order_id=id,
            sku="lamp",
            quantity=quantity,
            amount_cents=100,
            flow=flow,
            wait=True,
        ),
        timeout=30,
    )


async def eventually(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not check():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("flow", [ORCHESTRATION, CHOREOGRAPHY])
async def test_orders_run_over_a_node_per_service(tmp_path: Path, flow: Flow.ValueType) -> None:
    nodes = [make(tmp_path, name, name) for name in ALL]
    async with running(*nodes), client(nodes[0]) as stub:
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=3, request_id="1"), timeout=20)
        results = await asyncio.gather(*(order(stub, f"ORD-{n}", flow) for n in range(5)))
        statuses = [one.status for one in results]
        assert sorted(statuses) == sorted([READY_TO_SHIP] * 3 + [CANCELLED] * 2)
        stock = await stub.GetStock(orders_pb2.GetStockRequest(sku="lamp"), timeout=20)
        assert (stock.on_hand, stock.labels, stock.back_orders) == (0, 3, 2)


async def test_any_node_takes_a_clients_calls(tmp_path: Path) -> None:
    nodes = [make(tmp_path, name, name) for name in ALL]
    async with running(*nodes):
        async with client(nodes[2]) as stub:
            await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=9), timeout=20)
        for number, node in enumerate(nodes):
            async with client(node) as stub:
                assert (await order(stub, f"ORD-{number}", ORCHESTRATION)).status == READY_TO_SHIP


async def test_two_nodes_share_the_work_of_a_service_and_one_takes_over_when_the_other_leaves(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two")
    async with running(one):
        async with running(two), client(one) as stub:
            await eventually(lambda: two.shards.sweepers["billing"].shards > 0)
            await eventually(lambda: one.shards.sweepers["billing"].shards < 16)
            await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=50), timeout=20)
            results = await asyncio.gather(
                *(order(stub, f"ORD-{n}", (ORCHESTRATION, CHOREOGRAPHY)[n % 2]) for n in range(30))
            )
            assert all(result.status == READY_TO_SHIP for result in results)
        await eventually(lambda: one.shards.sweepers["billing"].shards == 16)
        async with client(one) as stub:
            assert (await order(stub, "ORD-after", ORCHESTRATION)).status == READY_TO_SHIP


async def test_a_second_live_node_of_one_name_is_refused(tmp_path: Path) -> None:
    one, two = make(tmp_path, "twin"), make(tmp_path, "twin")
    async with running(one):
        with pytest.raises(NodeNameTaken, match="twin"):
            await two.start()


async def test_a_node_whose_predecessor_does_not_answer_waits_until_its_lease_has_run_out(tmp_path: Path) -> None:
    """It may be frozen, or cut off: there is no telling, so that its name is neither free nor taken."""
    node = make(tmp_path, "one")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        ports = system_ports()
        store = open_store(node.settings.store, ports)
        await store.open()
        began_s = ports.clock.now_s()
        assert await store.join(NodeRow("one", "frozen", address, ("sales",), "0"), lease_s=2.0) is None
        async with running(node):
            assert ports.clock.now_s() - began_s > 1.9
            [row] = (await store.cluster()).nodes
            assert row.incarnation == node.incarnation
        await store.close()


async def test_the_limit_on_a_message_is_that_of_the_settings_all_the_way(tmp_path: Path) -> None:
    settings = Settings(
        store=f"sqlite:///{tmp_path}/cluster.db", listen="127.0.0.1:0", name="wide", message_bytes_max=16 * 1024 * 1024
    )
    node = Node(settings, catalogue(), system_ports(), register=[register])
    async with running(node), client(node) as stub:
        reason = "x" * (8 * 1024 * 1024)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CancelOrder(orders_pb2.CancelOrderRequest(order_id="ORD-1", reason=reason), timeout=20)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (
            "it came in, and the gateway says what is wrong"
        )
        assert "1024 bytes" in str(refused.value.details())


async def test_a_node_of_which_one_kind_is_no_longer_swept_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make(tmp_path, "one")
    async with running(node):

        async def fail(*_: object) -> bool:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(node.shards.sweepers["billing"], "_pass", fail)
        async with asyncio.timeout(20):
            failure = await node.failed()
        assert "the sweeper of billing has ended by a bug" in str(failure)
        await eventually(lambda: not node.shards.sweepers["sales"].shards)


async def test_a_node_says_which_versions_of_the_sagas_that_it_hosts_it_carries(tmp_path: Path) -> None:
    versions = {one.name: one.fingerprint.hex() for one in catalogue().sagas}
    one, two = make(tmp_path, "one", "orchestration"), make(tmp_path, "two", "sales")
    async with running(one, two):
        carried = {row.name: row.carries for row in (await one.store.cluster()).nodes}
        stored = await two.store.definitions()
    version = f"order-process/{versions['order-process']}"
    heeds, wish = "<", "<order-process/sales"  # what it lives beside: see runtime/cluster/beside.py
    assert carried["one"] == (version, "order-process<shop.OrderPlaced", heeds, wish)
    assert [(row.kind, row.version) for row in stored] == [("order-process", versions["order-process"])]
    assert "sales<shop.PlaceOrder" in carried["two"] and heeds in carried["two"]
    assert all(one.startswith("sales<") for one in carried["two"] if one != heeds)
