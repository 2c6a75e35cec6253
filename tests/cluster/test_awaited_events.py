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
from runtime.protos.saga_pb2 import EventCounted, EventDiscarded, EventKept, EventLate, KeyRecord, SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.proof.programs import programs_pb2 as pb
from tests.proof.workloads.awaited import BetaSpeaker, Participant, Starter, TurnsBack
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga

NODES = {"one": ("sales", "billing", "warehouse", "waits"), "two": ("sales", "billing", "warehouse", "waits")}
Start = Callable[..., Awaitable[Cluster]]


def label_key(state: OrderProcessState) -> str:
    return f"for {state.order_id}"


def waiting(**changed: Any) -> type[Saga[OrderProcessState]]:
    declared: dict[str, Any] = {"key": label_key, "within": days(3), "by": "label_id", **changed}
    first, label, last = bill(), Await(ShippingLabelCreated, **declared), close()
    return saga(bill=first, label=label, close=last, flow=first >> label >> last)


def grabbing() -> type[Saga[OrderProcessState]]:
    """All instances wait for the same key."""
    first, label = bill(), Await(ShippingLabelCreated, key=lambda _: "the only one", within=days(3), by="label_id")
    return saga(bill=first, label=label, flow=first >> label)


def catalogue(*processes: type[Saga[Any]]) -> Catalogue:
    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    return Catalogue(contracts=CONTRACTS, services={**services, "waits": [*processes]})


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


@pytest.mark.broken_by("early-event-forgotten")
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


@pytest.mark.broken_by("event-handed-to-another")
async def test_s101_an_event_for_one_instance_does_not_move_another(start: Start) -> None:
    cluster = await start()
    await until_waiting(cluster, "ORD-1", "ORD-2")
    before = (await record(cluster, "ORD-2")).SerializeToString(deterministic=True)
    await label(cluster, "for ORD-1", EventCounted)
    await cluster.advance(5)
    assert await cluster.status("process", "ORD-1") == "completed"
    assert (await record(cluster, "ORD-2")).SerializeToString(deterministic=True) == before


@pytest.mark.broken_by("key-taken-over")
async def test_s127_a_key_that_another_instance_waits_for_is_refused_and_the_second_knows_the_holder(
    start: Start,
) -> None:
    cluster = await start(grabbing())
    await until_waiting(cluster, "ORD-1")
    await until_waiting(cluster, "ORD-2")
    assert await cluster.status("process", "ORD-2") == "compensated"
    reason = (await record(cluster, "ORD-2")).reason
    assert "process/ORD-1 waits for ShippingLabelCreated with key 'the only one' already" in reason
    await label(cluster, "the only one", EventCounted)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    kept = await cluster.state("process-keys", "the only one", KeyRecord)
    assert kept.events[0].holder == "process/ORD-1"


# --- events that find no instance, and keys that are learned and given back ---


@pytest.mark.broken_by("event-handed-to-another")
async def test_s125_an_event_finds_its_saga_once_that_has_learned_the_key_and_before_what_is_declared_happens(
    start: Start,
) -> None:
    cluster = await start(waiting(early="discard"))
    assert (await label(cluster, "for ORD-1", EventDiscarded)).reason == "no instance of process waits for it"
    await until_waiting(cluster, "ORD-1")
    assert (await label(cluster, "for ORD-1", EventCounted)).saga == "process/ORD-1"
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"


@pytest.mark.broken_by("late-event-kept")
async def test_s126_a_key_that_its_saga_has_given_back_does_not_find_it(start: Start) -> None:
    cluster = await start()
    await until_waiting(cluster, "ORD-1")
    await cluster.client().cancel("process", "ORD-1", "changed my mind")
    await cluster.at_rest()
    await label(cluster, "for ORD-1", EventLate)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "compensated"


@pytest.mark.broken_by("early-event-forgotten")
async def test_s128_what_is_parked_for_a_grace_time_is_delivered_within_it_and_forgotten_with_an_alarm_after_it(
    start: Start,
) -> None:
    cluster = await start(waiting(keep_for=days(1)))
    await label(cluster, "for ORD-1", EventKept)
    await label(cluster, "for ORD-2", EventKept)
    await until_waiting(cluster, "ORD-1")
    await cluster.advance(days(1))
    await until_waiting(cluster, "ORD-2")
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("process", "ORD-2") == "running"
    kept = await cluster.state("process-keys", "for ORD-2", KeyRecord)
    assert not kept.events[0].early


def begin_third(event: pb.Begun) -> pb.ThirdState:
    return pb.ThirdState(key=event.key)


def say_it(state: pb.ThirdState) -> pb.ChangeAlpha:
    return pb.ChangeAlpha(key=state.key)


def note_third(state: pb.ThirdState, event: pb.BetaChanged) -> None:
    state.kept.append(event.next_key)


class WaitsToo(Saga[pb.ThirdState], kind="waits-too"):
    """Waits for the same event as another saga, by the same key."""

    started_by = on(pb.Begun, begin_third, where={"process": 3})
    event = Await(
        pb.BetaChanged, key=lambda state: state.key.partition("|")[0], by="deed", within=days(1), on_event=note_third
    )
    last = Step(say_it, pb.AlphaChanged, timeout=30, no_undo="it is a test")
    flow = event >> last


@pytest.mark.broken_by("one-id-for-two-destinations")
async def test_s18_one_event_reaches_each_saga_that_waits_for_it_once(make_cluster: MakeCluster) -> None:
    services: dict[str, Any] = {"origin": [Starter], "alpha": [Participant], "beta": [BetaSpeaker]}
    cluster = await make_cluster(Catalogue(contracts=[pb], services={**services, "waits": [TurnsBack, WaitsToo]}))
    for run in ("K|1|0", "K|3|0"):
        await cluster.send(pb.Begin(run=run), pb.Begun)
    await cluster.send(pb.ChangeBeta(key="K", deed="K", amount=7), pb.BetaChanged)
    await cluster.at_rest()
    assert (await cluster.state("turning", "K|1|0", pb.FirstState)).kept == ["7"]
    assert (await cluster.state("waits-too", "K|3|0", pb.ThirdState)).kept == ["7"]
