"""K. A step that is silent is asked whether it has happened, before anything is undone."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP
from protos.warehouse_pb2 import Restock
from runtime import Absent, Probe, RetryPolicy, Saga, Service, looks_up
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


class LosingBilling(Billing, kind="billing", retries=RetryPolicy(immediate=0, delays=())):
    """The bank charges, and its answer never comes; who asks it later is told what it did."""

    bank: ClassVar[dict[str, bool]] = {}

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        if command.line.quantity == 2:
            self.bank[self.message_id.hex()] = True
        raise TimeoutError("no answer of the bank")

    @looks_up(bill)
    async def was_billed(self, command: BillOrder) -> OrderBilled | PaymentDeclined | Absent:
        return await super().bill(command) if self.message_id.hex() in self.bank else Absent()


async def ordered(make_cluster: MakeCluster, store: str, pause_s: float, probe: Probe | None) -> Cluster:
    return await run(make_cluster, store, slow(pause_s), probe)


async def run(
    make_cluster: MakeCluster, store: str, billing: type[Billing], probe: Probe | None, hats: int = 2
) -> Cluster:
    process = OrderProcess.with_steps(bill={"timeout": _TIMEOUT_S, "probe": probe})
    services: dict[str, list[type[Service[Any]] | type[Saga[Any]]]] = {
        "shop": [Sales, billing, Warehouse],
        "orchestration": [process],
    }
    shop = Catalogue(contracts=CONTRACTS, services=services, choreographies=[OrderChoreography])
    cluster = await make_cluster(shop, nodes=2, store=store)
    await cluster.send(Restock(sku="HAT", quantity=10))
    await cluster.send(place_order(hats=hats))
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


async def test_s118_a_charge_whose_answer_was_lost_is_looked_up_and_not_given_back(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await run(make_cluster, store, LosingBilling, Probe())
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)
    assert "looked up for the probe" in await cluster.conversation("order-process", "ORD-1")


async def test_s119_a_charge_that_the_bank_never_made_is_absent_and_leaves_no_letter(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await run(make_cluster, store, LosingBilling, Probe(), hats=1)
    assert await outcome(cluster) == OrderOutcome(CANCELLED, charges=0, refunds=0, labels=0, voided=0)
    assert "parked" not in await cluster.conversation("order-process", "ORD-1")
