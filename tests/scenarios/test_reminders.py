"""Time: reminders of a saga that does not get on, over the death of its nodes."""

from __future__ import annotations

from actors.warehouse import Warehouse
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import Restock, ShippingLabelCreated, StockState
from runtime import Await, Remind, days, hours
from runtime.protos.saga_pb2 import EventCounted
from runtime.saga.catalogue import Catalogue
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.scenarios.orders import place_order
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga


def by_order(state: OrderProcessState) -> str:
    return state.order_id


def restock(state: OrderProcessState) -> Restock:
    return Restock(sku="HAT", quantity=1)


def told() -> Catalogue:
    """An order that waits for its label, and asks for hats meanwhile: after four hours, then each hour, three times."""
    first, last = bill(), close()
    label = Await(ShippingLabelCreated, key=by_order, within=days(3), outside=True)
    nag = Remind(label, after=hours(4), say=restock, every=hours(1), times=3)
    process = saga(bill=first, label=label, close=last, nag=nag, flow=first >> label >> last)
    services = {**SERVICES, "warehouse": [Warehouse], "orchestration": [process]}
    return Catalogue(contracts=CONTRACTS, services=services)


async def hats(cluster: Cluster) -> int:
    return (await cluster.state("warehouse", "HAT", StockState)).on_hand


async def test_a_saga_reminds_as_often_as_is_declared_also_when_its_nodes_die(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await make_cluster(told(), nodes={"one": (), "two": ()}, store=store)
    await cluster.send(place_order(), OrderPlaced)
    await cluster.advance(hours(3))
    assert await hats(cluster) == 0
    for name in ("one", "two"):
        cluster.kill(name)
        await cluster.restart(name)
    await cluster.advance(hours(1.5))
    assert await hats(cluster) == 1
    await cluster.advance(hours(10))
    assert await hats(cluster) == 3
    assert "nobody listens" not in await cluster.conversation("process", "ORD-1")
    assert await cluster.status("process", "ORD-1") == "running"


async def test_a_reminder_is_not_said_once_its_wait_is_over(make_cluster: MakeCluster, store: str) -> None:
    cluster = await make_cluster(told(), nodes=2, store=store)
    await cluster.send(place_order(), OrderPlaced)
    await cluster.advance(hours(4.5))
    event = ShippingLabelCreated(order_id="ORD-1", sku="HAT", label_id="L")
    await cluster.send(event, EventCounted, kind="process-keys", key="ORD-1")
    await cluster.advance(hours(5))
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await hats(cluster) == 1
