"""A node of the order system whose saga asks billing for a short time only, so that a dead billing is noticed soon."""

from __future__ import annotations

from actors.billing import Billing
from actors.gateway import register
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from runtime import launch
from runtime.durations import seconds
from runtime.saga.catalogue import Catalogue

if __name__ == "__main__":
    launch(
        Catalogue(
            contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
            services={
                "sales": [Sales],
                "billing": [Billing],
                "warehouse": [Warehouse],
                "orchestration": [OrderProcess.with_steps(bill={"timeout": seconds(1)})],
            },
        ),
        register=[register],
    )
