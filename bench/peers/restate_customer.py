"""Orders placed with Restate: `python -m bench.peers.restate_customer INGRESS [FILE]`.

INGRESS is the URL that takes calls. With FILE orders go to the process that calls services in its own program, and that
is their database.

Each order is a workflow whose key is the order id, so the same order again starts nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from restate.client import Client

from bench.peers import restate_services as services
from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer
from bench.peers.services_in_sqlite import ServicesInSqlite

__all__: list[str] = []

_CALL_S = 120.0
_LOCAL = ("LocalOrderProcess", "run")


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


class LocalRestateDesk:
    """Calls the server's ingress, too; what the services know is read from their file."""

    def __init__(self, client: Client, services: ServicesInSqlite) -> None:
        self._client = client
        self._services = services

    async def restock(self, sku: str, units: int) -> None:
        self._services.restock(sku, units)

    async def place(self, order: DeskOrder) -> str:
        ended: str = json.loads(await self._client.generic_call(*_LOCAL, **_request(order)))
        return ended

    async def submit(self, order: DeskOrder) -> None:
        await self._client.generic_send(*_LOCAL, **_request(order))

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        return [self._services.order_books(one) for one in order_ids]

    async def stock(self, sku: str) -> KeptStock:
        return self._services.stock_books(sku)


def _request(order: DeskOrder) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    return {"arg": json.dumps(asdict(order)).encode(), "key": order.order_id, "headers": headers}


async def main(ingress: str, file: str = "") -> None:
    async with httpx.AsyncClient(base_url=ingress, http2=True, timeout=_CALL_S) as http:
        client = Client(http)
        await serve_customer(LocalRestateDesk(client, ServicesInSqlite(Path(file))) if file else RestateDesk(client))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
