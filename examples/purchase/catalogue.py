"""What a node of this deployment can host."""

from __future__ import annotations

from examples.purchase import purchase_pb2
from examples.purchase.saga import Buy
from examples.purchase.services import Budgets, PurchaseOrders, Purchases
from runtime import Catalogue

__all__ = ["catalogue"]


def catalogue() -> Catalogue:
    return Catalogue(
        contracts=[purchase_pb2],
        services={"purchases": [Purchases, Buy], "budgets": [Budgets], "orders": [PurchaseOrders]},
    )
