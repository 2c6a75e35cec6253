"""Two sagas that buy at the price that the manager has approved, or not at all.

BuyChecked    AskPrice ─▶ ReserveBudget ─▶ a manager approves ─▶ CheckPrice ─▶ PlaceOrder ─▶ ConfirmPurchase
BuyAtVersion  AskPrice ─▶ ReserveBudget ─▶ a manager approves ─▶ SellItem ────────────────▶ ConfirmPurchase

PriceChanged, from CheckPrice or from SellItem ─▶ ReturnBudget ─▶ CancelPurchase ─▶ compensated
"""

from __future__ import annotations

from examples.purchase.purchase_pb2 import (
    AskPrice,
    BuyState,
    CheckPrice,
    ItemSold,
    NotForSale,
    PriceChanged,
    PriceQuoted,
    PriceUnchanged,
    PurchaseRequested,
    SellItem,
)
from examples.purchase.saga import Buy, begin
from runtime import Saga, Step, on, seconds

__all__ = ["BuyAtVersion", "BuyChecked"]


def ask_price(state: BuyState) -> AskPrice:
    return AskPrice(item=state.offer.item, purchase_id=state.purchase_id)


def keep_price(state: BuyState, answer: PriceQuoted) -> None:
    state.offer.price_cents = answer.price_cents
    state.price_version = answer.price_version


def check_price(state: BuyState) -> CheckPrice:
    return CheckPrice(item=state.offer.item, purchase_id=state.purchase_id, price_version=state.price_version)


def sell_item(state: BuyState) -> SellItem:
    return SellItem(item=state.offer.item, purchase_id=state.purchase_id, price_version=state.price_version)


class BuyChecked(Saga[BuyState], kind="buy-checked"):
    """Asks once more, before the order, whether the price is still the one that was approved."""

    started_by = on(PurchaseRequested, begin)

    quote = Step(
        ask_price,
        PriceQuoted,
        refused=NotForSale,
        on_answer=keep_price,
        no_undo="it only reads",
        timeout=seconds(30),
    )
    money, manager = Buy.money, Buy.manager
    check = Step(check_price, PriceUnchanged, refused=PriceChanged, no_undo="it only reads", timeout=seconds(30))
    order, close, closing = Buy.order, Buy.close, Buy.closing
    flow = quote >> money >> manager >> check >> order >> close


class BuyAtVersion(Saga[BuyState], kind="buy-at-version"):
    """Has the service that keeps the price compare it, in the turn in which it sells."""

    started_by = on(PurchaseRequested, begin)

    quote, money, manager = BuyChecked.quote, Buy.money, Buy.manager
    order = Step(sell_item, ItemSold, refused=PriceChanged, timeout=seconds(60), pivot=True)
    close, closing = Buy.close, Buy.closing
    flow = quote >> money >> manager >> order >> close
