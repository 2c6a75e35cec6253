"""Two definitions of a saga are compared in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.orchestration import OrderProcess
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderPlaced
from protos.warehouse_pb2 import RestockRefused
from runtime.saga.comparison import differences, other_terms
from runtime.saga.definition import Definition
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.stored import described
from tests.unit.saga.shop import begin
from tests.unit.saga.test_nodes import choosing


def cancelled(state: OrderProcessState) -> CancelOrder:
    return CancelOrder(order_id=state.order_id)


def in_a_row(bill: Step, ship: Step, close: Step) -> Flow:
    return bill >> ship >> close


def version(**changed: Any) -> Definition:
    """The order process, with some of its steps in other words."""
    steps = {name: changed.get(name, replace(getattr(OrderProcess, name))) for name in ("bill", "ship", "close")}

    class Changed(Saga[OrderProcessState], kind="order-process", deadline=changed.get("deadline", 0.0)):
        started_by = on(OrderPlaced, begin)
        bill, ship, close = steps["bill"], steps["ship"], steps["close"]
        flow = changed.get("flow", in_a_row)(bill, ship, close)
        closing = OrderProcess.closing

    return Changed.definition


def words(old: Definition, new: Definition) -> tuple[str, ...]:
    return differences(described(old).shape, described(new).shape)


def test_a_version_does_not_differ_from_itself() -> None:
    assert words(version(), version()) == ()
    assert other_terms(described(version()), described(version())) == ()


def test_steps_that_are_gone_and_new_are_named() -> None:
    class Short(Saga[OrderProcessState], kind="order-process"):
        started_by = on(OrderPlaced, begin)
        charge = replace(OrderProcess.bill)
        ship = replace(OrderProcess.ship)
        flow = charge >> ship
        closing = OrderProcess.closing

    found = words(version(), Short.definition)
    assert found[:3] == ("step bill is gone", "step close is gone", "step charge is new")
    assert "step ship comes after charge; it came after bill" in found


def test_another_order_and_another_role_are_told() -> None:
    found = words(
        version(),
        version(
            ship=replace(OrderProcess.ship, pivot=False),
            bill=replace(OrderProcess.bill, pivot=True),
            flow=lambda bill, ship, close: ship >> bill >> close,
        ),
    )
    assert found == (
        "step ship is before the pivot, and was the pivot",
        "step ship comes after nothing; it came after bill",
        "step bill is the pivot, and was before the pivot",
        "step bill comes after ship; it came after nothing",
        "step close comes after bill; it came after ship",
    )


def test_another_command_answer_and_undo_are_told() -> None:
    changed = Step(
        do=cancelled,
        done=OrderProcess.bill.done,
        refused=RestockRefused,
        timeout=9.0,
        no_undo="for the sake of the test",
    )
    found = words(version(), version(bill=changed))
    assert found == (
        "step bill sends shop.CancelOrder, and sent shop.BillOrder",
        "step bill no longer takes shop.PaymentDeclined as refused",
        "step bill takes shop.RestockRefused as refused, which is new",
        "the undo of step bill is gone, and was shop.RefundOrder",
        "the undo of step bill is confirmed by nothing, and was by shop.OrderRefunded",
    )


def test_another_branch_is_told() -> None:
    assert words(choosing().definition, choosing(otherwise=True).definition) != ()


def test_other_terms_are_told_apart_from_what_instances_depend_on() -> None:
    old, new = version(), version(bill=replace(OrderProcess.bill, timeout=7.0, ignores=RestockRefused), deadline=60.0)
    assert words(old, new) == ()
    assert other_terms(described(old), described(new)) == (
        "deadline_s is 60, and was 0",
        f"step bill: timeout_s is 7, and was {old.steps[0].timeout_s:g}",
        "step bill: ignored is shop.RestockRefused, and was nothing",
    )
