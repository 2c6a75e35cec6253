"""The sagas by themselves: what was approved is bought at the price of the quote, or the budget has its money back."""

from __future__ import annotations

from typing import Any

import pytest

from examples.purchase.at_a_price import BuyAtVersion, BuyChecked
from examples.purchase.purchase_pb2 import (
    AskPrice,
    BudgetReserved,
    BudgetReturned,
    CancelPurchase,
    CheckPrice,
    ConfirmPurchase,
    ItemSold,
    NotForSale,
    PlaceOrder,
    PriceChanged,
    PriceQuoted,
    PriceUnchanged,
    PurchaseCancelled,
    PurchaseRequested,
    ReserveBudget,
    ReturnBudget,
    SellItem,
)
from runtime import Saga
from runtime.testing import SagaTranscript

REQUESTED = PurchaseRequested(purchase_id="P-1", department="lab", requested_by="carla", item="laptop")
QUOTED = PriceQuoted(purchase_id="P-1", price_cents=150_000, price_version=7)
CHANGED = PriceChanged(purchase_id="P-1", price_cents=170_000)
RESERVED = ReserveBudget(department="lab", purchase_id="P-1", price_cents=150_000)
RETURN = ReturnBudget(department="lab", purchase_id="P-1", price_cents=150_000)


def approved(saga: type[Saga[Any]]) -> SagaTranscript:
    buy = SagaTranscript(saga).given(REQUESTED).expect(AskPrice(item="laptop", purchase_id="P-1"))
    buy.given(QUOTED).expect(RESERVED)
    buy.given(BudgetReserved(purchase_id="P-1")).expect()
    return buy.given_approved("manager", by="anna")


def test_the_order_is_placed_once_the_price_was_found_unchanged() -> None:
    buy = approved(BuyChecked).expect(CheckPrice(item="laptop", purchase_id="P-1", price_version=7))
    buy.given(PriceUnchanged(purchase_id="P-1")).expect(PlaceOrder)


def test_a_changed_price_gives_the_budget_its_money_back() -> None:
    buy = approved(BuyChecked).expect(CheckPrice)
    buy.given(CHANGED).expect(RETURN)
    buy.given(BudgetReturned(purchase_id="P-1")).expect(CancelPurchase)
    buy.given(PurchaseCancelled(purchase_id="P-1")).expect_status("compensated")


def test_a_check_that_nobody_answers_gives_the_budget_its_money_back() -> None:
    approved(BuyChecked).expect(CheckPrice).given_silence("check").expect(RETURN)


def test_the_sale_names_the_version_of_the_quote() -> None:
    buy = approved(BuyAtVersion).expect(SellItem(item="laptop", purchase_id="P-1", price_version=7))
    buy.given(ItemSold(purchase_id="P-1")).expect(ConfirmPurchase)


def test_a_sale_that_is_refused_gives_the_budget_its_money_back() -> None:
    buy = approved(BuyAtVersion).expect(SellItem)
    buy.given(CHANGED).expect(RETURN)


@pytest.mark.parametrize("saga", [BuyChecked, BuyAtVersion])
def test_what_has_no_price_reserves_nothing(saga: type[Saga[Any]]) -> None:
    buy = SagaTranscript(saga).given(REQUESTED).expect(AskPrice)
    buy.given(NotForSale(purchase_id="P-1", item="laptop")).expect(CancelPurchase)
