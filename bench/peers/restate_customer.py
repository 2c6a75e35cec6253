"""Orders placed with Restate: `python -m bench.peers.restate_customer INGRESS`, the URL that takes calls.

Each order is a workflow whose key is the order id, so the same order again starts nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

import httpx
from restate.client import Client

from bench.peers import restate_services as services
from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer

__all__: list[str] = []

_CALL_S = 120.0


class RestateDesk:
    """Calls the server's ingress."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def restock(self, sku: str, units: int) -> None:
        await self._client.object_call(services.restock, key=sku, arg=units)

    async def place(self, order: DeskOrder) -> str:
        ended: str = await self._client.workflow_call(services.run, key=order.order_id, arg=asdict(order))
        return ended

    async def submit(self, order: DeskOrder) -> None:
        await self._client.workflow_send(services.run, key=order.order_id, arg=asdict(order))

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        return [
            services.books_of(
                await self._client.object_call(services.status_of, key=one, arg=None),
                await self._client.object_call(services.charged, key=one, arg=None),
            )
            for one in order_ids
        ]

    async def stock(self, sku: str) -> KeptStock:
        return KeptStock(**await self._client.object_call(services.stock_of, key=sku, arg=None))


async def main(ingress: str) -> None:
    async with httpx.AsyncClient(base_url=ingress, http2=True, timeout=_CALL_S) as http:
        await serve_customer(RestateDesk(Client(http)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
