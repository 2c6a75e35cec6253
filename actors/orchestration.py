"""The order process with one in charge: bill the order, ship it, mark it ready; refund if the warehouse cannot.

    OrderPlaced ─▶ BillOrder ─▶ CreateShippingLabel ─▶ MarkReadyToShip ─▶ completed
                       ▲ RefundOrder      │ BackOrdered
                       └──────────────────┴─▶ CancelOrder ─▶ compensated

The label is the pivot: once it is confirmed there is no way back. While nobody knows whether it was made, it is voided.
"""

from __future__ import annotations

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import (
    ORCHESTRATION,
    CancelOrder,
    MarkReadyToShip,
    OrderCancelled,
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
from runtime import Saga, Step, minutes, on, seconds

__all__ = ["OrderProcess"]


def begin(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, line=event.line, amount_cents=event.amount_cents)


def bill_order(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=state.order_id, amount_cents=state.amount_cents, line=state.line)


def keep_charge(state: OrderProcessState, billed: OrderBilled) -> None:
    state.charge_id = billed.charge_id


def keep_decline(state: OrderProcessState, declined: PaymentDeclined) -> None:
    state.reason = f"payment declined: {declined.reason}"


def refund_order(state: OrderProcessState, reason: str) -> RefundOrder:
    return RefundOrder(order_id=state.order_id, reason=reason)


def create_label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(sku=state.line.sku, quantity=state.line.quantity, order_id=state.order_id)


def keep_label(state: OrderProcessState, created: ShippingLabelCreated) -> None:
    state.label_id = created.label_id


def keep_back_order(state: OrderProcessState, refused: BackOrdered) -> None:
    state.reason = f"{refused.sku} is back-ordered: {refused.quantity} wanted, {refused.on_hand} on hand"


def void_label(state: OrderProcessState) -> VoidShippingLabel:
    return VoidShippingLabel(sku=state.line.sku, quantity=state.line.quantity, order_id=state.order_id)


def mark_ready(state: OrderProcessState) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=state.order_id, label_id=state.label_id)


def cancel_order(state: OrderProcessState, reason: str) -> CancelOrder:
    return CancelOrder(order_id=state.order_id, reason=state.reason or reason)


class OrderProcess(Saga[OrderProcessState], kind="order-process"):
    """Drives the orders whose client did not choose the choreography."""

    started_by = on(OrderPlaced, begin, where={"flow": ORCHESTRATION})

    bill = Step(
        do=bill_order,
        done=OrderBilled,
        refused=PaymentDeclined,
        on_answer=(keep_charge, keep_decline),
        undo=refund_order,
        undone=OrderRefunded,
        timeout=seconds(30),
    )
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        on_answer=(keep_label, keep_back_order),
        undo=void_label,
        undone=ShippingLabelVoided,
        timeout=minutes(5),
        pivot=True,
    )
    close = Step(
        do=mark_ready,
        done=OrderReadyToShip,
        ignores=OrderCancelled,  # Sales says it to a label that came too late, which only the choreography can have
        timeout=seconds(30),
    )
    flow = bill >> ship >> close

    closing = Step(cancel_order, done=OrderCancelled)
