"""The order process in both styles, as definitions: who reacts to what, and with which command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from actors import choreography, orchestration
from actors.catalogue import catalogue
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder, CloseBill, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import (
    CHOREOGRAPHY,
    ORCHESTRATION,
    CancelOrder,
    MarkReadyToShip,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
)
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated, VoidShippingLabel

LINE = OrderLine(sku="CUP", quantity=2)
STATE = OrderProcessState(order_id="ORD-1", line=LINE, amount_cents=500)


@pytest.mark.parametrize(
    ("translate", "event", "command"),
    [
        (
            choreography.bill,
            OrderPlaced(order_id="ORD-1", line=LINE, amount_cents=500),
            BillOrder(order_id="ORD-1", amount_cents=500, line=LINE),
        ),
        (
            choreography.ship,
            OrderBilled(order_id="ORD-1", line=LINE),
            CreateShippingLabel(sku="CUP", quantity=2, order_id="ORD-1"),
        ),
        (
            choreography.mark_ready,
            ShippingLabelCreated(order_id="ORD-1", label_id="L"),
            MarkReadyToShip(order_id="ORD-1", label_id="L"),
        ),
        (
            choreography.refund,
            BackOrdered(order_id="ORD-1", sku="CUP", quantity=2, on_hand=1),
            RefundOrder(order_id="ORD-1", reason="CUP is back-ordered: 2 wanted, 1 on hand"),
        ),
        (
            choreography.cancel_refunded,
            OrderRefunded(order_id="ORD-1", reason="none left"),
            CancelOrder(order_id="ORD-1", reason="none left"),
        ),
        (
            choreography.cancel_declined,
            PaymentDeclined(order_id="ORD-1", reason="too much"),
            CancelOrder(order_id="ORD-1", reason="payment declined: too much"),
        ),
        (
            choreography.close_bill,
            OrderCancelled(order_id="ORD-1", reason="off"),
            CloseBill(order_id="ORD-1", reason="off"),
        ),
        (
            choreography.void_late_label,
            OrderCancelled(order_id="ORD-1", line=LINE, label_id="L"),
            VoidShippingLabel(sku="CUP", quantity=2, order_id="ORD-1", label_id="L"),
        ),
        (choreography.void_late_label, OrderCancelled(order_id="ORD-1", line=LINE), None),
    ],
)
def test_an_event_means_a_command_to_the_one_who_reacts(
    translate: Callable[[Any], Message | None], event: Message, command: Message | None
) -> None:
    assert translate(event) == command


def test_the_process_knows_what_the_event_told() -> None:
    event = OrderPlaced(order_id="ORD-1", line=LINE, amount_cents=500)
    assert orchestration.begin(event) == STATE


def test_a_cancellation_carries_the_words_of_who_refused_and_a_refund_why_the_saga_turned_back() -> None:
    state = OrderProcessState()
    state.CopyFrom(STATE)
    assert orchestration.cancel_order(state, "cancelled: by client").reason == "cancelled: by client"
    orchestration.keep_back_order(state, BackOrdered(order_id="ORD-1", sku="CUP", quantity=2, on_hand=1))
    told = "CUP is back-ordered: 2 wanted, 1 on hand"
    assert orchestration.refund_order(state, "ship: refused").reason == "ship: refused"
    assert orchestration.cancel_order(state, "ship: refused").reason == told


def test_both_styles_give_the_warehouse_and_billing_the_same_commands() -> None:
    placed, billed = (
        OrderPlaced(order_id="ORD-1", line=LINE, amount_cents=500),
        OrderBilled(order_id="ORD-1", line=LINE),
    )
    assert orchestration.bill_order(STATE) == choreography.bill(placed)
    assert orchestration.create_label(STATE) == choreography.ship(billed)


def test_the_label_is_the_pivot_and_every_step_before_it_has_an_undo() -> None:
    bill, ship, close = OrderProcess.definition.flow_steps
    assert (bill.undo_command and bill.undo_command.name, ship.role.name, close.role.name) == (
        "shop.RefundOrder",
        "PIVOT",
        "RETRIABLE",
    )


def test_every_order_is_started_by_exactly_one_process() -> None:
    starting = {
        (one.process, one.where_field, one.where_value)
        for one in catalogue().subscriptions
        if one.event_type == "shop.OrderPlaced" and one.starts
    }
    assert starting == {
        (OrderProcess.kind, "flow", str(ORCHESTRATION)),
        (OrderChoreography.name, "flow", str(CHOREOGRAPHY)),
    }


def test_the_deployment_hosts_a_service_a_node() -> None:
    assert catalogue().service_names == ("sales", "billing", "warehouse", "orchestration")
    kinds = [behaviour.kind for behaviour in catalogue().behaviours_of(())]
    assert kinds == ["sales", "billing", "warehouse", "order-process"]
