"""Orders placed with Amends: `python -m bench.peers.amends_customer HOST:PORT URL`, a node and the store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer
from bench.shop import Client, client_of, restock
from protos.billing_pb2 import BillState
from protos.orders_pb2 import GetStockRequest, PlaceOrderRequest
from protos.sales_pb2 import CANCELLED, ORCHESTRATION, PENDING, READY_TO_SHIP, OrderState
from runtime.adapters import system_ports
from runtime.store.open import open_store
from runtime.store.port import Store

__all__: list[str] = []

_CALL_S = 120.0
_STATUSES = {PENDING: "pending", READY_TO_SHIP: "ready", CANCELLED: "cancelled"}


class AmendsDesk:
    """Calls a node by a unary call for each order. What the services know is read from the store."""

    def __init__(self, client: Client, store: Store) -> None:
        self._client = client
        self._store = store

    async def restock(self, sku: str, units: int) -> None:
        await restock(self._client, [sku], units)

    async def place(self, order: DeskOrder) -> str:
        placed = await self._client.PlaceOrder(_request(order, wait=True), timeout=_CALL_S)
        return _STATUSES[placed.status]

    async def submit(self, order: DeskOrder) -> None:
        await self._client.PlaceOrder(_request(order, wait=False), timeout=_CALL_S)

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        rows = await self._store.load([(kind, one) for one in order_ids for kind in ("sales", "billing")])
        states = [b"" if row is None else row.state for row in rows]
        return [_kept(*pair) for pair in zip(states[::2], states[1::2], strict=True)]

    async def stock(self, sku: str) -> KeptStock:
        stock = await self._client.GetStock(GetStockRequest(sku=sku), timeout=_CALL_S)
        return KeptStock(stock.restocked, stock.on_hand)


def _kept(sales: bytes, billing: bytes) -> KeptOrder:
    order, bill = OrderState.FromString(sales), BillState.FromString(billing)
    return KeptOrder(_STATUSES.get(order.status, ""), bill.charges, bill.refunds)


def _request(order: DeskOrder, *, wait: bool) -> PlaceOrderRequest:
    return PlaceOrderRequest(
        order_id=order.order_id,
        sku=order.sku,
        quantity=order.quantity,
        amount_cents=order.amount_cents,
        flow=ORCHESTRATION,
        wait=wait,
    )


async def main(address: str, url: str) -> None:
    store = open_store(url, system_ports(), create=False, view=True)
    await store.open()
    async with client_of(address) as client:
        await serve_customer(AmendsDesk(client, store))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
