"""Kinds get other names while their sagas are under way: both builds on one store, one after the other and at once.

The saga holds a lock, bills, waits for an event, and ships; without stock it turns back and has the bill refunded. The
newer build calls the saga and the service of bills otherwise, in its classes and in what its contracts name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.enrolment import FormerNameUnknown
from runtime.durable.service import Service
from runtime.durations import days
from runtime.errors import InvalidDefinition
from runtime.host import Node
from runtime.kind_names import KindNames
from runtime.ports import Fact
from runtime.protos.saga_pb2 import EventCounted, SagaRecord
from runtime.saga.addressed import addressed
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.lock import Lock
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from tests.cluster.test_nodes_in_one_loop import running
from tests.unit.saga import shop
from tests.unit.saga.made import made, of_state
from tests.unit.saga.test_catalogue import SalesAgain

Names = Mapping[str, tuple[str, ...]]
CONTRACTS = (sales_pb2, billing_pb2, warehouse_pb2, orders_pb2)
WITH_OLD_NAMES: Names = {"saga": ("process",), "bills": ("billing",)}
WITH_NEW_NAMES: Names = {"saga": ("process", "purchase"), "bills": ("billing", "invoicing")}


class BillsOfTest(Service[BillState], kind="billing"):
    """Counts what it does, so that doing it twice would show."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        self.state.charges += 1
        return OrderBilled(order_id=command.order_id)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        self.state.refunds += 1
        return OrderRefunded(order_id=command.order_id)


class StockOfTest(Service[OrderProcessState], kind="warehouse"):
    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        return BackOrdered(order_id=command.order_id, sku=command.sku)


def label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(order_id=state.order_id, sku="HAT")


def named(base: Any, names: tuple[str, ...], body: Any, state: Any) -> type[Any]:
    return made("Called", of_state(base, state), body, kind=names[-1], formerly=names[:-1])


def process(names: tuple[str, ...], bills: tuple[str, ...]) -> type[Saga[OrderProcessState]]:
    hold = Lock("desk", key=lambda _: "the only one", within=days(1))
    bill = Step(shop.bill_order, OrderBilled, PaymentDeclined, undo=shop.refund_order, undone=OrderRefunded, timeout=30)
    paid = Await(OrderCancelled, key=lambda state: state.order_id, within=days(3), by="order_id")
    ship = Step(label, ShippingLabelCreated, BackOrdered, no_undo="for the sake of the test", timeout=60)
    body = {"started_by": on(OrderPlaced, shop.begin), "hold": hold, "bill": bill, "paid": paid, "ship": ship}
    saga = named(Saga, names, {**body, "flow": hold >> bill >> paid >> ship}, OrderProcessState)
    saga.definition = addressed(saga.definition, KindNames([(bills[-1], *bills[:-1])]))  # as its contracts would say
    return saga


def catalogue(saga: tuple[str, ...], bills: tuple[str, ...]) -> Catalogue:
    handlers = {name: vars(BillsOfTest)[name] for name in ("bill", "refund")}
    services: dict[str, list[Any]] = {
        "sales": [SalesAgain],
        "warehouse": [StockOfTest],
        "bills": [named(Service, bills, handlers, BillState)],
    }
    return Catalogue(contracts=CONTRACTS, services={**services, "sagas": [process(saga, bills)]})


class RenamingShop:
    """Nodes on one file, and what they report."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/shop.db"
        self.facts: list[Fact] = []

    def node(self, name: str, names: Names, *services: str) -> Node:
        settings = Settings(
            services=services, store=self.url, listen="127.0.0.1:0", name=name, drain_s=5.0, lease_s=2.0, sweep_s=0.1
        )
        return Node(settings, catalogue(**names), system_ports(self.facts.append))


@pytest.fixture
def shop_of_test(tmp_path: Path) -> RenamingShop:
    return RenamingShop(tmp_path)


async def place(node: Node, orders: Iterable[str]) -> None:
    for order in orders:
        await node.client.ask(PlaceOrder(order_id=order))


async def record(node: Node, kind: str, order: str) -> SagaRecord:
    found = await node.client.read(kind, order)
    return found.state if found is not None and isinstance(found.state, SagaRecord) else SagaRecord()


async def until_paid_for(node: Node, kind: str, order: str) -> None:
    """Until the order's bill is paid, and it waits for the event."""
    async with asyncio.timeout(30):
        while not any(task.path == "paid" and task.status == 1 for task in (await record(node, kind, order)).tasks):
            await asyncio.sleep(0.02)


async def until_turned_back(node: Node, kind: str, order: str) -> None:
    async with asyncio.timeout(60):
        while (await record(node, kind, order)).status != SagaRecord.COMPENSATED:
            await asyncio.sleep(0.02)


async def say_paid(node: Node, keys: str, order: str) -> None:
    outcome = await node.client.ask(OrderCancelled(order_id=order), kind=keys, key=order)
    assert isinstance(outcome.message, EventCounted), outcome


async def paid_and_refunded(node: Node, order: str) -> tuple[int, int]:
    (row,) = await node.store.load([("billing", order)])
    assert row is not None
    state = BillState.FromString(row.state)
    return state.charges, state.refunds


