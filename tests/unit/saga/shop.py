"""The order process as these tests know it: bill, ship (the pivot, with an undo), close; cancel when all is undone."""

from __future__ import annotations

from typing import Any

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import (
    ORCHESTRATION,
    CancelOrder,
    MarkReadyToShip,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderReadyToShip,
)
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import minutes, seconds
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.transcript import SagaTranscript

PLACED = OrderPlaced(order_id="ORD-1", line=OrderLine(sku="HAT", quantity=2), amount_cents=500)
BILLED = OrderBilled(order_id="ORD-1", charge_id="CH-1", amount_cents=500)
DECLINED = PaymentDeclined(order_id="ORD-1", reason="no funds")
REFUNDED = OrderRefunded(order_id="ORD-1", amount_cents=500)
LABELLED = ShippingLabelCreated(order_id="ORD-1", sku="HAT", quantity=2, label_id="LB-1")
BACK_ORDERED = BackOrdered(order_id="ORD-1", sku="HAT", quantity=2)
VOIDED = ShippingLabelVoided(order_id="ORD-1", sku="HAT", quantity=2)
READY = OrderReadyToShip(order_id="ORD-1", label_id="LB-1")
CANCELLED = OrderCancelled(order_id="ORD-1")

BUDGET = Budget(asks_max=3, backoff=1.0, backoff_max=60.0)


def begin(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, line=event.line, amount_cents=event.amount_cents)


def bill_order(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=state.order_id, amount_cents=state.amount_cents)


def keep_charge(state: OrderProcessState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def refund_order(state: OrderProcessState, reason: str) -> RefundOrder:
    return RefundOrder(order_id=state.order_id, reason=reason)


def create_label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(sku=state.line.sku, quantity=state.line.quantity, order_id=state.order_id)


def keep_label(state: OrderProcessState, event: ShippingLabelCreated) -> None:
    state.label_id = event.label_id


def void_label(state: OrderProcessState) -> VoidShippingLabel:
    return VoidShippingLabel(sku=state.line.sku, quantity=state.line.quantity, order_id=state.order_id)


def mark_ready(state: OrderProcessState) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=state.order_id, label_id=state.label_id)


def cancel_order(state: OrderProcessState, reason: str) -> CancelOrder:
    return CancelOrder(order_id=state.order_id, reason=reason)


class ShopProcess(Saga[OrderProcessState], kind="order-process", deadline=minutes(10)):
    """The pivot can be undone while nobody knows whether it happened."""

    started_by = on(OrderPlaced, begin, where={"flow": ORCHESTRATION})
    bill = Step(
        do=bill_order,
        done=OrderBilled,
        refused=PaymentDeclined,
        undo=refund_order,
        undone=OrderRefunded,
        timeout=seconds(30),
        on_answer=keep_charge,
        budget=BUDGET,
    )
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        undo=void_label,
        undone=ShippingLabelVoided,
        timeout=minutes(5),
        pivot=True,
        on_answer=keep_label,
        budget=BUDGET,
    )
    close = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=BUDGET)
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


class FirmOrderProcess(Saga[OrderProcessState], kind="firm-order-process"):
    """The pivot has no undo, and nothing is said at the end of a compensation."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order,
        done=OrderBilled,
        refused=PaymentDeclined,
        undo=refund_order,
        undone=OrderRefunded,
        timeout=seconds(30),
    )
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        timeout=minutes(5),
        pivot=True,
        on_answer=keep_label,
        budget=BUDGET,
    )
    close = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30))
    flow = bill >> ship >> close


def placed(saga: type[Saga[Any]] = ShopProcess) -> SagaTranscript:
    """A story up to BillOrder."""
    return SagaTranscript(saga).given(PLACED).expect(BillOrder)


def billed(saga: type[Saga[Any]] = ShopProcess) -> SagaTranscript:
    """A story up to CreateShippingLabel, the pivot."""
    return placed(saga).given(BILLED).expect(CreateShippingLabel)


def shipped(saga: type[Saga[Any]] = ShopProcess) -> SagaTranscript:
    """A story up to MarkReadyToShip, past the pivot."""
    return billed(saga).given(LABELLED).expect(MarkReadyToShip)
