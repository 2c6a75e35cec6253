"""The messages of an order, as promised: who handles what, in which order, in both styles and to both ends."""

from __future__ import annotations

from dataclasses import dataclass

from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow, OrderStatus

__all__ = ["BACK_ORDERED", "ORCHESTRATED_DECLINED", "PATHS", "SERVICE_OF", "Path"]

SERVICE_OF = {"sales": "sales", "billing": "billing", "warehouse": "warehouse", "order-process": "orchestration"}
"""The service that hosts a kind."""

Stage = frozenset[tuple[str, str]]
"""Messages that may be handled in any order among themselves: (type, kind that handles it)."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way an order can go. After `n` stages it stands at the message boundary `n`; 0 is placed and not handled."""

    flow: Flow.ValueType
    sku: str  # one that leads this way
    end: OrderStatus.ValueType
    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        return f"{Flow.Name(self.flow).lower()}-{OrderStatus.Name(self.end).lower()}"

    def handled(self, boundary: int) -> list[tuple[str, str]]:
        """What has been handled at a boundary, sorted."""
        return sorted(message for stage in self.stages[:boundary] for message in stage)

    def services_at(self, boundary: int) -> frozenset[str]:
        """Who has to run for the order to get from this boundary to the next; nobody at the end."""
        if boundary >= len(self.stages):
            return frozenset()
        return frozenset(SERVICE_OF[kind] for _, kind in self.stages[boundary])

    def by(self, service: str, boundary: int) -> list[tuple[str, str]]:
        """The messages of the stage after a boundary that this service handles."""
        return sorted(message for message in self.stages[boundary] if SERVICE_OF[message[1]] == service)


def _stages(*lines: str) -> tuple[Stage, ...]:
    """From lines such as "OrderCancelled billing, OrderCancelled warehouse"."""
    return tuple(
        frozenset((f"shop.{type}", kind) for type, kind in (message.split() for message in line.split(",")))
        for line in lines
    )


_BILLED = ("PlaceOrder sales", "OrderPlaced order-process", "BillOrder billing", "OrderBilled order-process")
BACK_ORDERED = "no such book"

PATHS = (
    Path(
        ORCHESTRATION,
        "book",
        READY_TO_SHIP,
        _stages(
            *_BILLED,
            "CreateShippingLabel warehouse",
            "ShippingLabelCreated order-process",
            "MarkReadyToShip sales",
            "OrderReadyToShip order-process",
        ),
    ),
    Path(
        ORCHESTRATION,
        BACK_ORDERED,
        CANCELLED,
        _stages(
            *_BILLED,
            "CreateShippingLabel warehouse",
            "BackOrdered order-process",
            "RefundOrder billing",
            "OrderRefunded order-process",
            "CancelOrder sales",
            "OrderCancelled order-process",
        ),
    ),
    Path(
        CHOREOGRAPHY,
        "book",
        READY_TO_SHIP,
        _stages("PlaceOrder sales", "OrderPlaced billing", "OrderBilled warehouse", "ShippingLabelCreated sales"),
    ),
    Path(
        CHOREOGRAPHY,
        BACK_ORDERED,
        CANCELLED,
        _stages(
            "PlaceOrder sales",
            "OrderPlaced billing",
            "OrderBilled warehouse",
            "BackOrdered billing",
            "OrderRefunded sales",
            "OrderCancelled billing, OrderCancelled warehouse",
        ),
    ),
)

ORCHESTRATED_DECLINED = _stages(
    "PlaceOrder sales",
    "OrderPlaced order-process",
    "BillOrder billing",
    "PaymentDeclined order-process",
    "CancelOrder sales",
    "OrderCancelled order-process",
)
