"""Services that answer in ways of their own, for sagas that are made for one test."""

from __future__ import annotations

from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from protos.sales_pb2 import OrderLine, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated
from runtime.errors import FinalError
from runtime.protos.durable_pb2 import TimerFired
from tests.unit.saga.test_catalogue import BillingAgain, SalesAgain, WarehouseAgain

__all__ = ["ClumsyBilling", "EmptyWarehouse", "KeyedBilling", "KeyedWarehouse", "MisnamingBilling", "SalesOfHats"]


class SalesOfHats(SalesAgain, kind="sales"):
    """Each order is for a hat."""

    async def place(self, command: PlaceOrder) -> OrderPlaced:
        return OrderPlaced(order_id=command.order_id, line=OrderLine(sku="HAT", quantity=1))


class MisnamingBilling(BillingAgain, kind="billing"):
    """Its answers name another order."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        return OrderBilled(order_id="ORD-2")


class EmptyWarehouse(WarehouseAgain, kind="warehouse"):
    """Has nothing to label."""

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        return BackOrdered(order_id=command.order_id)


class KeyedBilling(BillingAgain, kind="billing"):
    """Says for which hat it was: by the number of the line."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        return OrderBilled(order_id=command.order_id, line=OrderLine(sku=f"{command.order_id} HAT"))


class KeyedWarehouse(WarehouseAgain, kind="warehouse"):
    """Says for which hat it was: by the id of the label."""

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        return ShippingLabelCreated(order_id=command.order_id, label_id=f"{command.order_id} HAT")


class ClumsyBilling(BillingAgain, kind="billing"):
    """Notes the charge and sets a timer; and then it fails for good, if there is nothing to charge."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        self.state.charges += 1
        self.set_timer("remind", 10)
        if not command.amount_cents:
            raise FinalError("there is nothing to charge")
        return OrderBilled(order_id=command.order_id)

    async def remind(self, fired: TimerFired) -> None:
        self.state.refunds += 1
