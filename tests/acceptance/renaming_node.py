"""A node of the order system whose build, named in BUILD, calls two kinds by their old names, by new ones, or wrongly.

"before" has billing and order-process. "after" has them as invoicing and purchase, and says what they were called.
"forgetful" has purchase without a word of order-process, as if nobody remembered that it is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.gateway import register
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.orders_pb2 import OrderProcessState
from runtime import Saga, launch
from runtime.saga.catalogue import Catalogue
from tests.proof.workloads.renamed import Invoicing, Purchase


class Forgotten(Saga[OrderProcessState], kind="purchase"):
    """The order process by its other name, of which nobody remembers what it was called."""

    started_by = OrderProcess.started_by
    bill = replace(OrderProcess.bill)
    ship = replace(OrderProcess.ship)
    close = replace(OrderProcess.close)
    flow = bill >> ship >> close
    closing = OrderProcess.closing


_BUILDS: Mapping[str, tuple[type[Any], type[Any]]] = {
    "before": (Billing, OrderProcess),
    "after": (Invoicing, Purchase),
    "forgetful": (Invoicing, Forgotten),
}


if __name__ == "__main__":
    billing, process = _BUILDS[os.environ["BUILD"]]
    launch(
        Catalogue(
            contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
            services={"sales": [Sales], "billing": [billing], "warehouse": [Warehouse], "orchestration": [process]},
            choreographies=[OrderChoreography],
        ),
        register=[register],
    )
