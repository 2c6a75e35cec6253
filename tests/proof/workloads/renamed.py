"""The order system, while a build in which two kinds have other names is rolled out, taken back, and rolled out again.

    python -m runtime.testing simulate --workload renamed

Nodes of both builds run at once. Orders that one of them began are ended by the other, undos included, and a key never
has an actor under each name: the promises are checked over all rows of the store, by the names that it has for kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.orders_pb2 import OrderProcessState
from runtime.kind_names import KindNames
from runtime.saga.addressed import addressed
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from tests.proof.workloads.orders import OrderClients
from tests.proof.workloads.upgrade import SlowBilling, Upgrade, UpgradeClients

__all__ = ["Invoicing", "NewNames", "Purchase", "renamed"]


class Invoicing(SlowBilling, kind="invoicing", formerly=("billing",)):
    """Billing, by another name."""


class Purchase(Saga[OrderProcessState], kind="purchase", formerly=("order-process",)):
    """The order process, by another name. It asks billing by the new name, as contracts of that build would have it."""

    started_by = OrderProcess.started_by
    bill = replace(OrderProcess.bill)
    ship = replace(OrderProcess.ship)
    close = replace(OrderProcess.close)
    flow = bill >> ship >> close
    closing = OrderProcess.closing


Purchase.definition = addressed(Purchase.definition, KindNames([("invoicing", "billing")]))


class NewNames(Upgrade):
    """The workload."""

    def __init__(self) -> None:
        super().__init__()
        self.expects = ("version rolled out", "ended side by side", "sagas compensated")

    def next_catalogue(self) -> Catalogue:
        return Catalogue(
            contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
            services={
                "sales": [Sales],
                "billing": [Invoicing],
                "warehouse": [Warehouse],
                "orchestration": [Purchase],
            },
            choreographies=[OrderChoreography],
        )

    def _clients(self, cluster: SimCluster, dice: Dice) -> OrderClients:
        return _NewNamesClients(cluster, dice)


renamed = NewNames


class _NewNamesClients(UpgradeClients):
    """Whichever build a node has, it goes on with what the other has begun: nothing waits, and nothing is lent."""

    later = Purchase

    def check(self) -> Iterator[Violation]:
        yield from super().check()
        for name in (Invoicing.kind, Purchase.kind):
            for row in self._world.ledger.rows_of(name):
                yield Violation("I8", f"{row.key} has an actor by the new name {name} of its kind", row.conversation)

    def figures(self) -> dict[str, int]:
        kept = ("started", "completed", "cancelled", "sagas compensated", "ended side by side")
        figures = super().figures()
        return {name: figures[name] for name in kept}
