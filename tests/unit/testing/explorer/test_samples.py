"""Made messages have every field set and one key; a user's own samples are checked, and all tried."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillState, OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CHOREOGRAPHY, Flow, OrderAlreadyPlaced, OrderLine, OrderPlaced
from runtime.errors import InvalidMessage
from runtime.protos import durable_pb2, mesh_pb2
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.explorer.samples import KEY, Samples
from tests.unit.saga.shop import ShopProcess, begin
from tests.unit.testing.explorer.sagas import NoPivot, bill

NO_MISFORTUNE = Bounds(0, 0, 0, 0, 0, 0)


class Chosen(Saga[OrderProcessState], kind="chosen"):
    started_by = on(OrderPlaced, begin, where={"flow": CHOREOGRAPHY})
    bill = bill()
    flow = bill


def begin_again(event: OrderAlreadyPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order.order_id)


class Renamed(Saga[OrderProcessState], kind="renamed"):
    """Keyed by a field inside a field; and it has two ways to begin."""

    started_by = (on(OrderAlreadyPlaced, begin_again, key="order.order_id"), on(OrderPlaced, begin))
    bill = bill()
    flow = bill


def samples(saga: type[Saga[Any]], *given: Message) -> Samples:
    return Samples(saga.definition, given)


def test_a_made_answer_has_every_field_set_and_the_key_of_the_saga() -> None:
    (billed,) = samples(ShopProcess).of(OrderBilled)
    assert billed == OrderBilled(
        order_id=KEY, charge_id="charge_id", amount_cents=1, line=OrderLine(sku="sku", quantity=1)
    )


def test_a_made_event_starts_the_saga() -> None:
    (event,) = samples(Chosen).starts
    assert isinstance(event, OrderPlaced)
    assert (event.order_id, event.flow) == (KEY, CHOREOGRAPHY)


def test_a_key_inside_a_message_is_set_there() -> None:
    first, second = samples(Renamed).starts
    assert isinstance(first, OrderAlreadyPlaced) and isinstance(second, OrderPlaced)
    assert first.order.order_id == second.order_id == KEY
    result = explore(Renamed, bounds=NO_MISFORTUNE)
    result.check()
    assert result.ends["completed"] == 2, "both ways of beginning were tried; one knows less of the order"


@pytest.mark.parametrize("message_type", [mesh_pb2.Frame, durable_pb2.Timers, BillState, mesh_pb2.Envelope])
def test_whatever_fields_a_message_has_it_can_be_made_and_sent(message_type: type[Message]) -> None:
    (made,) = samples(ShopProcess).of(message_type)
    assert made.ListFields()
    assert message_type.FromString(made.SerializeToString()) == made


def test_a_users_sample_replaces_the_made_one_and_brings_its_key() -> None:
    given = samples(ShopProcess, OrderPlaced(order_id="ORD-9"), PaymentDeclined(order_id="ORD-9", reason="no funds"))
    assert given.key == "ORD-9"
    assert given.of(PaymentDeclined) == (PaymentDeclined(order_id="ORD-9", reason="no funds"),)
    (billed,) = given.of(OrderBilled)
    assert isinstance(billed, OrderBilled) and billed.order_id == "ORD-9"


def test_several_samples_of_one_type_are_all_tried() -> None:
    one = explore(NoPivot, bounds=NO_MISFORTUNE)
    several = explore(
        NoPivot,
        samples=[OrderBilled(order_id=KEY, charge_id="a"), OrderBilled(order_id=KEY, charge_id="b")],
        bounds=NO_MISFORTUNE,
    )
    assert several.ends["completed"] == 2 * one.ends["completed"]


@pytest.mark.parametrize(
    ("saga", "given", "complaint"),
    [
        (
            NoPivot,
            BillState(),
            r"a sample is a shop.BillState, which neither starts NoPivot nor answers it; it knows .*Or",
        ),
        (NoPivot, OrderPlaced(), r"the sample of shop.OrderPlaced has no key in 'order_id'"),
        (Chosen, OrderPlaced(order_id="ORD-1", flow=Flow.ORCHESTRATION), r"starts nothing: its flow has to be 1"),
        (Renamed, OrderPlaced(order_id="ORD-1"), r"the starting events have the keys KEY-1, ORD-1; one instance"),
    ],
)
def test_samples_that_fit_nothing_are_refused(saga: type[Saga[Any]], given: Message, complaint: str) -> None:
    with pytest.raises(InvalidMessage, match=complaint):
        explore(saga, samples=[given])
