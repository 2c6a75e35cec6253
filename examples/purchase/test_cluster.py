"""The whole deployment on two nodes, in virtual time: a manager has three days, which pass in milliseconds."""

from __future__ import annotations

from examples.purchase.catalogue import catalogue
from examples.purchase.purchase_pb2 import (
    CANCELLED,
    ORDERED,
    BudgetState,
    OpenBudget,
    OrderState,
    PurchaseRequested,
    PurchaseState,
    RequestPurchase,
)
from runtime.protos.saga_pb2 import RepairAccepted, RepairSaga, SagaRecord
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster

PURCHASE = RequestPurchase(purchase_id="P-1", department="lab", requested_by="bert", item="laptop", price_cents=150_000)


async def waiting(cluster: Cluster) -> Cluster:
    """A purchase waits for a manager."""
    await cluster.send(OpenBudget(department="lab", budget_cents=200_000))
    await cluster.send(PURCHASE, PurchaseRequested)
    await cluster.advance(60.0)
    assert await cluster.status("buy", "P-1") == "running"
    return cluster


async def test_a_purchase_that_nobody_approves_is_cancelled_after_three_days(make_cluster: MakeCluster) -> None:
    cluster = await waiting(await make_cluster(catalogue(), nodes=2))
    await cluster.advance(days=2.9)
    assert await cluster.status("buy", "P-1") == "running"
    await cluster.advance(days=0.2)
    await cluster.at_rest()
    budget = await cluster.state("budgets", "lab", BudgetState)
    assert (await cluster.state("purchases", "P-1", PurchaseState)).status == CANCELLED
    assert (budget.reserved_cents, budget.returned_cents) == (150_000, 150_000)


async def test_what_a_manager_approves_after_a_day_is_ordered_once(make_cluster: MakeCluster) -> None:
    cluster = await waiting(await make_cluster(catalogue(), nodes=2))
    await cluster.advance(days=1)
    digest = (await cluster.state("buy", "P-1", SagaRecord)).tasks[1].digest
    act = RepairSaga(act=RepairSaga.APPROVE, task="manager", digest=digest, who="anna", reason="fits the plan")
    await cluster.send(act, RepairAccepted, kind="buy", key="P-1")
    await cluster.at_rest()
    purchase = await cluster.state("purchases", "P-1", PurchaseState)
    assert (purchase.status, purchase.approved_by) == (ORDERED, "anna")
    assert (await cluster.state("orders", "P-1", OrderState)).orders == 1
