"""The smallest durable order process, for tests of the comparison: the customer carries out what is kept in a file.

`python -m tests.unit.bench.small_customer FILE FAULT` has one of these faults, or none: it forgets refunds (`refund`),
does not go on after a restart (`resume`), or fails at its first order (`fail`). With `print` it is sound, and prints.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.peers.customer import DeskOrder, KeptOrder, KeptStock, serve_customer
from bench.peers.services_in_sqlite import BackOrderedAtWarehouse, ServicesInSqlite

_SUBMITTED_S = 0.01  # so that a kill finds orders that are accepted and not carried out


class SmallDesk:
    def __init__(self, services: ServicesInSqlite, fault: str) -> None:
        self._services = services
        self._fault = fault
        self._tasks: set[asyncio.Task[str]] = set()

    def resume(self, orders: Sequence[DeskOrder]) -> None:
        if self._fault != "resume":
            for order in orders:
                self._begin(order)

    async def restock(self, sku: str, units: int) -> None:
        self._services.restock(sku, units)

    async def place(self, order: DeskOrder) -> str:
        if self._fault == "fail":
            raise RuntimeError("no order can be placed here")
        if self._fault == "print":
            os.write(1, b"a library says something")
        self._services.place(order)
        return self._carry_out(order)

    async def submit(self, order: DeskOrder) -> None:
        self._services.place(order)
        self._begin(order)
        await asyncio.sleep(_SUBMITTED_S / 10)

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]:
        return [self._services.order_books(one) for one in order_ids]

    async def stock(self, sku: str) -> KeptStock:
        return self._services.stock_books(sku)

    def _begin(self, order: DeskOrder) -> None:
        async def later() -> str:
            await asyncio.sleep(_SUBMITTED_S)
            return self._carry_out(order)

        self._tasks.add(asyncio.create_task(later()))

    def _carry_out(self, order: DeskOrder) -> str:
        self._services.bill(order)
        try:
            self._services.label(order)
        except BackOrderedAtWarehouse:
            if self._fault != "refund":
                self._services.refund(order)
            self._services.cancel(order)
            return "cancelled"
        self._services.mark_ready(order)
        return "ready"


async def main(file: Path, fault: str) -> None:
    services = ServicesInSqlite(file)
    desk = SmallDesk(services, fault)
    desk.resume([DeskOrder(one, "sku-0", 1) for one in services.pending()])
    await serve_customer(desk)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
