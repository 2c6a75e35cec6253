"""A node whose billing begins tasks and callbacks of its own, which would end the process."""

from __future__ import annotations

import asyncio
import sys

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime import launch
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue

ONCE = RetryPolicy(immediate=0, delays=())


async def leave() -> None:
    await asyncio.sleep(0)
    sys.exit(9)


class Leaving(Service[BillState], kind="billing", retries=ONCE):
    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.line.sku == "task":
            await asyncio.create_task(leave())
        if command.line.sku == "gather":
            await asyncio.gather(leave(), leave())
        if command.line.sku == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(leave())
        if command.line.sku == "forgotten":
            asyncio.get_running_loop().call_soon(sys.exit, 9)
        self.state.charges += 1
        return OrderBilled(order_id=command.order_id)


if __name__ == "__main__":
    launch(Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [Leaving]}))
