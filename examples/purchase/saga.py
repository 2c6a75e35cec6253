"""The saga: money of the budget, then a manager, and then the order; without a yes the budget has its money back.

PurchaseRequested ─▶ ReserveBudget ─▶ a manager approves the offer ─▶ PlaceOrder ─▶ ConfirmPurchase ─▶ completed
                          ▲ ReturnBudget │ no, or silence for 3 days      │ NotForSale
                          └──────────────┴────────────────────────────────┴─▶ CancelPurchase ─▶ compensated
"""

from __future__ import annotations

from examples.purchase.purchase_pb2 import (
    BudgetExceeded,
    BudgetReserved,
    BudgetReturned,
    BuyState,
    CancelPurchase,
    ConfirmPurchase,
    NotForSale,
    Offer,
    OrderPlaced,
    PlaceOrder,
    PurchaseCancelled,
    PurchaseConfirmed,
    PurchaseRequested,
    ReserveBudget,
    ReturnBudget,
)
from runtime import Approval, Saga, Step, days, on, seconds

__all__ = ["MANAGERS", "Buy"]

MANAGERS = ("anna", "carla")


def begin(event: PurchaseRequested) -> BuyState:
    offer = Offer(
        item=event.item, price_cents=event.price_cents, department=event.department, requested_by=event.requested_by
    )
    return BuyState(purchase_id=event.purchase_id, offer=offer)


def reserve(state: BuyState) -> ReserveBudget:
    offer = state.offer
    return ReserveBudget(department=offer.department, purchase_id=state.purchase_id, price_cents=offer.price_cents)


def give_back(state: BuyState) -> ReturnBudget:
    offer = state.offer
    return ReturnBudget(department=offer.department, purchase_id=state.purchase_id, price_cents=offer.price_cents)


def offer_of(state: BuyState) -> Offer:
    return state.offer


def may_decide(state: BuyState, who: str) -> bool:
    """Nobody approves a purchase of their own."""
    return who in MANAGERS and who != state.offer.requested_by


def keep_manager(state: BuyState, who: str) -> None:
    state.approved_by = who


def place_order(state: BuyState) -> PlaceOrder:
    return PlaceOrder(purchase_id=state.purchase_id, item=state.offer.item, approved_by=state.approved_by)


def confirm(state: BuyState) -> ConfirmPurchase:
    return ConfirmPurchase(purchase_id=state.purchase_id, approved_by=state.approved_by)


def cancel(state: BuyState, reason: str) -> CancelPurchase:
    return CancelPurchase(purchase_id=state.purchase_id, reason=reason)


class Buy(Saga[BuyState], kind="buy"):
    """Buys what a manager has approved, or leaves the budget as it was."""

    started_by = on(PurchaseRequested, begin)

    money = Step(
        reserve, BudgetReserved, refused=BudgetExceeded, undo=give_back, undone=BudgetReturned, timeout=seconds(30)
    )
    manager = Approval(offer_of, by=may_decide, within=days(3), on_approved=keep_manager)
    order = Step(place_order, OrderPlaced, refused=NotForSale, timeout=seconds(60), pivot=True)
    close = Step(confirm, PurchaseConfirmed, timeout=seconds(30))
    flow = money >> manager >> order >> close

    closing = Step(cancel, done=PurchaseCancelled)
