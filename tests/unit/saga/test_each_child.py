"""A child saga for each item of a list: started with the item, undone as a unit, its result kept in the item."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderLine, OrderPlaced, OrderReadyToShip
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import SagaCompensated, SagaCompleted, UndoSaga
from runtime.saga.child import Child
from runtime.saga.each import Each
from runtime.saga.node import Role
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import CANCELLED, PLACED


def begin(event: OrderBilled) -> BillState:
    return BillState(order_id=event.order_id)


def bill(state: BillState) -> BillOrder:
    return BillOrder(order_id=state.order_id)


def refund(state: BillState) -> RefundOrder:
    return RefundOrder(order_id=state.order_id)


def result_of(state: BillState) -> OrderLine:
    return OrderLine(sku=state.order_id, quantity=7)


class PayLine(Saga[BillState], kind="pay-line"):
    started_by = on(OrderBilled, begin)
    bill = Step(bill, OrderBilled, PaymentDeclined, undo=refund, undone=OrderRefunded, timeout=30)
    flow = bill
    result = result_of


def lines(state: OrderProcessState) -> list[OrderLine]:
    return [OrderLine(sku=key) for key in ("CAP", "HAT")]


def start(state: OrderProcessState, line: OrderLine) -> OrderBilled:
    return OrderBilled(order_id=f"{state.order_id}-{line.sku}")


def keep(line: OrderLine, result: OrderLine) -> None:
    line.quantity = result.quantity


def total(state: OrderProcessState, done: list[OrderLine]) -> None:
    state.amount_cents = sum(line.quantity for line in done)


def parent(**changed: Any) -> type[Saga[OrderProcessState]]:
    children = Each(lines, Child(PayLine, start, on_done=keep, **changed), key="sku", on_done=total)
    close = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="it only says so")
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "lines": children,
        "close": close,
        "flow": children >> close,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    return made("Parent", Saga[OrderProcessState], body, kind="parent")


def to(story: SagaTranscript, key: str) -> Any:
    return [one for one in story.sent if one.kind == "pay-line" and one.key == f"ORD-1-{key}"][-1]


def completed() -> SagaCompleted:
    result = OrderLine(quantity=7)
    return SagaCompleted(result_type=OrderLine.DESCRIPTOR.full_name, result=result.SerializeToString())


def test_each_item_has_a_child_and_the_results_are_kept_in_the_items() -> None:
    story = SagaTranscript(parent()).given(PLACED).expect(OrderBilled, OrderBilled)
    assert to(story, "CAP").kind == "pay-line"
    story.given(completed(), to=to(story, "CAP")).expect()
    story.given(completed(), to=to(story, "HAT")).expect(MarkReadyToShip)
    assert OrderProcessState.FromString(story.record.state).amount_cents == 14


def test_a_child_that_ends_undone_has_the_others_undone_as_units() -> None:
    story = SagaTranscript(parent()).given(PLACED)
    story.given(completed(), to=to(story, "CAP"))
    story.given(SagaCompensated(reason="no funds"), to=to(story, "HAT")).expect(UndoSaga)
    assert story.record.reason == "lines[HAT]: SagaCompensated: no funds"
    assert to(story, "CAP").message.reason == story.record.reason
    story.given(SagaCompensated(), to=to(story, "CAP")).expect(CancelOrder)
    story.given(CANCELLED).expect_status("compensated")


def test_a_child_s_start_takes_the_item() -> None:
    def alone(state: OrderProcessState) -> OrderBilled:
        return OrderBilled()

    with pytest.raises(InvalidDefinition, match=r"Parent.lines.step.start: alone takes the state and the item"):
        children = Each(lines, Child(PayLine, alone), key="sku")
        made(
            "Parent",
            Saga[OrderProcessState],
            {"started_by": on(OrderPlaced, shop.begin), "lines": children, "flow": children},
            kind="parent",
        )


def test_a_list_beside_the_pivot_is_refused_as_a_step_is() -> None:
    paid = Step(shop.bill_order, OrderBilled, timeout=30, pivot=True)
    children = Each(lines, Child(PayLine, start), key="sku")
    body = {"started_by": on(OrderPlaced, shop.begin), "paid": paid, "lines": children, "flow": paid | children}
    with pytest.raises(InvalidDefinition, match=r"Parent.lines: it may be under way when the pivot paid is done"):
        made("Parent", Saga[OrderProcessState], body, kind="parent")


def test_the_children_of_a_list_are_children_of_the_saga() -> None:
    (child,) = parent().definition.children
    assert (child.saga, child.role) == ("pay-line", Role.COMPENSATABLE)
