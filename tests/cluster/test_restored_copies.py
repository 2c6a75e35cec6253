"""A restored copy is a cluster of its own: its nodes and those of the original refuse each other, whoever dials.

They meet when one of them listens at the address that the other's store has of one of its own nodes, as when a copy
is tried out on the machine of the original.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from protos import orders_pb2, orders_pb2_grpc
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node
from runtime.mesh.facts import PeerConnected, PeerRejected
from runtime.ports import Fact
from runtime.store.open import back_up_store, restore_store
from runtime.store.records import NodeRow

_FOR_LONG_S = 1_000.0


class Watched:
    """A node and what it has reported."""

    def __init__(self, folder: Path, name: str, *services: str) -> None:
        self.facts: list[Fact] = []
        settings = Settings(
            services=services, store=url(folder), listen="127.0.0.1:0", name=name, drain_s=2.0, lease_s=6.0, renew_s=0.3
        )
        self.node = Node(settings, catalogue(), system_ports(self.facts.append), register=[register])

    def connected(self) -> set[str]:
        return {fact.peer for fact in self.facts if isinstance(fact, PeerConnected)}

    def rejections_of(self, name: str) -> list[str]:
        return [fact.reason for fact in self.facts if isinstance(fact, PeerRejected) and fact.peer == name]

    async def take_for_a_member(self, other: Watched) -> None:
        """Have this node's store name the other as a node of its own; of no services, so that nothing waits for it."""
        row = NodeRow(other.node.name, other.node.incarnation, other.node.address, (), "0")
        assert await self.node.store.join(row, lease_s=_FOR_LONG_S) is None


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/amends.db"


@asynccontextmanager
async def running(*watched: Watched) -> AsyncIterator[None]:
    started: list[Node] = []
    try:
        for one in watched:
            await one.node.start()
            started.append(one.node)
        yield
    finally:
        await asyncio.gather(*(node.stop() for node in started))


async def eventually(check: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.02)


async def place(node: Node, id: str, flow: Flow.ValueType) -> orders_pb2.Order:
    async with grpc.aio.insecure_channel(node.address) as channel:
        stub = orders_pb2_grpc.OrderServiceStub(channel)
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=1, request_id=id), timeout=30)
        request = orders_pb2.PlaceOrderRequest(
            order_id=id, sku="lamp", quantity=1, amount_cents=100, flow=flow, wait=True
        )
        return await stub.PlaceOrder(request, timeout=30)


async def backed_up_and_restored(original: Path, copy: Path) -> None:
    backup = original / "backup.db"
    await asyncio.to_thread(back_up_store, url(original), backup)
    await asyncio.to_thread(restore_store, url(copy), backup, system_ports())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    copy.mkdir()
    return original, copy


async def test_nodes_of_a_restored_copy_and_of_its_original_refuse_each_other_and_each_do_their_own_work(
    folders: tuple[Path, Path],
) -> None:
    original, copy = folders
    of_original = [Watched(original, "o-1", "sales", "orchestration"), Watched(original, "o-2", "billing", "warehouse")]
    of_copy = [Watched(copy, "c-1", "sales", "billing"), Watched(copy, "c-2", "warehouse", "orchestration")]
    async with running(*of_original):
        assert (await place(of_original[0].node, "before", ORCHESTRATION)).status == READY_TO_SHIP
        await backed_up_and_restored(original, copy)
        async with running(*of_copy):
            for one in of_original:
                await one.take_for_a_member(of_copy[0])
            for one in of_copy:
                await one.take_for_a_member(of_original[0])
            await eventually(lambda: all(one.rejections_of("c-1") for one in of_original))
            await eventually(lambda: all(one.rejections_of("o-1") for one in of_copy))
            for number, flow in enumerate((ORCHESTRATION, CHOREOGRAPHY)):
                for one in (*of_original, *of_copy):  # the same orders in both, which know nothing of each other
                    assert (await place(one.node, f"after-{number}", flow)).status == READY_TO_SHIP
            # Each knows the nodes of its own store, and has never let one of the other in.
            assert [one.connected() for one in of_original] == [{"o-2"}, {"o-1"}]
            assert [one.connected() for one in of_copy] == [{"c-2"}, {"c-1"}]
            reasons = {
                one: one.rejections_of(name) for name, ones in (("c-1", of_original), ("o-1", of_copy)) for one in ones
            }
            assert all("cluster" in reason for said in reasons.values() for reason in said)


async def test_a_node_of_the_copy_that_has_the_name_and_address_of_one_of_the_original_is_refused_too(
    folders: tuple[Path, Path],
) -> None:
    original, copy = folders
    left, stays = Watched(original, "one"), Watched(original, "two")
    async with running(stays):
        async with running(left):
            await eventually(lambda: "one" in stays.connected())
        stays.facts.clear()
        await backed_up_and_restored(original, copy)
        impostor = Watched(copy, "one")
        async with running(impostor):
            await stays.take_for_a_member(impostor)
            await impostor.take_for_a_member(stays)
            await eventually(lambda: stays.rejections_of("one") and impostor.rejections_of("two"))
            assert not stays.connected() and not impostor.connected()
            assert stays.node.store.cluster_id != impostor.node.store.cluster_id
