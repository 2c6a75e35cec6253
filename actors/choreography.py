"""The order process with nobody in charge: each service reacts to what the others say.

    OrderPlaced ─▶ Billing ─OrderBilled─▶ Warehouse ─ShippingLabelCreated─▶ Sales: ready to ship
                      │                       └──BackOrdered─▶ Billing ─OrderRefunded─▶ Sales: cancelled
                      └──PaymentDeclined─▶ Sales: cancelled
    OrderCancelled ─▶ Billing: nothing stays charged, nothing will be · Warehouse: a label that came too late is void

Each function below says what an event means to the one who reacts: a command to itself, or None for nothing to do.
"""

from __future__ import annotations

from protos.billing_pb2 import BillOrder, CloseBill, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import (
    CHOREOGRAPHY,
    CancellationRefused,
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
from runtime import Choreography, on

__all__ = ["OrderChoreography"]


def bill(event: OrderPlaced) -> BillOrder:
    return BillOrder(order_id=event.order_id, amount_cents=event.amount_cents, line=event.line)


def ship(event: OrderBilled) -> CreateShippingLabel:
    return CreateShippingLabel(sku=event.line.sku, quantity=event.line.quantity, order_id=event.order_id)


def mark_ready(event: ShippingLabelCreated) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=event.order_id, label_id=event.label_id)


def refund(event: BackOrdered) -> RefundOrder:
    reason = f"{event.sku} is back-ordered: {event.quantity} wanted, {event.on_hand} on hand"
    return RefundOrder(order_id=event.order_id, reason=reason)


def cancel_refunded(event: OrderRefunded) -> CancelOrder:
    return CancelOrder(order_id=event.order_id, reason=event.reason)


def cancel_declined(event: PaymentDeclined) -> CancelOrder:
    return CancelOrder(order_id=event.order_id, reason=f"payment declined: {event.reason}")


def close_bill(event: OrderCancelled) -> CloseBill:
    return CloseBill(order_id=event.order_id, reason=event.reason)


def void_late_label(event: OrderCancelled) -> VoidShippingLabel | None:
    if not event.label_id:
        return None
    return VoidShippingLabel(
        sku=event.line.sku, quantity=event.line.quantity, order_id=event.order_id, label_id=event.label_id
    )


class OrderChoreography(Choreography, name="order-choreography"):
    """Drives the orders whose client chose it."""

    starts = on(OrderPlaced, where={"flow": CHOREOGRAPHY})
    reactions = (
        on(OrderPlaced, bill),
        on(OrderBilled, ship, key="line.sku"),
        on(ShippingLabelCreated, mark_ready),
        on(BackOrdered, refund),
        on(OrderRefunded, cancel_refunded),
        on(PaymentDeclined, cancel_declined),
        on(OrderCancelled, close_bill),
        on(OrderCancelled, void_late_label, key="line.sku"),
    )
    ends = (OrderReadyToShip, CancellationRefused, ShippingLabelVoided)
    settled_by = (OrderReadyToShip, OrderCancelled)
