"""What items cost. An item is one actor, so a price never changes between a look at it and the sale."""

from __future__ import annotations

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
from runtime import Service

__all__ = ["Prices"]


class Prices(Service[PriceState], kind="prices"):
    """Each change of a price has a version of its own, also one that brings an earlier price back."""

    async def set_price(self, command: SetPrice) -> None:
        if command.price_cents != self.state.price_cents:
            self.state.price_cents = command.price_cents
            self.state.version += 1

    async def quote(self, command: AskPrice) -> PriceQuoted | NotForSale:
        price = self.state
        if not price.version:
            return NotForSale(purchase_id=command.purchase_id, item=self.key)
        return PriceQuoted(purchase_id=command.purchase_id, price_cents=price.price_cents, price_version=price.version)

    async def check(self, command: CheckPrice) -> PriceUnchanged | PriceChanged:
        if command.price_version != self.state.version:
            return PriceChanged(purchase_id=command.purchase_id, price_cents=self.state.price_cents)
        return PriceUnchanged(purchase_id=command.purchase_id)

    async def sell(self, command: SellItem) -> ItemSold | PriceChanged:
        """What was sold stays sold: asked again, the answer is the same, whatever the price is by then."""
        price = self.state
        if command.purchase_id in price.sold:
            return ItemSold(purchase_id=command.purchase_id)
        if command.price_version != price.version:
            return PriceChanged(purchase_id=command.purchase_id, price_cents=price.price_cents)
        price.sold[command.purchase_id] = price.price_cents
        return ItemSold(purchase_id=command.purchase_id)
