"""H, K. Steps side by side: what is undone when one of them is refused; and very many of them."""

from __future__ import annotations

import pytest

from bench.items_node import catalogue
from examples.trip.trip_pb2 import FlightState, StartTrip, TripStarted
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, PlaceOrder
from runtime.saga.saga import Saga
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.scenarios.conftest import OpenSagas
from tests.scenarios.services import EmptyWarehouse, SalesOfHats
from tests.unit.saga.test_nodes import bill, close, saga, ship

ITEMS = 400


def forked() -> type[Saga[OrderProcessState]]:
    paid, sent, done = bill(), ship(), close()
    return saga(bill=paid, ship=sent, close=done, flow=(paid | sent) >> done)


async def said_in(cluster: Cluster, kind: str, key: str) -> list[str]:
    """The types of all messages of its conversation, in their order."""
    return [line.split()[5] for line in (await cluster.conversation(kind, key)).splitlines()]


@pytest.mark.broken_by("join-does-not-wait")
async def test_s75_when_one_of_two_steps_is_refused_the_other_is_undone_and_what_comes_after_both_never_runs(
    open_sagas: OpenSagas,
) -> None:
    cluster = await open_sagas(forked(), sales=SalesOfHats, warehouse=EmptyWarehouse)
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"
    said = await said_in(cluster, "process", "ORD-1")
    assert said.count("RefundOrder") == 1 and {"VoidShippingLabel", "MarkReadyToShip"}.isdisjoint(said)
    assert said.index("BackOrdered") < said.index("RefundOrder") < said.index("CancelOrder")


@pytest.mark.broken_by("dedup-after-effect")
async def test_s110_each_of_many_items_takes_effect_once_though_nodes_die_all_the_time(
    make_cluster: MakeCluster, store: str
) -> None:
    """A child saga for each hundred of them. `bench/items.py` measures 10,000."""
    cluster = await make_cluster(catalogue(), nodes=2, store=store)
    await cluster.send(StartTrip(trip_id="T-1", flight="pages", price_cents=ITEMS), TripStarted)
    names = [node.name for node in cluster.sim.nodes]
    died_running = 0
    for _ in range(6):
        died_running += await cluster.status("book-pages", "T-1") in ("none", "running")
        for name in names:
            cluster.kill(name)
        for name in names:
            await cluster.restart(name)
    await cluster.at_rest()
    assert await cluster.status("book-pages", "T-1") == "completed"
    assert died_running
    for page in range(0, ITEMS, 100):
        for number in range(100):
            flight = await cluster.state("flights", f"T-1-{page}-{number}", FlightState)
            assert (flight.reserved, flight.released) == (1, 0)
