"""A. Starting: an event of one saga starts another, and one event starts several where the catalogue says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import (
    READY_TO_SHIP,
    Flow,
    MarkReadyToShip,
    OrderPlaced,
    OrderReadyToShip,
    OrderState,
    PlaceOrder,
)
from protos.warehouse_pb2 import Restock
from runtime import Answer, Choreography, Saga, Service, Step, Wait, minutes, on
from runtime.saga.catalogue import Catalogue, Hosted
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.scenarios.orders import OrderOutcome, outcome, place_order
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_publish import publishing

WITHOUT_SAGAS = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}


def begin_points(event: OrderPlaced) -> BillState:
    return BillState(order_id=event.order_id, amount_cents=7)


def begin_shipping(event: OrderReadyToShip) -> BillState:
    return BillState(order_id=event.order_id, amount_cents=7)


def bill_points(state: BillState) -> BillOrder:
    return BillOrder(order_id=f"points of {state.order_id}", amount_cents=state.amount_cents)


def begin_after_shipping(event: OrderReadyToShip) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, amount_cents=3)


def bill_after_shipping(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=f"points of {state.order_id}", amount_cents=state.amount_cents)


def bill_the_first(event: OrderPlaced) -> BillOrder | None:
    is_first = event.order_id.endswith("-1")
    return BillOrder(order_id=event.order_id, amount_cents=event.amount_cents) if is_first else None


def bill_late(event: OrderPlaced) -> BillOrder:
    return BillOrder(order_id=f"late {event.order_id}", amount_cents=event.amount_cents)


def _pay() -> Step:
    return Step(bill_points, OrderBilled, PaymentDeclined, timeout=30, no_undo="it is a test")


class Loyalty(Saga[BillState], kind="loyalty-process"):
    """Waits for its own time, and gives points."""

    started_by = on(OrderPlaced, begin_points)
    pause, pay = Wait(minutes(20)), _pay()
    flow = pause >> pay


class PayForShipping(Saga[BillState], kind="pay-shipping"):
    """Is started by what another saga publishes."""

    started_by = on(OrderReadyToShip, begin_shipping)
    pause, pay = Wait(minutes(20)), _pay()
    flow = pause >> pay


class AfterShipping(Saga[OrderProcessState], kind="after-shipping"):
    """Gives points for what is ready."""

    started_by = on(OrderReadyToShip, begin_after_shipping)
    pay = Step(bill_after_shipping, OrderBilled, PaymentDeclined, timeout=30, no_undo="it is a test")
    flow = pay


class BillTheFirst(Choreography, name="bill-the-first", deadline=minutes(5)):
    """Bills the first order of a customer, and forgets all others."""

    starts = on(OrderPlaced)
    reactions = (on(OrderPlaced, bill_the_first),)
    ends = (OrderBilled, PaymentDeclined)
    settled_by = (OrderBilled,)
    on_overdue = bill_late


async def test_s6_what_one_saga_publishes_starts_another_and_each_has_its_own_timer(
    make_cluster: MakeCluster, store: str
) -> None:
    told = Catalogue(
        contracts=CONTRACTS,
        services={**WITHOUT_SAGAS, "sagas": [publishing(), PayForShipping]},
        unstarted={"process": (OrderReadyToShip,)},
    )
    cluster = await make_cluster(told, nodes=2, store=store)
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.advance(10)
    assert await cluster.status("pay-shipping", "ORD-1") == "running"
    assert await cluster.conversation("pay-shipping", "ORD-1") != await cluster.conversation("process", "ORD-1")
    await cluster.advance(minutes(21))
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("pay-shipping", "ORD-1") == "completed"


def several(*processes: str) -> Catalogue:
    """The shop, in which an order also brings points."""
    return Catalogue(
        contracts=CONTRACTS,
        services={
            "sales": [Sales],
            "billing": [Billing],
            "warehouse": [Warehouse],
            "orchestration": [OrderProcess],
            "loyalty": [Loyalty],
        },
        choreographies=[OrderChoreography],
        several={OrderPlaced: processes},
    )


ALL = ("order-process", "order-choreography", "loyalty-process")


async def ordered(cluster: Cluster, flow: Flow.ValueType) -> None:
    await cluster.send(Restock(sku="HAT", quantity=9))
    await cluster.send(place_order(flow=flow))


async def conversations(cluster: Cluster, *kinds: str) -> list[str]:
    return [await cluster.conversation(kind, "ORD-1") for kind in kinds]


@pytest.mark.broken_by("two-drivers-in-one-conversation")
@pytest.mark.parametrize("flow", [Flow.ORCHESTRATION, Flow.CHOREOGRAPHY], ids=["saga", "choreography"])
async def test_s18_one_event_starts_several_processes_each_in_a_conversation_of_its_own(
    make_cluster: MakeCluster, store: str, flow: Flow.ValueType
) -> None:
    cluster = await make_cluster(several(*ALL), nodes={"one": (), "two": ()}, store=store)
    await ordered(cluster, flow)
    for name in ("one", "two"):
        cluster.kill(name)
        await cluster.restart(name)
    await cluster.advance(minutes(21))
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)
    assert await cluster.status("loyalty-process", "ORD-1") == "completed"
    order, points = await conversations(cluster, "sales", "loyalty-process")
    assert "points of ORD-1" in points and "points of ORD-1" not in order
    if flow == Flow.ORCHESTRATION:
        assert await cluster.conversation("order-process", "ORD-1") == order


@pytest.mark.broken_by("first-process-by-name")
@pytest.mark.parametrize("first", ["order-process", "loyalty-process"])
async def test_s18_the_first_that_is_named_drives_the_conversation_in_which_the_event_was_said(
    make_cluster: MakeCluster, store: str, first: str
) -> None:
    cluster = await make_cluster(several(first, *(one for one in ALL if one != first)), nodes=2, store=store)
    await ordered(cluster, Flow.ORCHESTRATION)
    await cluster.advance(minutes(21))
    await cluster.at_rest()
    sales, *of_processes = await conversations(cluster, "sales", "order-process", "loyalty-process")
    said_in_it = [sales.splitlines()[0] in one for one in of_processes]
    assert said_in_it == [first == "order-process", first == "loyalty-process"]
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)


# --- one handler that says several events ---


class TwoAtOnce(Service[OrderState], kind="sales"):
    """A customer orders for two at once; or orders, while what was ordered before is ready."""

    async def place(self, command: PlaceOrder) -> Answer[OrderPlaced, OrderPlaced]:
        one, another = (
            OrderPlaced(order_id=f"{command.order_id}-{number}", amount_cents=5, flow=command.flow) for number in (1, 2)
        )
        return Answer(one, events=(another,))

    async def mark_ready(self, command: MarkReadyToShip) -> Answer[OrderReadyToShip, OrderPlaced]:
        placed = OrderPlaced(order_id=f"{command.order_id}-1", amount_cents=5)
        return Answer(OrderReadyToShip(order_id=f"{command.order_id}-2"), events=(placed,))


def said_at_once(*sagas: type[Saga[Any]], choreographies: Sequence[type[Choreography]] = ()) -> Catalogue:
    services: dict[str, list[Hosted]] = {"sales": [TwoAtOnce, *sagas], "billing": [Billing]}
    return Catalogue(contracts=CONTRACTS, services=services, choreographies=choreographies)


@pytest.mark.broken_by("second-event-has-the-same-driver")
async def test_s18_two_processes_of_one_kind_that_one_handler_starts_have_a_conversation_each(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await make_cluster(said_at_once(Loyalty), nodes=2, store=store)
    await cluster.send(PlaceOrder(order_id="ORD"), OrderPlaced)
    await cluster.advance(minutes(21))
    await cluster.at_rest()
    first, second = [await cluster.conversation("loyalty-process", key) for key in ("ORD-1", "ORD-2")]
    assert "points of ORD-1" in first and "points of ORD-1" not in second
    assert "points of ORD-2" in second and "points of ORD-2" not in first
    assert "PlaceOrder" in first, "the first drives the conversation in which it was said"
    assert [await cluster.status("loyalty-process", key) for key in ("ORD-1", "ORD-2")] == ["completed"] * 2


@pytest.mark.broken_by("second-event-has-the-same-driver")
async def test_s18_two_kinds_of_processes_that_one_handler_starts_have_a_conversation_each(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await make_cluster(said_at_once(Loyalty, AfterShipping), nodes=2, store=store)
    await cluster.send(MarkReadyToShip(order_id="ORD"), OrderReadyToShip)
    await cluster.advance(minutes(21))
    await cluster.at_rest()
    first = await cluster.conversation("after-shipping", "ORD-2")
    second = await cluster.conversation("loyalty-process", "ORD-1")
    assert "MarkReadyToShip" in first and "points of ORD-2" in first and "points of ORD-1" not in first
    assert "points of ORD-1" in second and "points of ORD-2" not in second


@pytest.mark.broken_by("second-event-has-the-same-driver")
async def test_s18_each_of_two_choreographies_that_one_handler_starts_has_a_deadline_of_its_own(
    make_cluster: MakeCluster, store: str
) -> None:
    """The second is not billed in time: what bills the first does not meet the deadline of both."""
    cluster = await make_cluster(said_at_once(choreographies=[BillTheFirst]), nodes=2, store=store)
    await cluster.send(PlaceOrder(order_id="ORD"), OrderPlaced)
    await cluster.advance(minutes(21))
    charges = {
        key: (await cluster.state("billing", key, BillState)).charges for key in ("ORD-1", "ORD-2", "late ORD-2")
    }
    assert charges == {"ORD-1": 1, "ORD-2": 0, "late ORD-2": 1}
