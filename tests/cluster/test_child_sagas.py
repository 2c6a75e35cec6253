"""Sagas on real nodes start others as their children, wait for their ends, and take them back, whatever dies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.billing import Billing
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderLine, OrderPlaced, OrderReadyToShip, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.child import Child
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS
from tests.unit.saga.test_nodes import bill, saga, ship

NODES = {"one": ("sales", "billing", "warehouse", "parent"), "two": ("sales", "billing", "warehouse", "child")}
ORDER = PlaceOrder(order_id="ORD-1", line=OrderLine(sku="CUP", quantity=1), amount_cents=500)
Start = Callable[[], Awaitable[Cluster]]


def begin(event: OrderReadyToShip) -> BillState:
    return BillState(order_id=event.order_id, amount_cents=7)


def pay_porter(state: BillState) -> BillOrder:
    return BillOrder(order_id=state.order_id, amount_cents=state.amount_cents)


def give_back(state: BillState) -> RefundOrder:
    return RefundOrder(order_id=state.order_id)


def charge(state: BillState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def receipt(state: BillState) -> OrderBilled:
    return OrderBilled(order_id=state.order_id, charge_id=state.charge_id)


class PayPorter(Saga[BillState], kind="pay-porter"):
    started_by = on(OrderReadyToShip, begin)
    pay = Step(
        pay_porter, OrderBilled, PaymentDeclined, undo=give_back, undone=OrderRefunded, timeout=30, on_answer=charge
    )
    flow = pay
    result = receipt


def start_porter(state: OrderProcessState) -> OrderReadyToShip:
    return OrderReadyToShip(order_id=f"{state.order_id}-P")


def keep_receipt(state: OrderProcessState, receipt: OrderBilled) -> None:
    state.label_id = receipt.charge_id


def parent() -> type[Saga[OrderProcessState]]:
    """The label comes last, and is refused where there is no stock."""
    paid, porter, sent = bill(), Child(PayPorter, start=start_porter, on_done=keep_receipt), ship()
    return saga(bill=paid, porter=porter, ship=sent, flow=paid >> porter >> sent)


@pytest.fixture(params=["memory", "sqlite"])
def start(request: pytest.FixtureRequest, make_cluster: MakeCluster, tmp_path: Path) -> Start:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/amends.db"
    hosted: dict[str, Any] = {
        "sales": [Sales],
        "billing": [Billing],
        "warehouse": [Warehouse],
        "parent": [parent()],
        "child": [PayPorter],
    }
    catalogue = Catalogue(contracts=CONTRACTS, services=hosted)

    async def begin() -> Cluster:
        return await make_cluster(catalogue, nodes=NODES, store=store)

    return begin


async def record(cluster: Cluster, kind: str, key: str) -> SagaRecord:
    found = await cluster.client().read(kind, key)
    assert found is not None and isinstance(found.state, SagaRecord)
    return found.state


@pytest.mark.broken_by("completed-child-is-not-undone")
async def test_s78_s112_a_child_that_completed_is_undone_as_a_unit_when_its_parent_turns_back(start: Start) -> None:
    cluster = await start()
    await cluster.send(ORDER, OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"
    child = await record(cluster, "pay-porter", "ORD-1-P")
    assert child.status == SagaRecord.COMPENSATED
    assert child.reason.startswith("undone by process/ORD-1: ship: BackOrdered")
    paid = await cluster.client().read("billing", "ORD-1-P")
    assert paid is not None and isinstance(paid.state, BillState)
    assert (paid.state.charges, paid.state.refunds) == (1, 1)


async def test_s111_the_result_of_a_child_reaches_its_parent_though_all_nodes_died_meanwhile(start: Start) -> None:
    cluster = await start()
    await cluster.send(Restock(sku="CUP", quantity=1), Restocked)
    cluster.kill("two")
    await cluster.send(ORDER, OrderPlaced)
    await cluster.advance(1)
    cluster.kill("one")
    await cluster.restart("two")
    await cluster.restart("one")
    await cluster.at_rest()
    found = await record(cluster, "process", "ORD-1")
    assert found.status == SagaRecord.COMPLETED
    assert OrderProcessState.FromString(found.state).label_id


async def test_s78_a_child_that_begins_only_as_its_parent_has_turned_back_leaves_nothing(start: Start) -> None:
    cluster = await start()
    cluster.kill("two")
    await cluster.send(ORDER, OrderPlaced)
    await cluster.advance(60)
    assert (await record(cluster, "process", "ORD-1")).status == SagaRecord.COMPENSATING
    await cluster.restart("two")
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"
    paid = await cluster.client().read("billing", "ORD-1-P")
    assert paid is None or (isinstance(paid.state, BillState) and paid.state.charges == paid.state.refunds)
