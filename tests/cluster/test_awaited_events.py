"""Sagas on real nodes wait for an event that a service or a client says in another conversation, by its key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import CreateShippingLabel, ShippingLabelCreated
from runtime.durations import days
from runtime.protos.saga_pb2 import EventCounted, EventKept, EventLate, KeyRecord, SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga

NODES = {"one": ("sales", "billing", "warehouse", "waits"), "two": ("sales", "billing", "warehouse", "waits")}
Start = Callable[..., Awaitable[Cluster]]


def label_key(state: OrderProcessState) -> str:
    return f"for {state.order_id}"


def waiting() -> type[Saga[OrderProcessState]]:
    first, label, last = bill(), Await(ShippingLabelCreated, key=label_key, within=days(3), by="label_id"), close()
    return saga(bill=first, label=label, close=last, flow=first >> label >> last)


def grabbing() -> type[Saga[OrderProcessState]]:
    """All instances wait for the same key."""
    first, label = bill(), Await(ShippingLabelCreated, key=lambda _: "the only one", within=days(3), by="label_id")
    return saga(bill=first, label=label, flow=first >> label)


def catalogue(process: type[Saga[Any]]) -> Catalogue:
    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    return Catalogue(contracts=CONTRACTS, services={**services, "waits": [process]})


@pytest.fixture(params=["memory", "sqlite"])
def start(request: pytest.FixtureRequest, make_cluster: MakeCluster, tmp_path: Path) -> Start:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/amends.db"

    async def begin(process: type[Saga[Any]] | None = None) -> Cluster:
        return await make_cluster(catalogue(process or waiting()), nodes=NODES, store=store)

    return begin


async def label(cluster: Cluster, key: str, said: type[Any]) -> Any:
    """A client says the event; what it is told."""
    event = ShippingLabelCreated(order_id="ORD-1", sku="HAT", label_id=key)
    return await cluster.send(event, said, kind="process-keys", key=key)


async def record(cluster: Cluster, key: str) -> SagaRecord:
    found = await cluster.client().read("process", key)
    assert found is not None
    assert isinstance(found.state, SagaRecord)
    return found.state


async def until_waiting(cluster: Cluster, *keys: str) -> None:
    for key in keys:
        await cluster.send(PlaceOrder(order_id=key), OrderPlaced)
    await cluster.advance(5)


async def test_s98_an_event_of_another_conversation_has_the_saga_go_on_also_after_its_nodes_have_died(
    start: Start,
) -> None:
    cluster = await start()
    await until_waiting(cluster, "ORD-1")
    for name in NODES:
        cluster.kill(name)
    for name in NODES:
        await cluster.restart(name)
    assert (await label(cluster, "for ORD-1", EventCounted)).saga == "process/ORD-1"
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await record(cluster, "ORD-1")).tasks[1].heard_from == "client"


async def test_s98_the_history_names_the_service_that_said_the_event(start: Start) -> None:
    def by_order(state: OrderProcessState) -> str:
        return state.order_id

    first, last = bill(), close()
    wait = Await(ShippingLabelCreated, key=by_order, within=days(3))
    cluster = await start(saga(bill=first, label=wait, close=last, flow=first >> wait >> last))
    await until_waiting(cluster, "ORD-1")
    await cluster.send(CreateShippingLabel(sku="HAT", quantity=1, order_id="ORD-1"), ShippingLabelCreated)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await record(cluster, "ORD-1")).tasks[1].heard_from == "warehouse/HAT"


async def test_s99_an_event_that_comes_before_its_saga_has_begun_counts_once(start: Start) -> None:
    cluster = await start()
    await label(cluster, "for ORD-1", EventKept)
    await until_waiting(cluster, "ORD-1")
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await label(cluster, "for ORD-1", EventCounted)).saga == "process/ORD-1"


async def test_s100_an_event_after_the_time_limit_is_late_and_the_saga_stays_undone(start: Start) -> None:
    cluster = await start()
    await until_waiting(cluster, "ORD-1")
    await cluster.advance(days(3))
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"
    told = await label(cluster, "for ORD-1", EventLate)
    assert told.reason == "it came late: process/ORD-1 waits for it no more"
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"


async def test_s101_an_event_for_one_instance_does_not_move_another(start: Start) -> None:
    cluster = await start()
    await until_waiting(cluster, "ORD-1", "ORD-2")
    before = (await record(cluster, "ORD-2")).SerializeToString(deterministic=True)
    await label(cluster, "for ORD-1", EventCounted)
    await cluster.advance(5)
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await record(cluster, "ORD-2")).SerializeToString(deterministic=True) == before


async def test_s127_a_key_that_another_instance_waits_for_is_refused_and_the_second_knows_the_holder(
    start: Start,
) -> None:
    cluster = await start(grabbing())
    await until_waiting(cluster, "ORD-1", "ORD-2")
    assert await cluster.status("process", "ORD-2") == "compensated"
    reason = (await record(cluster, "ORD-2")).reason
    assert "process/ORD-1 waits for ShippingLabelCreated with key 'the only one' already" in reason
    await label(cluster, "the only one", EventCounted)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    kept = await cluster.state("process-keys", "the only one", KeyRecord)
    assert kept.events[0].holder == "process/ORD-1"
