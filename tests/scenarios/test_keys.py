"""L. Correlation: keys that a saga learns, gives up, and finds taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, OrderReadyToShip, PlaceOrder
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime import Await, Key, Saga, Step, Wait, days, minutes
from runtime.protos.saga_pb2 import (
    EventCounted,
    EventDiscarded,
    EventKept,
    EventLate,
    RetryAccepted,
    RetrySaga,
    SagaRecord,
)
from runtime.saga.catalogue import Catalogue
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga

Start = Callable[..., Awaitable[Cluster]]


def label_of(state: OrderProcessState) -> str:
    return state.label_id


def learn(state: OrderProcessState, answer: OrderReadyToShip) -> None:
    state.label_id = f"for {state.order_id}"


def learn_the_same(state: OrderProcessState, answer: OrderReadyToShip) -> None:
    state.label_id = "the only one"


def learning(on_answer: Callable[..., None] = learn, *, taken: str = "turn back") -> type[Saga[Any]]:
    """Bills; learns for which label it waits; bills nothing more for a minute; then waits for the label."""
    label, first = Key(of=label_of, taken=taken), bill()
    told = Step(**{**vars(close()), "on_answer": on_answer})
    pause = Wait(minutes(10))
    came = Await(ShippingLabelCreated, key=label, by="label_id", within=days(3), early="discard")
    return saga(bill=first, told=told, pause=pause, came=came, label=label, flow=first >> told >> pause >> came)


@pytest.fixture
def start(make_cluster: MakeCluster, store: str) -> Start:
    async def begin(process: type[Saga[Any]], *orders: str) -> Cluster:
        services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
        cluster = await make_cluster(
            Catalogue(contracts=CONTRACTS, services={**services, "waits": [process]}), nodes=2, store=store
        )
        for order in orders:
            await place(cluster, order)
        return cluster

    return begin


async def place(cluster: Cluster, order: str) -> None:
    await cluster.send(PlaceOrder(order_id=order), OrderPlaced)
    await cluster.advance(5)


async def say(cluster: Cluster, key: str, told: type[Any]) -> Any:
    event = ShippingLabelCreated(order_id="ORD-1", sku="HAT", label_id=key)
    return await cluster.send(event, told, kind="process-keys", key=key)


async def record(cluster: Cluster, key: str) -> SagaRecord:
    found = await cluster.client().read("process", key)
    assert found is not None
    assert isinstance(found.state, SagaRecord)
    return found.state


@pytest.mark.broken_by("held-key-finds-nobody")
async def test_s125_an_event_finds_the_saga_from_when_it_has_learned_its_key_on(start: Start) -> None:
    cluster = await start(learning())
    told = await say(cluster, "for ORD-1", EventDiscarded)
    assert told.reason == "no instance of process waits for it"
    await place(cluster, "ORD-1")
    assert [key.value for key in (await record(cluster, "ORD-1")).keys] == ["for ORD-1"]
    await say(cluster, "for ORD-1", EventKept)
    await cluster.advance(timedelta(minutes=11))
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await say(cluster, "for ORD-1", EventCounted)).saga == "process/ORD-1"


@pytest.mark.broken_by("key-kept-after-the-end")
async def test_s126_a_key_that_a_saga_has_given_up_does_not_find_it(start: Start) -> None:
    cluster = await start(learning(), "ORD-1")
    await cluster.client().cancel("process", "ORD-1", "changed my mind")
    await cluster.at_rest()
    assert not (await record(cluster, "ORD-1")).keys
    told = await say(cluster, "for ORD-1", EventLate)
    assert told.reason == "it came late: process/ORD-1 waits for it no more"
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"


@pytest.mark.broken_by("key-of-another-taken")
async def test_s127_the_second_that_asks_for_a_key_turns_back_and_knows_who_holds_it(start: Start) -> None:
    cluster = await start(learning(learn_the_same), "ORD-1", "ORD-2")
    await cluster.advance(60)
    assert await cluster.status("process", "ORD-2") == "compensated"
    assert "key label: process/ORD-1 holds the key 'the only one' already" in (await record(cluster, "ORD-2")).reason
    assert await cluster.status("process", "ORD-1") == "running"
    assert (await say(cluster, "the only one", EventKept)).until_s > cluster.now_s
    await cluster.advance(timedelta(minutes=11))
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"


async def test_s127_or_is_stuck_until_the_key_is_free(start: Start) -> None:
    cluster = await start(learning(learn_the_same, taken="stuck"), "ORD-1", "ORD-2")
    stuck = await record(cluster, "ORD-2")
    assert stuck.status == SagaRecord.STUCK
    assert stuck.stuck_reason.startswith("key label: process/ORD-1 holds the key 'the only one' already")
    await cluster.client().cancel("process", "ORD-1", "to make room")
    await cluster.advance(60)
    await cluster.send(RetrySaga(reason="ORD-1 has ended", who="a test"), RetryAccepted, kind="process", key="ORD-2")
    await cluster.advance(60)
    assert await cluster.status("process", "ORD-2") == "running"
    assert [(one.value, one.stuck) for one in (await record(cluster, "ORD-2")).keys] == [("the only one", False)]
