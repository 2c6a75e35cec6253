"""What scenarios say to the order system, and what they look at."""

from __future__ import annotations

from typing import NamedTuple

from protos.billing_pb2 import BillState
from protos.sales_pb2 import Flow, OrderLine, OrderState, OrderStatus, PlaceOrder
from protos.warehouse_pb2 import StockState
from runtime.testing import Cluster

__all__ = ["OrderOutcome", "outcome", "place_order"]


def place_order(
    key: str = "ORD-1", *, hats: int = 2, cents: int = 500, flow: Flow.ValueType = Flow.ORCHESTRATION
) -> PlaceOrder:
    return PlaceOrder(order_id=key, line=OrderLine(sku="HAT", quantity=hats), amount_cents=cents, flow=flow)


class OrderOutcome(NamedTuple):
    """How an order stands, and what was ever done for it."""

    status: OrderStatus.ValueType
    charges: int
    refunds: int
    labels: int
    voided: int


async def outcome(cluster: Cluster, key: str = "ORD-1") -> OrderOutcome:
    order = await cluster.state("sales", key, OrderState)
    bill = await cluster.state("billing", key, BillState)
    stock = await cluster.state("warehouse", "HAT", StockState)
    return OrderOutcome(order.status, bill.charges, bill.refunds, stock.labels, stock.labels_voided)
