"""What this deployment can host: the contracts, the services by the name they are launched under, the processes.

python node.py billing   hosts the kinds of the service "billing"; every node knows the whole catalogue
"""

from __future__ import annotations

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.orders_pb2 import OrderProcessState
from runtime import Catalogue, Saga

__all__ = ["catalogue"]


def catalogue(process: type[Saga[OrderProcessState]] = OrderProcess) -> Catalogue:
    """A catalogue for one node. Raises InvalidDefinition when its parts do not fit together.

    `process` takes the place of the order saga in rehearsals.
    """
    return Catalogue(
        contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
        services={
            "sales": [Sales],
            "billing": [Billing],
            "warehouse": [Warehouse],
            "orchestration": [process],
        },
        choreographies=[OrderChoreography],
        beside={OrderProcess.kind: Sales.kind},
    )
