"""Warehouse keeps the stock of one SKU and takes goods out by shipping labels. One actor per SKU.

Its state counts and remembers no order, so that it stays as small after a million labels as after one: which label
is whose rides on the messages, and that each message is handled once is the runtime's promise.
"""

from __future__ import annotations

from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    Restock,
    Restocked,
    RestockRefused,
    ShippingLabelCreated,
    ShippingLabelVoided,
    StockState,
    VoidShippingLabel,
)
from runtime import Service

__all__ = ["STOCK_MAX", "Warehouse", "label_id_of"]

STOCK_MAX = 2**62
"""Units of one SKU that can ever be put in, so that no counter runs over."""


def label_id_of(order_id: str) -> str:
    """An order has one label at the most, so its id names it: known before it is made, and to be voided unseen."""
    return f"label-{order_id}"


class Warehouse(Service[StockState], kind="warehouse", effects="none"):
    """At all times on_hand = restocked - labelled + voided, and none of them is negative."""

    async def restock(self, command: Restock) -> Restocked | RestockRefused:
        stock = self.state
        if command.quantity <= 0:
            return RestockRefused(sku=self.key, reason=f"a quantity of {command.quantity} cannot be put in")
        if stock.restocked + command.quantity > STOCK_MAX:
            return RestockRefused(sku=self.key, reason=f"more than {STOCK_MAX} units cannot be counted")
        stock.sku = self.key
        stock.on_hand += command.quantity
        stock.restocked += command.quantity
        return Restocked(sku=self.key, quantity=command.quantity, on_hand=stock.on_hand)

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        stock = self.state
        stock.sku = self.key
        if command.quantity > stock.on_hand:
            stock.back_orders += 1
            return BackOrdered(
                order_id=command.order_id, sku=self.key, quantity=command.quantity, on_hand=stock.on_hand
            )
        stock.on_hand -= command.quantity
        stock.labelled += command.quantity
        stock.labels += 1
        return ShippingLabelCreated(
            order_id=command.order_id, sku=self.key, quantity=command.quantity, label_id=label_id_of(command.order_id)
        )

    async def void(self, command: VoidShippingLabel) -> ShippingLabelVoided:
        """Puts the goods back, unless the label never came to be. More than was ever taken out cannot come back."""
        stock = self.state
        was_taken = not self.do_failed and stock.voided + command.quantity <= stock.labelled
        put_back = command.quantity if was_taken else 0
        if put_back:
            stock.on_hand += put_back
            stock.voided += put_back
            stock.labels_voided += 1
        return ShippingLabelVoided(
            order_id=command.order_id, sku=self.key, quantity=put_back, label_id=command.label_id
        )
