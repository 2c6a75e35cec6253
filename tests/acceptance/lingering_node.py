"""A node whose handlers take longer than a stopping node waits, or begin what never ends: the order's id says which."""

from __future__ import annotations

import asyncio
from threading import Event

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime import launch
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue


async def for_ever() -> None:
    """Whatever it is told."""
    while True:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            pass


class Lingering(Service[BillState], kind="billing"):
    begun: asyncio.Future[object]

    async def bill(self, command: BillOrder) -> OrderBilled:
        print("at work", flush=True)  # noqa: T201 -- for the test, which waits for it
        match command.order_id:
            case "slow":
                await asyncio.sleep(3_600)
            case "deaf":
                await for_ever()
            case "task":
                Lingering.begun = asyncio.ensure_future(for_ever())
            case "thread":
                Lingering.begun = asyncio.get_running_loop().run_in_executor(None, Event().wait)
        return OrderBilled(order_id=command.order_id)


if __name__ == "__main__":
    launch(Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [Lingering]}))
