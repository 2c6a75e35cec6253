"""What is too large for a frame reaches other nodes by the store, and breaks no stream on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors.sales import Sales
from protos import billing_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.sales_pb2 import OrderLine
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.service import Service
from runtime.host import Node
from runtime.mesh.facts import PeerLost
from runtime.ports import Fact
from runtime.saga.catalogue import Catalogue
from tests.cluster.test_nodes_in_one_loop import eventually, running

_LARGE = "x" * 3_000_000  # more than the server of a node takes as one frame


class Hoard(Service[BillState], kind="billing"):
    """Remembers more than fits a frame, and answers with it."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        self.state.charges += 1
        self.state.charge_id = _LARGE
        return OrderBilled(order_id=command.order_id, charge_id=_LARGE if command.amount_cents > 1 else "")


def _catalogue() -> Catalogue:
    return Catalogue(contracts=[sales_pb2, billing_pb2, warehouse_pb2], services={"sales": [Sales], "billing": [Hoard]})


def make(folder: Path, name: str, facts: list[Fact], limit_mib: int) -> Node:
    settings = Settings(
        services=(name,),
        store=f"sqlite:///{folder}/cluster.db",
        listen="127.0.0.1:0",
        name=name,
        drain_s=5.0,
        message_bytes_max=limit_mib * 1024 * 1024,
    )
    ports = system_ports(facts.append)
    return Node(settings, _catalogue(), ports)


async def connected(*nodes: Node) -> None:
    await eventually(lambda: all(status.connected for node in nodes for status in node.mesh.status()))
    await eventually(lambda: all(node.mesh.status() for node in nodes))


def bill(amount_cents: int, sku: str = "lamp") -> BillOrder:
    return BillOrder(order_id="ORD-1", line=OrderLine(sku=sku, quantity=1), amount_cents=amount_cents)


async def test_a_large_state_is_watched_from_another_node_and_no_stream_breaks(tmp_path: Path) -> None:
    facts: list[Fact] = []
    watcher, owner = make(tmp_path, "sales", facts, 1), make(tmp_path, "billing", facts, 8)
    async with running(watcher, owner), asyncio.timeout(60):
        await connected(watcher, owner)
        async with watcher.client.watch("billing", "ORD-1") as readings:
            for number in range(1, 5):
                reply = await watcher.client.ask(bill(number), timeout=20)
                assert not reply.fault
                async for reading in readings:
                    assert isinstance(reading.state, BillState)
                    if reading.state.charges == number:
                        break
        assert not [fact for fact in facts if isinstance(fact, PeerLost)]


async def test_a_message_that_its_receiver_would_not_take_as_a_frame_comes_by_the_store(tmp_path: Path) -> None:
    facts: list[Fact] = []
    sender, owner = make(tmp_path, "sales", facts, 8), make(tmp_path, "billing", facts, 1)
    async with running(sender, owner), asyncio.timeout(60):
        await connected(sender, owner)
        for number in range(1, 4):
            assert not (await sender.client.ask(bill(1, sku=_LARGE), timeout=20)).fault, number
        assert not [fact for fact in facts if isinstance(fact, PeerLost)]
