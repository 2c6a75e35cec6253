"""Choreographies compile to reactions, and refuse what makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import CHOREOGRAPHY, OrderPlaced
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated
from runtime.durable.behaviour import Delivery
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.envelope import Envelope
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography
from runtime.saga.on import On, on
from runtime.store.records import Outcome


def bill(event: OrderPlaced) -> BillOrder:
    return BillOrder(order_id=event.order_id, amount_cents=event.amount_cents)


def ship(event: OrderBilled) -> CreateShippingLabel:
    return CreateShippingLabel(sku=event.line.sku, quantity=event.line.quantity, order_id=event.order_id)


def refund(event: BackOrdered) -> RefundOrder | None:
    return RefundOrder(order_id=event.order_id) if event.quantity else None


class ShopChoreography(Choreography, name="order-choreography"):
    starts = on(OrderPlaced, where={"flow": CHOREOGRAPHY})
    reactions = (on(OrderPlaced, bill), on(OrderBilled, ship, key="line.sku"), on(BackOrdered, refund))
    ends = (PaymentDeclined, ShippingLabelCreated, OrderRefunded)


def define(starts: On, *reactions: On) -> None:
    type("Wrong", (Choreography,), {"starts": starts, "reactions": reactions}, name="wrong")


def test_s90_each_reaction_becomes_a_subscription_of_the_kind_that_handles_its_command() -> None:
    billing, warehouse, refunding = ShopChoreography.compiled
    assert (billing.kind, billing.event_type, billing.key_field) == ("billing", OrderPlaced, "order_id")
    assert (billing.starts, billing.where_field, billing.where_value) == (True, "flow", "1")
    assert (warehouse.kind, warehouse.key_field, warehouse.starts) == ("warehouse", "line.sku", False)
    assert (warehouse.where_field, warehouse.where_value) == ("", "")
    assert (refunding.kind, refunding.process) == ("billing", "order-choreography")


def test_a_reaction_translates_an_event_into_a_command_or_into_nothing() -> None:
    refunding = ShopChoreography.compiled[2]
    assert refunding.translate(BackOrdered(order_id="ORD-1", quantity=1)) == RefundOrder(order_id="ORD-1")
    assert refunding.translate(BackOrdered(order_id="ORD-1")) is None


def into_event(event: OrderPlaced) -> OrderBilled:
    return OrderBilled(order_id=event.order_id)


def unannotated(event: OrderPlaced):  # type: ignore[no-untyped-def]
    return None


def of_command(event: BillOrder) -> RefundOrder:
    return RefundOrder(order_id=event.order_id)


@pytest.mark.parametrize(
    ("event", "translate", "key", "complaint"),
    [
        (OrderPlaced, into_event, "", "into_event returns shop.OrderBilled, which is not a command"),
        (OrderPlaced, unannotated, "", "annotate what unannotated returns with one command type"),
        (OrderBilled, bill, "", "annotate it with shop.OrderBilled"),
        (BillOrder, of_command, "", "shop.BillOrder is a command; react to events"),
        (OrderBilled, ship, "line.colour", "shop.OrderBilled has no text field 'line.colour' to be keyed by"),
        (OrderBilled, ship, "line.quantity", "shop.OrderBilled has no text field 'line.quantity' to be keyed by"),
        (OrderBilled, ship, "line", "shop.OrderBilled has no text field 'line' to be keyed by"),
    ],
)
def test_a_reaction_that_makes_no_sense_is_refused(
    event: type[Any], translate: Callable[[Any], Any], key: str, complaint: str
) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        define(on(OrderPlaced), on(OrderPlaced, bill), on(event, translate, key=key))


def test_a_kind_that_reacts_twice_to_one_event_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"billing reacts twice to shop.OrderPlaced; let one function answer"):
        define(on(OrderPlaced), on(OrderPlaced, bill), on(OrderPlaced, bill))


def test_a_process_to_whose_start_nobody_reacts_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong is started by shop.OrderPlaced, and nothing reacts to it"):
        define(on(OrderPlaced), on(OrderBilled, ship, key="line.sku"))


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ({"flow": 7}, "7 is no value of shop.Flow"),
        ({"colour": "red"}, "shop.OrderPlaced has no single field 'colour' to ask for"),
        ({"line": 1}, "shop.OrderPlaced has no single field 'line' to ask for"),
        ({"flow": 0, "amount_cents": 1}, "one field can be asked for, not flow, amount_cents"),
    ],
)
def test_a_starting_condition_that_makes_no_sense_is_refused(where: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        define(on(OrderPlaced, where=where), on(OrderPlaced, bill))


def test_a_choreography_needs_a_name_and_a_start() -> None:
    with pytest.raises(InvalidDefinition, match="choreography Nameless needs a name"):
        type("Nameless", (Choreography,), {"starts": on(OrderPlaced)})
    with pytest.raises(InvalidDefinition, match=r"Startless needs starts = on\(SomeEvent\)"):
        type("Startless", (Choreography,), {}, name="startless")


@pytest.mark.parametrize(
    ("ends", "complaint"),
    [
        (OrderBilled, r"Wrong.ends is a tuple of events: ends = \(SomeEvent, ...\)"),
        (("OrderBilled",), r"Wrong.ends: 'OrderBilled' is no message type"),
        ((BillOrder,), r"Wrong.ends: shop.BillOrder is a command; a process ends with events"),
        ((OrderPlaced,), r"Wrong.ends: shop.OrderPlaced has a reaction, so nothing ends there"),
    ],
)
def test_an_end_that_makes_no_sense_is_refused(ends: Any, complaint: str) -> None:
    body = {"starts": on(OrderPlaced), "reactions": (on(OrderPlaced, bill),), "ends": ends}
    with pytest.raises(InvalidDefinition, match=complaint):
        type("Wrong", (Choreography,), body, name="wrong")


# --- conditions ---


def test_a_choreography_is_started_by_an_event_and_says_elsewhere_what_is_done() -> None:
    for starts in (on(OrderPlaced, bill), on(OrderPlaced, key="line.sku")):
        with pytest.raises(InvalidDefinition, match=r"starts says which event starts the process"):
            define(starts, on(OrderPlaced, bill))


def test_a_reaction_without_a_function_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"on OrderBilled: it says nothing to do; name the function that makes"):
        define(on(OrderPlaced), on(OrderPlaced, bill), on(OrderBilled))


async def test_a_reaction_may_have_a_condition_of_its_own() -> None:
    class Choosy(Choreography, name="choosy"):
        starts = on(OrderPlaced)
        reactions = (on(OrderPlaced, bill, where={"amount_cents": 5}),)

    class ChoreographyTill(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            return OrderBilled(order_id=self.key)

    behaviour = ServiceBehaviour(ChoreographyTill, Choosy.compiled)
    for cents, outcome in ((5, Outcome.HANDLED), (6, Outcome.IGNORED)):
        event = OrderPlaced(order_id="ORD-1", amount_cents=cents)
        envelope = Envelope(bytes(16), "billing", "ORD-1", "", b"", b"", process="choosy")
        decision = await behaviour.handle(BillState(), Delivery(envelope, event, 0.0, 0, 0, lambda *_: bytes(16)))
        assert decision.outcome is outcome