async def kinds_in(node: Node) -> set[str]:
    """Of every actor, and of all mail that waits, by the store."""
    names = ["process", "purchase", "process-keys", "purchase-keys", "billing", "invoicing"]
    rows = [row.kind for name in names for row in await node.store.actors(name, limit=100)]
    mail = [kind for order in ("A", "B", "the only one") for kind, _ in await node.store.mail_with_key(order)]
    return {*rows, *mail}


async def test_sagas_that_were_begun_by_the_old_names_are_ended_by_the_new_ones_undos_included(
    shop_of_test: RenamingShop,
) -> None:
    old = shop_of_test.node("one", WITH_OLD_NAMES)
    async with running(old):
        await place(old, ["A"])
        await until_paid_for(old, "process", "A")
        await place(old, ["B"])  # waits for the lock
    async with running(sales := shop_of_test.node("two", WITH_OLD_NAMES, "sales")):
        await sales.client.send(BillOrder(order_id="C"))  # mail that nobody hosts for the time being
    new = shop_of_test.node("one", WITH_NEW_NAMES)
    async with running(new):
        await say_paid(new, "purchase-keys", "A")
        await until_turned_back(new, "purchase", "A")
        await until_paid_for(new, "process", "B")
        await say_paid(new, "process-keys", "B")
        await until_turned_back(new, "process", "B")
        async with asyncio.timeout(20):
            while (await new.client.read("invoicing", "C")) is None:
                await asyncio.sleep(0.02)
        assert [await paid_and_refunded(new, order) for order in ("A", "B", "C")] == [(1, 1), (1, 1), (1, 0)]
        assert await kinds_in(new) == {"process", "process-keys", "billing"}


async def test_nodes_of_both_builds_run_at_once_and_a_key_has_one_actor(shop_of_test: RenamingShop) -> None:
    old, new = shop_of_test.node("old", WITH_OLD_NAMES), shop_of_test.node("new", WITH_NEW_NAMES)
    async with running(old, new):
        await place(old, ["A"])
        await until_paid_for(new, "purchase", "A")
        await say_paid(old, "process-keys", "A")
        await until_turned_back(new, "purchase", "A")
        await place(new, ["B"])
        await until_paid_for(old, "process", "B")
        cancelled = await new.client.cancel("purchase", "B", "no longer wanted")
        assert cancelled.fault == ""
        await until_turned_back(old, "process", "B")
        assert [await paid_and_refunded(old, order) for order in ("A", "B")] == [(1, 1), (1, 1)]
        assert await kinds_in(new) == {"process", "process-keys", "billing"}


async def test_a_kind_is_renamed_again_and_has_its_first_name_back(shop_of_test: RenamingShop) -> None:
    async with running(old := shop_of_test.node("one", WITH_OLD_NAMES)):
        await place(old, ["A"])
        await until_paid_for(old, "process", "A")
    async with running(shop_of_test.node("one", WITH_NEW_NAMES)):
        pass
    names = {"saga": ("process", "purchase", "order"), "bills": ("billing", "invoicing", "accounts")}
    async with running(third := shop_of_test.node("one", names)):
        await until_paid_for(third, "order", "A")
        await say_paid(third, "order-keys", "A")
        await until_turned_back(third, "purchase", "A")
    async with running(again := shop_of_test.node("one", WITH_OLD_NAMES)):
        assert (await record(again, "process", "A")).status == SagaRecord.COMPENSATED
        assert await paid_and_refunded(again, "A") == (1, 1)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"saga": ("purchase",)}, "let formerly of 'purchase' begin with 'process'"),
        ({"saga": ("purchase", "order")}, "let formerly of 'purchase' begin with 'process'"),
        ({"bills": ("billing", "till")}, "in this store 'till' is a kind of its own"),
    ],
)
async def test_a_build_whose_names_would_give_a_key_two_actors_does_not_start(
    shop_of_test: RenamingShop, names: Names, told: str
) -> None:
    new = shop_of_test.node("one", WITH_NEW_NAMES)
    async with running(new):
        await new.store.keep_kind_names({"till": "till"})
        with pytest.raises(InvalidDefinition, match=told):
            await shop_of_test.node("two", {**WITH_NEW_NAMES, **names}).start()
        assert [node.name for node in (await new.store.cluster()).nodes] == ["one"]


async def test_a_node_that_hosts_nothing_by_a_wrong_name_and_would_send_to_it_does_not_start_either(
    shop_of_test: RenamingShop,
) -> None:
    async with running(shop_of_test.node("one", WITH_NEW_NAMES)):
        with pytest.raises(InvalidDefinition, match="'purchase' is another name of the kind 'process'"):
            await shop_of_test.node("two", {**WITH_NEW_NAMES, "saga": ("purchase",)}, "sales").start()


async def test_a_first_name_that_the_store_does_not_know_is_told(shop_of_test: RenamingShop) -> None:
    async with running(shop_of_test.node("one", WITH_OLD_NAMES)):
        pass
    async with running(shop_of_test.node("one", {**WITH_OLD_NAMES, "saga": ("proces", "purchase")})):
        told = [fact.error for fact in shop_of_test.facts if isinstance(fact, FormerNameUnknown)]
    assert told == [
        f"'purchase{of}' was formerly 'proces{of}', of which this store has never heard; the nearest that it knows is "
        f"'process{of}'"
        for of in ("", "-keys")
    ]
