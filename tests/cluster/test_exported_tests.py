"""Sagas with locks, keys, events, children and probes: their histories tell all, and become tests that pass."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from actors.billing import Billing
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderLine, OrderPlaced, OrderReadyToShip, PlaceOrder
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, Restock, Restocked, ShippingLabelCreated
from runtime import Await, Catalogue, Child, FinalError, Key, Lock, Probe, Saga, Step, days, on
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.protos.saga_pb2 import EventCounted, RepairAccepted, RepairSaga
from runtime.testing import Cluster, ClusterLoop
from tests.cluster.test_child_sagas import PayPorter, keep_receipt, start_porter
from tests.unit.saga import shop
from tests.unit.saga.test_catalogue import CONTRACTS
from tests.unit.saga.test_nodes import bill, ship

_BROKEN = "BROKEN"


class BrokenWarehouse(Warehouse, kind="warehouse"):
    """Nobody can tell what became of the labels of one thing."""

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        if command.sku == _BROKEN:
            raise FinalError("the printer is on fire")
        return await super().label(command)


class AtTheCounter(Saga[OrderProcessState], kind="process"):
    """One order after another; each waits for its slip."""

    started_by = on(OrderPlaced, shop.begin)
    number = Key(of=lambda state: f"for {state.order_id}")
    turn = Lock("counter", key=lambda state: "the only one", within=days(9))
    paid = bill()
    porter = Child(PayPorter, start=start_porter, on_done=keep_receipt)
    parcel_number = Key(of=lambda state: state.label_id)
    slip = Await(
        ShippingLabelCreated, key=number, by="label_id", within=days(3), outside=True, on_event=shop.keep_label
    )
    parcel = Await(OrderReadyToShip, key=parcel_number, by="label_id", within=60, on_timeout="go on")
    sent = replace(ship(), probe=Probe())
    flow = turn >> (paid | porter) >> slip >> parcel >> sent
    closing = Step(shop.cancel_order, done=OrderCancelled)


def told() -> Catalogue:
    hosted: dict[str, Any] = {
        "sales": [Sales],
        "billing": [Billing],
        "warehouse": [BrokenWarehouse],
        "told": [AtTheCounter, PayPorter],
    }
    return Catalogue(contracts=CONTRACTS, services=hosted)


async def slip(cluster: Cluster, order: str) -> None:
    event = ShippingLabelCreated(order_id=order, sku="CUP", label_id=f"for {order}")
    await cluster.send(event, EventCounted, kind="process-keys", key=f"for {order}")


async def order(cluster: Cluster, key: str, sku: str) -> None:
    await cluster.send(PlaceOrder(order_id=key, line=OrderLine(sku=sku, quantity=1), amount_cents=500), OrderPlaced)
    await cluster.advance(5)


async def live(url: str) -> None:
    """The first gets no slip, and holds up the second. The third breaks, and an operator cancels the fourth."""
    async with Cluster(told(), nodes=1, store=url) as cluster:
        await cluster.send(Restock(sku="CUP", quantity=1), Restocked)
        await order(cluster, "ORD-1", "CUP")
        await order(cluster, "ORD-2", "CUP")
        await cluster.advance(days(4))
        await slip(cluster, "ORD-2")
        await cluster.advance(600)
        await order(cluster, "ORD-3", _BROKEN)
        await slip(cluster, "ORD-3")
        await cluster.advance(600)
        await order(cluster, "ORD-4", "CUP")
        act = RepairSaga(act=RepairSaga.CANCEL, who="ann", reason="the customer has died")
        await cluster.send(act, RepairAccepted, kind="process", key="ORD-4")
        await cluster.advance(600)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('told') / 'shop.db'}"
    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(live(url))
    return url


def history(url: str, saga: str, *arguments: str) -> str:
    asked = ["--store", url, "history", saga, "--catalogue", "tests.cluster.test_exported_tests:told", *arguments]
    told = CliRunner().invoke(admin, asked, obj=Session())
    assert told.exit_code == 0, told.output
    return told.stdout


_ENDS = {
    "process/ORD-1": "compensated",
    "process/ORD-2": "completed",
    "process/ORD-3": "compensated",
    "process/ORD-4": "compensated",
    "pay-porter/ORD-1-P": "compensated",
    "pay-porter/ORD-2-P": "completed",
    "pay-porter/ORD-3-P": "compensated",
}


@pytest.mark.parametrize("saga", _ENDS)
def test_the_history_of_a_saga_tells_all_its_states_whoever_else_it_talks_to(url: str, saga: str) -> None:
    told = json.loads(history(url, saga, "--json"))
    assert (told["untold"], told["status"]) == ("", _ENDS[saga])


@pytest.mark.parametrize("saga", _ENDS)
def test_the_history_of_a_saga_becomes_a_test_that_passes_whoever_else_it_talks_to(url: str, saga: str) -> None:
    written = history(url, saga, "--as-test")
    space: dict[str, object] = {}
    exec(compile(written, "exported.py", "exec"), space)  # what a user keeps as a file and runs by pytest
    (test,) = [one for name, one in space.items() if name.startswith("test_")]
    assert callable(test)
    test()
    assert "CommandsProbed" in written or saga != "process/ORD-3"
    assert "given_undo" in written or saga != "pay-porter/ORD-1-P"
