"""Handlers by themselves: a price that comes back is another one, and what was sold stays sold."""

from __future__ import annotations

from examples.purchase.prices import Prices
from examples.purchase.purchase_pb2 import (
    AskPrice,
    CheckPrice,
    ItemSold,
    NotForSale,
    PriceChanged,
    PriceQuoted,
    PriceState,
    PriceUnchanged,
    SellItem,
    SetPrice,
)


async def test_a_quote_holds_until_the_price_changes() -> None:
    laptop = Prices.of(PriceState(), key="laptop")
    await laptop.set_price(SetPrice(price_cents=100))
    quote = await laptop.quote(AskPrice(purchase_id="P-1"))
    assert quote == PriceQuoted(purchase_id="P-1", price_cents=100, price_version=1)
    check = CheckPrice(purchase_id="P-1", price_version=1)
    await laptop.set_price(SetPrice(price_cents=100))
    assert await laptop.check(check) == PriceUnchanged(purchase_id="P-1")
    await laptop.set_price(SetPrice(price_cents=120))
    assert await laptop.check(check) == PriceChanged(purchase_id="P-1", price_cents=120)


async def test_a_price_that_comes_back_is_another_one() -> None:
    laptop = Prices.of(PriceState(price_cents=100, version=1))
    for cents in (120, 100):
        await laptop.set_price(SetPrice(price_cents=cents))
    changed = PriceChanged(purchase_id="P-1", price_cents=100)
    assert await laptop.check(CheckPrice(purchase_id="P-1", price_version=1)) == changed
    assert await laptop.sell(SellItem(purchase_id="P-1", price_version=1)) == changed
    assert not laptop.state.sold


async def test_what_was_sold_stays_sold_when_it_is_asked_again_after_the_price_has_changed() -> None:
    laptop, sell = Prices.of(PriceState(price_cents=100, version=1)), SellItem(purchase_id="P-1", price_version=1)
    assert await laptop.sell(sell) == ItemSold(purchase_id="P-1")
    await laptop.set_price(SetPrice(price_cents=120))
    assert await laptop.sell(sell) == ItemSold(purchase_id="P-1")
    assert laptop.state.sold == {"P-1": 100}


async def test_what_has_no_price_is_not_for_sale() -> None:
    hat = Prices.of(PriceState(), key="hat")
    assert await hat.quote(AskPrice(purchase_id="P-1")) == NotForSale(purchase_id="P-1", item="hat")
