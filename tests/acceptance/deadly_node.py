"""A node whose billing ends its process over one order, by its own account or as a fault in a library would."""

from __future__ import annotations

import os
import signal

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime import launch
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue


class Deadly(Service[BillState], kind="billing"):
    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.line.sku == "exit":
            os._exit(9)
        if command.line.sku == "fault":
            os.kill(os.getpid(), signal.SIGSEGV)
        self.state.charges += 1
        return OrderBilled(order_id=command.order_id)


if __name__ == "__main__":
    launch(Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [Deadly]}))
