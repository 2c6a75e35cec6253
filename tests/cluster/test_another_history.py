"""A store becomes another history beneath running nodes, as when a standby takes over that lacks the newest commits.

The nodes go on from what the store has now. What is lost is told by name, and can be asked for again. Nothing is
doubled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from protos import orders_pb2, orders_pb2_grpc
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow, PlaceOrder
from runtime.adapters import system_ports
from runtime.cluster.facts import LeaseRegained
from runtime.config import Settings
from runtime.durable.new_history import CommitsLost, StoreTurned
from runtime.errors import StoreUnavailable
from runtime.host import Node
from runtime.ports import Fact, Ports
from runtime.store.another_history import AnotherHistory
from runtime.store.memory import MemoryStore
from runtime.testing.rules.saved_tables import SavedTables


class TurnedStore(MemoryStore):
    """A store whose newest commits are lost when its standby takes over."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._standby = SavedTables(self)
        self._waiting_to_be_told: tuple[asyncio.Future[AnotherHistory], ...] = ()

    async def turned(self) -> AnotherHistory:
        told: asyncio.Future[AnotherHistory] = asyncio.get_running_loop().create_future()
        self._waiting_to_be_told += (told,)
        return await told

    def keep(self) -> None:
        """The standby has all that is committed by now."""
        self._standby = SavedTables(self)

    async def take_over(self, nodes: int = 1) -> None:
        await eventually(lambda: len(self._waiting_to_be_told) == nodes)
        self._standby.turn_back()
        waiting, self._waiting_to_be_told = self._waiting_to_be_told, ()
        for one in waiting:
            if not one.done():
                one.set_result(AnotherHistory("the timeline went from 1 to 2", may_have_lost=True))


class ToldNode:
    def __init__(self, store: MemoryStore, name: str, *services: str) -> None:
        self.facts: list[Fact] = []
        settings = Settings(services=services, store="memory:", listen="127.0.0.1:0", name=name, drain_s=2.0)
        self.node = Node(settings, catalogue(), system_ports(self.facts.append), register=[register], store=store)

    def told(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def lost(self) -> set[str]:
        return {name for fact in self.facts if isinstance(fact, CommitsLost) for name in fact.actors}


@pytest.fixture
def store() -> TurnedStore:
    return TurnedStore(system_ports())


@asynccontextmanager
async def running(*watched: ToldNode) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
    started: list[Node] = []
    try:
        for one in watched:
            await one.node.start()
            started.append(one.node)
        async with grpc.aio.insecure_channel(started[0].address) as channel:
            yield orders_pb2_grpc.OrderServiceStub(channel)
    finally:
        await asyncio.gather(*(node.stop() for node in started))


async def eventually(check: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.02)


async def place(stub: orders_pb2_grpc.OrderServiceAsyncStub, id: str, flow: Flow.ValueType) -> orders_pb2.Order:
    request = orders_pb2.PlaceOrderRequest(order_id=id, sku="lamp", quantity=1, amount_cents=100, flow=flow, wait=True)
    return await stub.PlaceOrder(request, timeout=30)


@pytest.mark.parametrize("flow", [ORCHESTRATION, CHOREOGRAPHY])
async def test_orders_that_the_store_has_lost_are_named_and_can_be_placed_again_and_nothing_is_doubled(
    store: TurnedStore, flow: Flow.ValueType
) -> None:
    nodes = [ToldNode(store, "one", "sales", "orchestration"), ToldNode(store, "two", "billing", "warehouse")]
    async with running(*nodes) as stub:
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=9, request_id="r"), timeout=30)
        assert (await place(stub, "kept", flow)).status == READY_TO_SHIP
        store.keep()
        assert (await place(stub, "lost", flow)).status == READY_TO_SHIP
        await store.take_over(nodes=2)
        await eventually(lambda: all(one.told(LeaseRegained) for one in nodes))
        await eventually(lambda: {"sales/lost", "billing/lost"} <= nodes[0].lost() | nodes[1].lost())
        assert not {"sales/kept", "billing/kept"} & (nodes[0].lost() | nodes[1].lost())
        assert [len(one.told(StoreTurned)) for one in nodes] == [1, 1]
        assert (await place(stub, "lost", flow)).status == READY_TO_SHIP
        assert (await place(stub, "next", flow)).status == READY_TO_SHIP
        stock = await stub.GetStock(orders_pb2.GetStockRequest(sku="lamp"), timeout=30)
        assert (stock.on_hand, stock.labels) == (6, 3)


async def test_orders_in_the_middle_go_on_from_what_the_store_has(store: TurnedStore) -> None:
    """Its bill is lost with the turn of billing, whose message waits again: it is done once more, and once in all."""
    watched = ToldNode(store, "one")
    async with running(watched) as stub:
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=9, request_id="r"), timeout=30)
        placing = asyncio.ensure_future(place(stub, "middle", ORCHESTRATION))
        await eventually(lambda: ("billing", "middle") in store._actors)
        store.keep()
        await placing
        await store.take_over()
        await eventually(lambda: watched.told(LeaseRegained))
        assert (await place(stub, "middle", ORCHESTRATION)).status == READY_TO_SHIP
        stock = await stub.GetStock(orders_pb2.GetStockRequest(sku="lamp"), timeout=30)
        assert (stock.on_hand, stock.labels) == (8, 1)


async def test_a_call_whose_command_is_lost_learns_so_and_another_goes_on_waiting(
    store: TurnedStore,
) -> None:
    watched = ToldNode(store, "one", "orchestration")  # nobody handles commands to sales
    async with running(watched):
        client = watched.node.client
        kept = asyncio.ensure_future(client.ask(PlaceOrder(order_id="kept", amount_cents=100), timeout=600))
        await eventually(lambda: len(watched.node.router.calls) == 1 and any(store._mail.values()))
        store.keep()
        lost = asyncio.ensure_future(client.ask(PlaceOrder(order_id="lost", amount_cents=100), timeout=600))
        await eventually(lambda: sum(map(len, store._mail.values())) == 2)
        await store.take_over()
        with pytest.raises(StoreUnavailable, match=r"has lost the command .* to sales/lost"):
            await asyncio.wait_for(lost, 30)
        assert not kept.done()
        kept.cancel()


async def test_what_a_node_has_told_of_its_kinds_is_told_again(store: TurnedStore) -> None:
    store.keep()  # Before the node came, which has no subscription there.
    watched = ToldNode(store, "one")
    async with running(watched) as stub:
        before = (await store.cluster()).subscriptions
        assert before
        await store.take_over()
        await eventually(lambda: watched.told(LeaseRegained) and store._definitions)
        assert (await store.cluster()).subscriptions == before
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=9, request_id="r"), timeout=30)
        assert (await place(stub, "after", CHOREOGRAPHY)).status == READY_TO_SHIP
