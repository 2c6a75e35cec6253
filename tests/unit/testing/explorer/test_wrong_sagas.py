"""Mistakes of a saga's author come to light, each with a shortest schedule that shows it."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import ShippingLabelCreated, VoidShippingLabel
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.explorer.result import BrokenCheck
from tests.unit.testing.explorer.sagas import STARTED, bill, close, ship

FEW = Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0)


def saga_of(*, started_by: Any = STARTED, **steps: Any) -> type[Saga[Any]]:
    """Its steps one after another: bill and ship, or what a test has instead."""
    declared = {"bill": bill(), "ship": ship(), **steps}
    first, *rest = declared.values()
    flow = first
    for step in rest:
        flow = flow >> step
    body = {"started_by": started_by, "flow": flow, **declared}
    made: type[Saga[Any]] = types.new_class(
        "Wrong", (Saga[OrderProcessState],), {"kind": "wrong"}, lambda space: space.update(body)
    )
    return made


def mistake(saga: type[Saga[Any]], what: str, *, moves: int) -> BrokenCheck:
    """The shortest schedule to an author's mistake of this kind."""
    result = explore(saga, bounds=FEW)
    matching = [one for one in result.violations if one.check == "author" and what in one.what]
    assert matching, f"not found; but {[(one.check, one.what) for one in result.violations]}"
    assert matching[0].moves == moves, matching[0].text()
    return matching[0]


def void_by_label(state: OrderProcessState) -> VoidShippingLabel:
    if not state.label_id:
        raise ValueError("there is no label to void")
    return VoidShippingLabel(sku=state.line.sku, label_id=state.label_id)


def test_an_undo_that_needs_what_only_its_own_answer_brings_is_found() -> None:
    """Where the label's answer never came, nobody knows its id; and it may have been made."""
    one = mistake(saga_of(ship=ship(undo=void_by_label)), "undo of step ship raised ValueError: there is no", moves=4)
    assert one.diagram.lines()[-1].startswith("wrong: timer of step ship fires; wrong: undo of step ship raised")


def bill_by_label(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=state.label_id, amount_cents=state.amount_cents)


def bill_twice(state: OrderProcessState) -> BillOrder:
    state.amount_cents *= 2
    return BillOrder(order_id=state.order_id, amount_cents=state.amount_cents)


def bill_wrongly(state: OrderProcessState) -> BillOrder:
    return RefundOrder(order_id=state.order_id)  # type: ignore[return-value] # that is the mistake


def refund_nobody(state: OrderProcessState) -> RefundOrder:
    return RefundOrder(order_id=state.charge_id)


def lose_charge(state: OrderProcessState, event: OrderBilled) -> None:
    raise LookupError("no such charge")


def keep_as_key(state: OrderProcessState, event: OrderBilled) -> None:
    state.order_id = event.charge_id


def keep_anew(state: OrderProcessState, event: OrderBilled) -> Any:
    return OrderProcessState(order_id=state.order_id, charge_id=event.charge_id)


def bill_and_leave(state: OrderProcessState) -> BillOrder:
    raise SystemExit(3)


def keep_and_leave(state: OrderProcessState, event: OrderBilled) -> None:
    raise KeyboardInterrupt


def lose_decline(state: OrderProcessState, event: PaymentDeclined) -> None:
    raise LookupError("no such reason")


@pytest.mark.parametrize(
    ("changed", "what", "moves"),
    [
        ({"do": bill_by_label}, "do of step bill: shop.BillOrder needs a key in its field 'order_id'", 1),
        ({"do": bill_twice}, "do of step bill changed the state, which only an on_answer may", 1),
        ({"do": bill_wrongly}, "do of step bill made a RefundOrder, not a shop.BillOrder", 1),
        ({"undo": refund_nobody}, "undo of step bill: shop.RefundOrder needs a key", 2),
        ({"on_answer": lose_charge}, "on_answer of step bill raised LookupError: no such charge", 3),
        ({"on_answer": keep_as_key}, "on_answer of step bill changed order_id, which is the key of the instance", 3),
        ({"on_answer": lose_decline}, "on_answer of step bill raised LookupError: no such reason", 3),
        ({"on_answer": keep_anew}, "on_answer of step bill returned a OrderProcessState, which is lost", 3),
        ({"do": bill_and_leave}, "do of step bill raised SystemExit: 3", 1),
        ({"on_answer": keep_and_leave}, "on_answer of step bill raised KeyboardInterrupt", 3),
    ],
)
def test_a_function_that_fails_in_some_schedule_is_found(changed: dict[str, Any], what: str, moves: int) -> None:
    mistake(saga_of(bill=bill(**changed)), what, moves=moves)


def refund_elsewhere(state: OrderProcessState) -> RefundOrder:
    return RefundOrder(order_id="another")


def test_an_undo_to_another_actor_than_its_do_is_found() -> None:
    result = explore(saga_of(bill=bill(undo=refund_elsewhere)), bounds=FEW)
    (first, *_) = result.violations
    assert first.check == "I4"
    assert "undo of step bill goes to key 'another'; its do went to billing/KEY-1" in first.what


def begin_nothing(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(amount_cents=event.amount_cents)


def begin_badly(event: OrderPlaced) -> OrderProcessState:
    raise ZeroDivisionError("no amount")


@pytest.mark.parametrize(
    ("begin", "what"),
    [
        (begin_badly, "begin raised ZeroDivisionError: no amount"),
        (begin_nothing, "begin left 'order_id' as '', the key is 'KEY-1'"),
    ],
)
def test_a_saga_that_cannot_begin_is_found(begin: Callable[..., Any], what: str) -> None:
    mistake(saga_of(started_by=on(OrderPlaced, begin)), what, moves=1)


def label_from_bill(state: OrderProcessState, event: ShippingLabelCreated) -> None:
    if not state.charge_id:
        raise LookupError("shipped without a bill")
    state.label_id = event.label_id


def test_what_a_step_takes_from_the_one_before_it_is_no_mistake() -> None:
    explore(saga_of(ship=ship(on_answer=label_from_bill)), bounds=FEW).check()


def test_a_step_without_undo_keeps_its_effect_and_that_is_no_violation() -> None:
    explore(saga_of(bill=bill(undo=None, undone=(), no_undo="the charge may stay")), bounds=FEW).check()


def test_what_follows_an_authors_mistake_is_not_held_against_the_saga() -> None:
    result = explore(saga_of(close=close(no_undo="it may stay"), ship=ship(undo=void_by_label)), bounds=FEW)
    assert {one.check for one in result.violations} == {"author"}
