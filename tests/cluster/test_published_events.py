"""Sagas on real nodes publish events that start others, in a conversation of their own."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, OrderReadyToShip, PlaceOrder
from runtime import Await, Publish, Remind, Wait, days
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.shop import bill_order
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga
from tests.unit.saga.test_publish import publishing


def begin(event: OrderReadyToShip) -> BillState:
    return BillState(order_id=event.order_id, amount_cents=7)


def bill_shipping(state: BillState) -> BillOrder:
    return BillOrder(order_id="SHIPPING", amount_cents=state.amount_cents)


class PayShipping(Saga[BillState], kind="pay-shipping"):
    """Is started by what another saga publishes."""

    started_by = on(OrderReadyToShip, begin)
    pay = Step(bill_shipping, OrderBilled, PaymentDeclined, timeout=30, no_undo="it is a test")
    flow = pay


@pytest.mark.broken_by("published-event-stays-in-its-conversation")
async def test_s123_s6_an_event_of_one_saga_starts_another_in_a_conversation_of_its_own(
    make_cluster: MakeCluster,
) -> None:
    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    unstarted = {"process": (OrderReadyToShip,)}  # as an answer of sales it starts nothing; only as it is published
    catalogue = Catalogue(
        contracts=CONTRACTS, services={**services, "sagas": [publishing(), PayShipping]}, unstarted=unstarted
    )
    cluster: Cluster = await make_cluster(catalogue, nodes={"one": ("sales", "billing", "warehouse", "sagas")})
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("pay-shipping", "ORD-1") == "completed"
    one, other = [await cluster.client().read(kind, "ORD-1") for kind in ("process", "pay-shipping")]
    assert one is not None and other is not None and one.conversation != other.conversation


def begin_wait(event: OrderPlaced) -> BillState:
    return BillState(order_id=event.order_id)


def of_the_label(state: BillState) -> str:
    return f"LABEL of {state.order_id}"


class ByLabel(Saga[BillState], kind="by-label"):
    """Waits for an order that is ready, by the label that is on it."""

    started_by = on(OrderPlaced, begin_wait)
    ready = Await(OrderReadyToShip, key=of_the_label, by="label_id", within=days(1))
    flow = ready


def unlabelled(state: OrderProcessState) -> OrderReadyToShip:
    return OrderReadyToShip(order_id=state.order_id)


async def started(make_cluster: MakeCluster, process: type[Saga[OrderProcessState]]) -> Cluster:
    """The order's process, and another that waits for an event of it by a field that the event does not have."""
    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    catalogue = Catalogue(
        contracts=CONTRACTS,
        services={**services, "sagas": [process, ByLabel]},
        several={OrderPlaced: ("process", "by-label")},
    )
    cluster: Cluster = await make_cluster(catalogue, nodes={"one": ("sales", "billing", "warehouse", "sagas")})
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.advance(5)
    return cluster


async def record(cluster: Cluster) -> SagaRecord:
    found = await cluster.client().read("process", "ORD-1")
    assert found is not None and isinstance(found.state, SagaRecord)
    return found.state


NO_KEY = "cannot be published: shop.OrderReadyToShip has no label_id, by which by-label-keys would receive it"


async def test_an_event_without_the_key_by_which_another_saga_waits_fails_where_it_is_published(
    make_cluster: MakeCluster,
) -> None:
    cluster = await started(make_cluster, publishing(unlabelled))
    await cluster.advance(60)
    assert await cluster.status("process", "ORD-1") == "compensated"
    assert NO_KEY in (await record(cluster)).reason
    assert "dead letter" not in await cluster.conversation("process", "ORD-1")


async def test_past_the_pivot_such_an_event_gets_the_saga_stuck_and_no_answer_is_parked(
    make_cluster: MakeCluster,
) -> None:
    paid = Step(bill_order, OrderBilled, PaymentDeclined, timeout=30, pivot=True)
    told, done = Publish(unlabelled), close()
    cluster = await started(make_cluster, saga(bill=paid, told=told, close=done, flow=paid >> told >> done))
    assert await cluster.status("process", "ORD-1") == "stuck"
    assert f"told: event of told made what {NO_KEY}" in (await record(cluster)).stuck_reason
    assert "dead letter" not in await cluster.conversation("process", "ORD-1")


async def test_a_reminder_without_such_a_key_is_reported_and_the_next_is_tried(make_cluster: MakeCluster) -> None:
    first, last = bill(), Wait(days(1))
    nag = Remind(last, after=60, say=unlabelled, times=2)
    cluster = await started(make_cluster, saga(bill=first, last=last, nag=nag, flow=first >> last))
    await cluster.advance(60)
    (said,) = (await record(cluster)).reminders
    assert NO_KEY in said.error and said.said == 1 and said.due_at_s
    await cluster.advance(60)
    assert (await record(cluster)).reminders[0].said == 2
    assert await cluster.status("process", "ORD-1") == "running"
