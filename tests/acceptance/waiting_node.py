"""A node of the order system whose billing does not answer: each order's saga waits on its timer and gives up."""

from __future__ import annotations

from actors.billing import Billing
from actors.gateway import register
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined
from runtime import launch
from runtime.durations import seconds
from runtime.saga.catalogue import Catalogue

WAITS_S = 8.0


class SilentBilling(Billing, kind="billing"):
    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined | None:  # type: ignore[override]
        return None


if __name__ == "__main__":
    launch(
        Catalogue(
            contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
            services={
                "sales": [Sales],
                "billing": [SilentBilling],
                "warehouse": [Warehouse],
                "orchestration": [OrderProcess.with_steps(bill={"timeout": seconds(WAITS_S)})],
            },
        ),
        register=[register],
    )
