"""A service that decides by what differs from run to run, for the linter to find."""

from __future__ import annotations

import time

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue
from tests.unit.testing.determinism.careless_prices import price_cents


class CarelessService(Service[BillState], kind="billing"):
    async def bill(self, command: BillOrder) -> OrderBilled:
        self.state.amount_cents = price_cents()
        return OrderBilled(order_id=self.key, charge_id=f"charge-{time.time()}")


def catalogue() -> Catalogue:
    return Catalogue(contracts=[billing_pb2, sales_pb2], services={"billing": [CarelessService]})
