"""What would start one process in the conversation of another starts nothing there: refused, or said to be meant."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined
from protos.orders_pb2 import Order
from protos.sales_pb2 import OrderCancelled, OrderReadyToShip
from protos.warehouse_pb2 import BackOrdered, ShippingLabelVoided
from runtime.errors import InvalidDefinition
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from tests.unit.saga.test_catalogue import SERVICES, a_process, a_step, catalogue


def bill_apart(state: Order) -> BillOrder:
    return BillOrder(order_id=state.order_id)


def second_saga(event_type: Any) -> type[Any]:
    def begin(event: Any) -> Order:
        return Order(order_id=event.order_id)

    begin.__annotations__ = {"event": event_type, "return": Order}
    return a_process(a_step(do=bill_apart), state=Order, started_by=on(event_type, begin))


def second_choreography(event_type: Any) -> type[Any]:
    def bill(event: Any) -> BillOrder:
        return BillOrder(order_id=event.order_id)

    bill.__annotations__ = {"event": event_type, "return": BillOrder}
    ends = (OrderBilled, PaymentDeclined)
    body = {"starts": on(event_type), "reactions": (on(event_type, bill),), "ends": ends}
    return type("AProcess", (Choreography,), body, name="a-process")


def beside_the_saga(second: type[Any], unstarted: dict[str, tuple[type[Message], ...]]) -> Catalogue:
    if issubclass(second, Choreography):
        return catalogue(choreographies=[second], unstarted=unstarted)
    return catalogue(services={**SERVICES, "more": [second]}, choreographies=[], unstarted=unstarted)


STARTS = [
    (OrderReadyToShip, "MarkReadyToShip"),  # what a step does
    (BackOrdered, "CreateShippingLabel"),  # a refusal
    (ShippingLabelVoided, "VoidShippingLabel"),  # an undo
    (OrderRefunded, "RefundOrder"),
    (OrderCancelled, "CancelOrder"),  # what closes a compensation
]


@pytest.mark.parametrize("second", [second_saga, second_choreography])
@pytest.mark.parametrize(("event", "command"), STARTS)
def test_a_process_that_would_be_started_inside_a_saga_is_refused_or_said_to_be_meant(
    event: Any, command: str, second: Any
) -> None:
    name = event.__name__
    with pytest.raises(
        InvalidDefinition,
        match=rf"ShopProcess: shop.{command} may be answered with shop.{name}, which starts AProcess, but not in a "
        rf"conversation that order-process drives; .* unstarted=\{{'order-process': \({name},\)",
    ):
        beside_the_saga(second(event), {})
    said: dict[str, tuple[type[Message], ...]] = {"order-process": (event,)}
    assert beside_the_saga(second(event), said).sagas


def test_a_saga_that_would_be_started_inside_a_choreography_is_refused_or_said_to_be_meant() -> None:
    services = {**SERVICES, "orchestration": [second_saga(BackOrdered)]}
    with pytest.raises(InvalidDefinition, match=r"ShopChoreography: .* with shop.BackOrdered, which starts AProcess"):
        catalogue(services=services)
    catalogue(services=services, unstarted={"order-choreography": (BackOrdered,)})


@pytest.mark.parametrize("name", ["order-process", "order-proces"])
def test_what_is_said_in_vain_is_refused(name: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"unstarted: no command of '{name}' leads to shop.OrderCancelled"):
        catalogue(unstarted={name: (OrderCancelled,)})
