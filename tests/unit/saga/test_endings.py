"""An event that nobody hears in a choreography is refused where all is put together, or declared as an end."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import CHOREOGRAPHY, OrderCancelled, OrderPlaced
from protos.warehouse_pb2 import BackOrdered, ShippingLabelCreated, ShippingLabelVoided
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography
from runtime.saga.on import On, on
from tests.unit.saga.test_catalogue import SERVICES, catalogue
from tests.unit.saga.test_choreography import bill, refund, ship

WHOLE = (on(OrderPlaced, bill), on(OrderBilled, ship, key="line.sku"), on(BackOrdered, refund))
ENDS = (PaymentDeclined, ShippingLabelCreated, OrderRefunded)


def put_together(reactions: tuple[On, ...], ends: tuple[Any, ...], **parts: Any) -> None:
    body = {"starts": on(OrderPlaced, where={"flow": CHOREOGRAPHY}), "reactions": reactions, "ends": ends}
    catalogue(choreographies=[type("Flow", (Choreography,), body, name="the-flow")], **parts)


def test_a_process_whose_events_are_all_heard_or_ends_is_accepted() -> None:
    put_together(WHOLE, ENDS)


@pytest.mark.parametrize(
    ("forgotten", "command"),
    [(PaymentDeclined, "BillOrder"), (ShippingLabelCreated, "CreateShippingLabel"), (OrderRefunded, "RefundOrder")],
)
def test_an_event_that_nobody_hears_is_refused_with_the_cure(forgotten: Any, command: str) -> None:
    name = forgotten.__name__
    with pytest.raises(
        InvalidDefinition,
        match=rf"Flow: shop.{command} may be answered with shop.{name}, which nobody hears in the-flow; react to it "
        rf"with on\({name}, ...\), or say that the process ends there: ends = \({name}, ...\)",
    ):
        put_together(WHOLE, tuple(one for one in ENDS if one is not forgotten))


def test_a_reaction_that_was_forgotten_is_found() -> None:
    with pytest.raises(InvalidDefinition, match=r"shop.CreateShippingLabel may be answered with shop.BackOrdered"):
        put_together(WHOLE[:2], ENDS)


@pytest.mark.parametrize("stale", [ShippingLabelVoided, OrderCancelled])
def test_an_end_that_nothing_comes_to_is_refused(stale: Any) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Flow.ends: none of its .* answered with shop.{stale.__name__}"):
        put_together(WHOLE, (*ENDS, stale))


def test_what_starts_another_process_does_not_hear() -> None:
    def again(event: BackOrdered) -> BillOrder:
        return BillOrder(order_id=event.order_id)

    first = {"starts": on(OrderPlaced), "reactions": WHOLE[:2], "ends": ENDS[:2]}
    second = {"starts": on(BackOrdered), "reactions": (on(BackOrdered, again),), "ends": (OrderBilled, ENDS[0])}
    both = [type(name, (Choreography,), body, name=name) for name, body in (("First", first), ("Second", second))]
    with pytest.raises(InvalidDefinition, match=r"First: .* shop.BackOrdered, which nobody hears in First"):
        catalogue(services=without_saga(), choreographies=both)


def test_commands_that_a_handler_returns_are_followed() -> None:
    class Passing(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled | RefundOrder:
            return RefundOrder(order_id=command.order_id)

        async def refund(self, command: RefundOrder) -> OrderRefunded:
            return OrderRefunded(order_id=command.order_id)

    parts = {"services": {**without_saga(), "billing": [Passing]}}
    with pytest.raises(InvalidDefinition, match=r"Flow: shop.RefundOrder may be answered with shop.OrderRefunded"):
        put_together(WHOLE[:1], (OrderBilled,), **parts)
    put_together(WHOLE[:1], (OrderBilled, OrderRefunded), **parts)


def without_saga() -> dict[str, list[Any]]:
    return {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
