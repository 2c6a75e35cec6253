"""The services of a purchase: what was asked for, what a department may spend, and what was ordered."""

from __future__ import annotations

from examples.purchase.purchase_pb2 import (
    CANCELLED,
    NONE,
    ORDERED,
    REQUESTED,
    BudgetExceeded,
    BudgetReserved,
    BudgetReturned,
    BudgetState,
    CancelPurchase,
    ConfirmPurchase,
    NotForSale,
    OpenBudget,
    OrderPlaced,
    OrderState,
    PlaceOrder,
    PurchaseCancelled,
    PurchaseConfirmed,
    PurchaseRequested,
    PurchaseState,
    RequestPurchase,
    ReserveBudget,
    ReturnBudget,
)
from runtime import Service

__all__ = ["FOR_SALE", "Budgets", "PurchaseOrders", "Purchases"]

FOR_SALE = ("desk", "laptop")


class Purchases(Service[PurchaseState], kind="purchases"):
    """What people ask for, and what became of it."""

    async def request(self, command: RequestPurchase) -> PurchaseRequested | None:
        """The same purchase again starts nothing."""
        if self.state.status != NONE:
            return None
        self.state.status = REQUESTED
        return PurchaseRequested(
            purchase_id=self.key,
            department=command.department,
            requested_by=command.requested_by,
            item=command.item,
            price_cents=command.price_cents,
        )

    async def confirm(self, command: ConfirmPurchase) -> PurchaseConfirmed:
        self.state.status = ORDERED
        self.state.approved_by = command.approved_by
        return PurchaseConfirmed(purchase_id=self.key)

    async def cancel(self, command: CancelPurchase) -> PurchaseCancelled:
        self.state.status = CANCELLED
        self.state.reason = command.reason
        return PurchaseCancelled(purchase_id=self.key)


class Budgets(Service[BudgetState], kind="budgets"):
    """Money that is reserved stays away from other purchases for as long as the manager thinks."""

    async def open(self, command: OpenBudget) -> None:
        self.state.budget_cents = command.budget_cents

    async def reserve(self, command: ReserveBudget) -> BudgetReserved | BudgetExceeded:
        budget = self.state
        left_cents = budget.budget_cents - budget.reserved_cents + budget.returned_cents
        if command.price_cents > left_cents:
            return BudgetExceeded(purchase_id=command.purchase_id, left_cents=left_cents)
        budget.reserved_cents += command.price_cents
        return BudgetReserved(purchase_id=command.purchase_id)

    async def give_back(self, command: ReturnBudget) -> BudgetReturned:
        """What was never reserved is not given back."""
        if not self.do_failed:
            self.state.returned_cents += command.price_cents
        return BudgetReturned(purchase_id=command.purchase_id)


class PurchaseOrders(Service[OrderState], kind="orders"):
    """A purchase is ordered once, however often a saga that heard no answer asks."""

    async def place(self, command: PlaceOrder) -> OrderPlaced | NotForSale:
        if command.item not in FOR_SALE:
            return NotForSale(purchase_id=self.key, item=command.item)
        if not self.state.orders:
            self.state.item = command.item
            self.state.orders += 1
        return OrderPlaced(purchase_id=self.key)
