"""A node whose billing holds on to what it handles: for ever, or until a file is there; it may block the loop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime import launch
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue


class Holding(Service[BillState], kind="billing", handler_timeout=3600):
    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.line.sku == "wait":
            await asyncio.Event().wait()
        while command.line.sku == "hold" and not Path("go-on").exists():
            await asyncio.sleep(0.05)
        while command.line.sku == "block" and not Path("go-on").exists():  # in the folder that the node runs in
            time.sleep(0.05)  # noqa: ASYNC251 -- what is shown: it keeps the loop from everything else
        self.state.charges += 1
        return OrderBilled(order_id=command.order_id)


if __name__ == "__main__":
    launch(Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [Holding]}))
