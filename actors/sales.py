"""Sales keeps orders: placed, then ready to ship or cancelled. One actor per order id.

PENDING is the order's lock: only a pending order can become ready or be cancelled, and either is final.
"""

from __future__ import annotations

from protos.sales_pb2 import (
    CANCELLED,
    PENDING,
    READY_TO_SHIP,
    UNKNOWN,
    CancellationRefused,
    CancelOrder,
    Flow,
    MarkReadyToShip,
    OrderAlreadyPlaced,
    OrderCancelled,
    OrderConflict,
    OrderPlaced,
    OrderReadyToShip,
    OrderState,
    PlaceOrder,
)
from runtime import Service

__all__ = ["Sales"]


class Sales(Service[OrderState], kind="sales", effects="none"):
    """Every handler gives the same answer to the same command, however often it comes."""

    async def place(self, command: PlaceOrder) -> OrderPlaced | OrderAlreadyPlaced | OrderConflict:
        """The id is the client's: the same order again starts nothing, another order of that id is refused."""
        order = self.state
        if order.status != UNKNOWN:
            difference = _difference(order, command)
            if difference:
                return OrderConflict(order_id=self.key, difference=difference)
            return OrderAlreadyPlaced(order_id=self.key, order=order)
        order.order_id = self.key
        order.line.CopyFrom(command.line)
        order.amount_cents = command.amount_cents
        order.flow = command.flow
        order.status = PENDING
        return OrderPlaced(order_id=self.key, line=command.line, amount_cents=command.amount_cents, flow=command.flow)

    async def mark_ready(self, command: MarkReadyToShip) -> OrderReadyToShip | OrderCancelled:
        """A label for an order that was cancelled meanwhile is handed back once, to be voided."""
        order = self.state
        if order.status == CANCELLED:
            return self._cancelled(label_id=self._new_label(command.label_id))
        order.status = READY_TO_SHIP
        order.label_id = command.label_id
        return OrderReadyToShip(order_id=self.key, label_id=command.label_id)

    async def cancel(self, command: CancelOrder) -> OrderCancelled | CancellationRefused:
        order = self.state
        if order.status == UNKNOWN:
            return CancellationRefused(order_id=self.key, reason="there is no such order")
        if order.status == READY_TO_SHIP:
            return CancellationRefused(order_id=self.key, reason="the order is ready to ship")
        if order.status == PENDING:
            order.status = CANCELLED
            order.reason = command.reason
        return self._cancelled()

    def _new_label(self, label_id: str) -> str:
        """The label, the first time that it comes to a cancelled order; voiding it twice would invent stock."""
        if label_id == self.state.label_id:
            return ""
        self.state.label_id = label_id
        return label_id

    def _cancelled(self, label_id: str = "") -> OrderCancelled:
        order = self.state
        return OrderCancelled(order_id=self.key, reason=order.reason, line=order.line, label_id=label_id)


def _difference(order: OrderState, command: PlaceOrder) -> str:
    """What a second order of the same id asks for differently, for people; empty if nothing."""
    compared = (
        ("sku", order.line.sku, command.line.sku),
        ("quantity", order.line.quantity, command.line.quantity),
        ("amount_cents", order.amount_cents, command.amount_cents),
        ("flow", Flow.Name(order.flow), Flow.Name(command.flow)),
    )
    return ", ".join(f"{name} is {was}, not {asked}" for name, was, asked in compared if was != asked)
