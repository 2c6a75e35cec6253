"""Handlers by themselves: money that was never reserved is not given back, and an order is placed once."""

from __future__ import annotations

from examples.purchase.purchase_pb2 import (
    BudgetExceeded,
    BudgetReserved,
    BudgetState,
    OrderState,
    PlaceOrder,
    ReserveBudget,
    ReturnBudget,
)
from examples.purchase.services import Budgets, PurchaseOrders


async def test_money_that_waits_for_a_manager_is_not_spent_by_others() -> None:
    lab = Budgets.of(BudgetState(budget_cents=100))
    assert isinstance(await lab.reserve(ReserveBudget(purchase_id="P-1", price_cents=80)), BudgetReserved)
    assert await lab.reserve(ReserveBudget(purchase_id="P-2", price_cents=30)) == BudgetExceeded(
        purchase_id="P-2", left_cents=20
    )
    await lab.give_back(ReturnBudget(purchase_id="P-1", price_cents=80))
    assert isinstance(await lab.reserve(ReserveBudget(purchase_id="P-2", price_cents=30)), BudgetReserved)


async def test_money_that_was_never_reserved_is_not_given_back() -> None:
    lab = Budgets.of(BudgetState(budget_cents=100), do_failed=True)
    await lab.give_back(ReturnBudget(purchase_id="P-1", price_cents=80))
    assert lab.state.returned_cents == 0


async def test_an_order_is_placed_once() -> None:
    orders = PurchaseOrders.of(OrderState())
    for _ in range(2):
        await orders.place(PlaceOrder(purchase_id="P-1", item="desk"))
    assert orders.state.orders == 1
