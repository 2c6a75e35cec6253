"""A saga's definition changes node by node: every instance is run by a node that has the version that began it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from actors.orchestration import OrderProcess
from protos import billing_pb2, orders_pb2, orders_pb2_grpc, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, CloseBill, OrderBilled, OrderRefunded
from protos.sales_pb2 import ORCHESTRATION
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.client import CommandOutcome
from runtime.durable.kind import MessageParked
from runtime.durable.service import Service
from runtime.durable.turn.unhandled import MessagePutOff
from runtime.host import Node
from runtime.ports import Fact
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from tests.cluster.test_nodes_in_one_loop import eventually, running
from tests.proof.workloads.upgrade import CarryingOrderProcess, NextOrderProcess

ORDERS = [f"ORD-{n}" for n in range(24)]


class Rolling:
    """Nodes on one store, each with a version of the order process, and what they report."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: list[Fact] = []

    def node(self, name: str, *services: str, version: type[Saga[Any]] = OrderProcess) -> Node:
        settings = Settings(
            services=services,
            store=f"sqlite:///{self.folder}/cluster.db",
            listen="127.0.0.1:0",
            name=name,
            drain_s=5.0,
            lease_s=2.0,
        )
        return Node(settings, catalogue(version), system_ports(self.facts.append), register=[register])

    def put_off(self) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, MessagePutOff | MessageParked)]


async def place(node: Node, ids: list[str]) -> None:
    async with grpc.aio.insecure_channel(node.address) as channel:
        stub = orders_pb2_grpc.OrderServiceStub(channel)
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=100), timeout=20)
        for id in ids:
            request = orders_pb2.PlaceOrderRequest(
                order_id=id, sku="lamp", quantity=1, amount_cents=100, flow=ORCHESTRATION
            )
            await stub.PlaceOrder(request, timeout=20)


async def records(node: Node) -> dict[str, SagaRecord]:
    rows = await node.store.actors(OrderProcess.kind, limit=1000)
    return {row.key: SagaRecord.FromString(row.state) for row in rows}


async def all_begun(node: Node, count: int) -> None:
    async with asyncio.timeout(20):
        while len(await records(node)) < count:
            await asyncio.sleep(0.05)


async def all_completed(node: Node) -> dict[str, SagaRecord]:
    async with asyncio.timeout(40):
        while True:
            found = await records(node)
            if {one.status for one in found.values()} == {SagaRecord.COMPLETED}:
                return found
            await asyncio.sleep(0.05)


async def runners(node: Node, key: str) -> set[str]:
    """The nodes that have run an instance."""
    (row,) = await node.store.load([(OrderProcess.kind, key)])
    assert row is not None
    history = await node.store.conversation(row.conversation)
    return {one.node.partition("@")[0] for one in history if one.kind == OrderProcess.kind}


async def shared(one: Node, two: Node) -> None:
    """Until each of two nodes has some of the instances' shards."""
    sweepers = [node.shards.sweepers[OrderProcess.kind] for node in (one, two)]
    await eventually(lambda: sum(one.shards for one in sweepers) == 16 and min(one.shards for one in sweepers) > 0)


async def test_s131_instances_of_both_versions_end_while_nodes_of_both_share_their_shards(tmp_path: Path) -> None:
    rolling = Rolling(tmp_path)
    shop, billing = rolling.node("shop", "sales", "warehouse"), rolling.node("billing", "billing")
    old = rolling.node("old", "orchestration")
    new = rolling.node("new", "orchestration", version=NextOrderProcess)
    async with running(shop, old):
        await place(shop, ORDERS)
        await all_begun(shop, len(ORDERS))  # nobody bills yet, so all are under way
        async with running(new):
            await shared(old, new)
            await place(shop, ["NEW-1", "NEW-2", "NEW-3"])
            await all_begun(shop, len(ORDERS) + 3)
            async with running(billing):
                found = await all_completed(shop)
                first = OrderProcess.definition.fingerprint
                assert all(found[id].fingerprint == first for id in ORDERS)
                assert set().union(*[await runners(shop, id) for id in ORDERS]) == {"old"}
                assert rolling.put_off() == []


