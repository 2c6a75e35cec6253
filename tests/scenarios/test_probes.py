"""K. A step that is silent is asked whether it has happened, before anything is undone."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP
from protos.warehouse_pb2 import Restock
from runtime import Probe, Saga, Service
from runtime.saga.catalogue import Catalogue
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.scenarios.orders import OrderOutcome, outcome, place_order
from tests.unit.saga.test_catalogue import CONTRACTS

_TIMEOUT_S = 5.0


def slow(pause_s: float) -> type[Billing]:
    """The billing that thinks for so long before it charges."""

    class TardyBilling(Billing, kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
            await asyncio.sleep(pause_s)
            return await super().bill(command)

    return TardyBilling


async def ordered(make_cluster: MakeCluster, store: str, pause_s: float, probe: Probe | None) -> Cluster:
    process = OrderProcess.with_steps(bill={"timeout": _TIMEOUT_S, "probe": probe})
    services: dict[str, list[type[Service[Any]] | type[Saga[Any]]]] = {
        "shop": [Sales, slow(pause_s), Warehouse],
        "orchestration": [process],
    }
    shop = Catalogue(contracts=CONTRACTS, services=services, choreographies=[OrderChoreography])
    cluster = await make_cluster(shop, nodes=2, store=store)
    await cluster.send(Restock(sku="HAT", quantity=10))
    await cluster.send(place_order())
    await cluster.at_rest()
    return cluster


async def test_s118_a_step_that_is_only_slow_is_done_and_not_undone(make_cluster: MakeCluster, store: str) -> None:
    cluster = await ordered(make_cluster, store, 1.5 * _TIMEOUT_S, Probe())
    assert "ProbeCommands" in await cluster.conversation("order-process", "ORD-1")
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)


async def test_s118_without_a_probe_the_same_step_is_undone(make_cluster: MakeCluster, store: str) -> None:
    cluster = await ordered(make_cluster, store, 1.5 * _TIMEOUT_S, None)
    assert await outcome(cluster) == OrderOutcome(CANCELLED, charges=1, refunds=1, labels=0, voided=0)


async def test_s120_a_step_whose_probes_are_silent_as_well_is_undone(make_cluster: MakeCluster, store: str) -> None:
    cluster = await ordered(make_cluster, store, 4 * _TIMEOUT_S, Probe())
    told = await cluster.conversation("order-process", "ORD-1")
    assert told.count("ProbeCommands") >= 2
    assert await outcome(cluster) == OrderOutcome(CANCELLED, charges=1, refunds=1, labels=0, voided=0)
