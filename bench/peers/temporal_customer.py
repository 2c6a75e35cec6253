"""Orders placed with Temporal: `python -m bench.peers.temporal_customer HOST:PORT FILE WHERE`.

WHERE is `remote` or `local`: where activities run. Each order is a workflow whose id is that of the order, so the same
order again starts nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from temporalio.client import Client

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer
from bench.peers.services_in_sqlite import ServicesInSqlite
from bench.peers.temporal_process import PROCESSES, QUEUE

__all__: list[str] = []


class TemporalDesk:
    """Calls the server; what the services know is read from their file."""

    def __init__(self, client: Client, services: ServicesInSqlite, process: str) -> None:
        self._client = client
        self._process = process
        self._services = services

    async def restock(self, sku: str, units: int) -> None:
        self._services.restock(sku, units)

    async def place(self, order: DeskOrder) -> str:
        ended: str = await self._client.execute_workflow(
            self._process, order, id=order.order_id, task_queue=QUEUE, result_type=str
        )
        return ended

    async def submit(self, order: DeskOrder) -> None:
        await self._client.start_workflow(self._process, order, id=order.order_id, task_queue=QUEUE)

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        return [self._services.order_books(one) for one in order_ids]

    async def stock(self, sku: str) -> KeptStock:
        return self._services.stock_books(sku)


async def main(address: str, file: Path, where: str) -> None:
    client = await Client.connect(address)
    await serve_customer(TemporalDesk(client, ServicesInSqlite(file), PROCESSES[where]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