async def test_s132_a_node_carries_over_what_it_owns_and_the_last_of_the_old_version_may_leave(tmp_path: Path) -> None:
    rolling = Rolling(tmp_path)
    shop, billing = rolling.node("shop", "sales", "warehouse"), rolling.node("billing", "billing")
    async with running(shop):
        async with running(rolling.node("old", "orchestration")):
            await place(shop, ORDERS)
            await all_begun(shop, len(ORDERS))
        async with running(rolling.node("new", "orchestration", version=CarryingOrderProcess), billing):
            found = await all_completed(shop)
    first, now = (one.definition.fingerprint for one in (OrderProcess, CarryingOrderProcess))
    assert {(one.fingerprint, *one.earlier_fingerprints) for one in found.values()} == {(now, first)}
    assert rolling.put_off() == []


async def test_an_instance_whose_version_comes_back_on_another_node_goes_on_there(tmp_path: Path) -> None:
    rolling = Rolling(tmp_path)
    shop, billing = rolling.node("shop", "sales", "warehouse"), rolling.node("billing", "billing")
    new = rolling.node("new", "orchestration", version=NextOrderProcess)
    async with running(shop):
        async with running(rolling.node("old-1", "orchestration")):
            await place(shop, ORDERS)
            await all_begun(shop, len(ORDERS))
        async with running(new, billing):
            await eventually(lambda: len(rolling.put_off()) >= len(ORDERS))  # nobody has their version
            assert not any(isinstance(one, MessageParked) for one in rolling.facts)
            async with running(rolling.node("old-2", "orchestration")):
                await all_completed(shop)


async def test_what_a_carrier_had_is_run_by_another_when_it_leaves(tmp_path: Path) -> None:
    rolling = Rolling(tmp_path)
    shop, billing = rolling.node("shop", "sales", "warehouse"), rolling.node("billing", "billing")
    new = rolling.node("new", "orchestration", version=NextOrderProcess)
    first, second = rolling.node("old-1", "orchestration"), rolling.node("old-2", "orchestration")
    async with AsyncExitStack() as nodes:
        await nodes.enter_async_context(running(shop, first, second))
        await place(shop, ORDERS)
        await all_begun(shop, len(ORDERS))
        await nodes.enter_async_context(running(new))
        await eventually(lambda: new.shards.sweepers[OrderProcess.kind].shards > 0)
        await first.stop()
        await nodes.enter_async_context(running(billing))
        await all_completed(shop)
        assert set().union(*[await runners(shop, id) for id in ORDERS]) == {"old-1", "old-2"}


class OlderBilling(Service[BillState], kind="billing"):
    """Knows nothing of closing."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        return OrderBilled(order_id=self.key)


class NewerBilling(OlderBilling, kind="billing"):
    async def close(self, command: CloseBill) -> OrderRefunded:
        return OrderRefunded(order_id=self.key, amount_cents=1)


async def test_a_command_that_only_newer_nodes_know_waits_for_one_and_is_parked_only_if_none_is_there(
    tmp_path: Path,
) -> None:
    facts: list[Fact] = []

    def billing(name: str, service: type[Service[Any]]) -> Node:
        settings = Settings(
            services=("billing",), store=f"sqlite:///{tmp_path}/c.db", listen="127.0.0.1:0", name=name, drain_s=5.0
        )
        catalogue = Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [service]})
        return Node(settings, catalogue, system_ports(facts.append))

    async def close(node: Node, key: str) -> CommandOutcome:
        return await node.client.ask(CloseBill(order_id=key), kind="billing", key=key, timeout=30.0)

    old, new = billing("old", OlderBilling), billing("new", NewerBilling)
    async with running(old):
        assert "has no handler for shop.CloseBill" in (await close(old, "alone")).fault
        async with running(new):
            sweepers = [node.shards.sweepers["billing"] for node in (old, new)]
            await eventually(lambda: all(one.shards for one in sweepers) and sum(one.shards for one in sweepers) == 16)
            facts.clear()
            asked = [asyncio.create_task(close(new, id)) for id in ORDERS]
            await eventually(lambda: any(isinstance(one, MessagePutOff) for one in facts))
            await old.stop()
            replies = [await one for one in asked]
            assert all(isinstance(one.message, OrderRefunded) for one in replies)
            assert not any(isinstance(one, MessageParked) for one in facts)


@pytest.fixture(autouse=True)
def _small_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance's own step timeouts are no part of these tests."""
    monkeypatch.setattr("runtime.durable.turn.unhandled._MAX_S", 2.0)
