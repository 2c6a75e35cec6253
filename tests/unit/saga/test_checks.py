"""A definition that makes no sense is refused when its class is made, with the step and the cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined
from protos.orders_pb2 import Order, OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durations import minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.saga.flow import Flow
from runtime.saga.node import Role
from runtime.saga.on import On, on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from tests.unit.saga.made import made, of_state
from tests.unit.saga.shop import (
    FirmOrderProcess,
    ShopProcess,
    begin,
    bill_order,
    cancel_order,
    create_label,
    mark_ready,
    refund_order,
    void_label,
)

STARTED = on(OrderPlaced, begin)


STAYS = "what it does may stay"


def bill(**changed: Any) -> Step:
    stays = {} if "undo" in changed else {"no_undo": STAYS}
    return Step(**{"do": bill_order, "done": OrderBilled, "timeout": seconds(30), **stays, **changed})


def ship(**changed: Any) -> Step:
    return Step(**{"do": create_label, "done": ShippingLabelCreated, "timeout": minutes(5), "pivot": True, **changed})


def close(**changed: Any) -> Step:
    return Step(**{"do": mark_ready, "done": OrderReadyToShip, "timeout": seconds(30), "no_undo": STAYS, **changed})


def closing(**changed: Any) -> Step:
    return Step(**{"do": cancel_order, "done": OrderCancelled, **changed})


def define(*, started_by: Any = STARTED, kind: str = "wrong", state: Any = OrderProcessState, **body: Any) -> type[Any]:
    """Make a saga class named Wrong."""
    deadline = body.pop("deadline", 0.0)
    return made("Wrong", of_state(Saga, state), {"started_by": started_by, **body}, kind=kind, deadline=deadline)


def one(step: Step, **body: Any) -> type[Any]:
    return define(bill=step, flow=step, **body)


def not_a_command(state: OrderProcessState) -> OrderBilled:
    return OrderBilled()


def unannotated(state):  # type: ignore[no-untyped-def]
    return BillOrder()


def maybe(state: OrderProcessState) -> BillOrder | None:
    return None


def greedy(state: OrderProcessState, reason: str, more: int) -> BillOrder:
    return BillOrder()


def keep_billed(state: OrderProcessState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def keep_unannotated(state, event):  # type: ignore[no-untyped-def]
    return None


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (bill(timeout=None), r"Wrong.bill: a step needs a finite timeout above 0"),
        (bill(timeout=0.0), r"Wrong.bill: a step needs a finite timeout above 0"),
        (bill(timeout=float("inf")), r"Wrong.bill: a step needs a finite timeout above 0"),
        (bill(timeout=float("nan")), r"Wrong.bill: a step needs a finite timeout above 0"),
        (bill(do=not_a_command), r"Wrong.bill.do: not_a_command returns shop.OrderBilled, which is not a command"),
        (bill(do=unannotated), r"Wrong.bill.do: annotate what unannotated returns"),
        (bill(do=maybe), r"Wrong.bill.do: annotate what maybe returns with one command type"),
        (bill(do=greedy), r"Wrong.bill.do: greedy takes the state, and if it likes the reason; no more"),
        (bill(do="bill"), r"Wrong.bill.do: 'bill' is no function"),
        (bill(done=str), r"Wrong.bill: str is no message type"),
        (bill(done=()), r"Wrong.bill: name an answer that means it is done"),
        (bill(refused=OrderBilled), r"Wrong.bill: shop.OrderBilled is declared to mean two things"),
        (bill(undo=refund_order), r"Wrong.bill: it has an undo; name the answer that confirms it"),
        (bill(undone=OrderRefunded), r"Wrong.bill: it says what confirms its undo, but has no undo"),
        (bill(undo=void_label, undone=OrderRefunded), r"an undo goes to the actor that its do went to"),
        (bill(undo=bill_order, undone=OrderRefunded), r"Wrong.bill: do and undo are the same command shop.BillOrder"),
        (bill(on_answer=keep_unannotated), r"Wrong.bill.on_answer: annotate the last parameter of keep_unannotated"),
        (
            bill(done=PaymentDeclined, on_answer=keep_billed),
            r"Wrong.bill.on_answer: annotate the last parameter of",
        ),
        (bill(on_answer=(keep_billed, keep_billed)), r"Wrong.bill.on_answer: two functions keep shop.OrderBilled"),
        (bill(budget=Budget(asks_max=0)), r"Wrong.bill: a budget needs at least 1 ask"),
        (bill(budget=Budget(backoff=0.0)), r"Wrong.bill: a budget needs at least 1 ask, and pauses above 0"),
    ],
)
def test_s17_a_step_that_makes_no_sense_is_refused_by_name(step: Step, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        one(step)


def test_s17_a_step_past_the_pivot_that_can_be_refused_is_refused() -> None:
    pivot, last = ship(), close(refused=OrderCancelled)
    with pytest.raises(InvalidDefinition, match=r"Wrong.close: a step after the pivot cannot be refused"):
        define(ship=pivot, close=last, flow=pivot >> last)


def test_s17_a_step_past_the_pivot_with_an_undo_is_refused() -> None:
    pivot, last = ship(), bill(undo=refund_order, undone=OrderRefunded)
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: a step after the pivot is never undone"):
        define(ship=pivot, bill=last, flow=pivot >> last)


@pytest.mark.broken_by("two-pivots-accepted")
def test_s17_two_pivots_are_refused() -> None:
    first, second = ship(), close(pivot=True)
    with pytest.raises(InvalidDefinition, match="Wrong has the pivots ship, close; there is one point of no return"):
        define(ship=first, close=second, flow=first >> second)


@pytest.mark.parametrize("later", [None, "close"])
def test_s17_a_step_beside_the_pivot_is_refused(later: str | None) -> None:
    """When the pivot is done and the step is refused, the saga could neither go on nor turn back."""
    pivot, beside, last = ship(), bill(), close()
    edges = ((pivot, last), (beside, last)) if later else ((pivot, last),)
    with pytest.raises(
        InvalidDefinition, match=r"Wrong.bill: it may be under way when the pivot ship is done.*bill >> ship"
    ):
        define(ship=pivot, bill=beside, close=last, flow=Flow((pivot, beside, last), edges))


def test_s17_a_step_that_is_declared_and_not_in_the_flow_is_refused() -> None:
    step = bill()
    with pytest.raises(InvalidDefinition, match=r"Wrong.close: the step is declared, and not in the flow"):
        define(bill=step, close=close(), flow=step)


def test_s17_a_step_that_is_in_the_flow_twice_is_refused() -> None:
    step, last = bill(), close()
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: the step is in the flow twice"):
        define(bill=step, close=last, flow=step >> last >> step)


def test_s17_a_step_in_the_flow_without_a_name_is_refused() -> None:
    step = bill()
    with pytest.raises(InvalidDefinition, match=r"Wrong.flow: a step is not an attribute of Wrong"):
        define(bill=step, flow=step >> close())


def test_s17_a_step_with_two_names_is_refused() -> None:
    step = bill()
    with pytest.raises(InvalidDefinition, match=r"Wrong.again is the same step as Wrong.bill"):
        define(bill=step, again=step, flow=step)


@pytest.mark.parametrize("flow", [None, (), "bill >> ship"])
def test_s17_a_saga_without_a_flow_is_refused(flow: object) -> None:
    with pytest.raises(InvalidDefinition, match="Wrong needs a flow: its steps joined by >>"):
        define(bill=bill(), flow=flow)


def test_s17_an_empty_flow_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="Wrong needs a flow"):
        define(flow=Flow(()))


def begin_other(event: OrderPlaced) -> Order:
    return Order()


@pytest.mark.parametrize(
    ("started_by", "complaint"),
    [
        ((), r"Wrong needs started_by = on\(SomeEvent, begin\)"),
        (OrderPlaced, r"Wrong needs started_by = on\(SomeEvent, begin\)"),
        (on(BillOrder, begin), r"shop.BillOrder is a command; a saga is started by an event"),
        (on(Order, begin), r"shop.Order has no key"),
        (on(OrderPlaced, begin, key="line.quantity"), r"has no text field 'line.quantity' to be keyed by"),
        (on(OrderPlaced, begin, where={"flow": 9}), r"9 is no value of shop.Flow"),
        (on(OrderPlaced, begin, where={"colour": "red"}), r"has no single field 'colour'"),
        (on(OrderPlaced, begin_other), r"begin_other returns shop.Order, not the state shop.OrderProcessState"),
        (on(OrderCancelled, begin), r"begin takes shop.OrderPlaced, and is given shop.OrderCancelled"),
        ((STARTED, STARTED), r"shop.OrderPlaced starts it twice"),
    ],
)
def test_s17_a_start_that_makes_no_sense_is_refused(started_by: On, complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        one(bill(), started_by=started_by)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"kind": ""}, "saga Wrong needs a kind without a slash"),
        ({"kind": "a/b"}, "saga Wrong needs a kind without a slash"),
        ({"state": None}, "saga Wrong needs a protobuf message as its state"),
        ({"state": dict}, "saga Wrong needs a protobuf message as its state"),
        ({"deadline": -1.0}, "saga Wrong: a deadline is finite and above 0, not -1.0 s"),
        ({"deadline": float("nan")}, "saga Wrong: a deadline is finite and above 0, not nan s"),
        ({"closing": cancel_order}, r"Wrong.closing is a Step, or a tuple of them: closing = Step"),
        ({"closing": (closing(), cancel_order)}, r"Wrong.closing is a Step, or a tuple of them"),
        ({"closing": closing(pivot=True)}, r"Wrong.closing: there is nothing after it .* no pivot and no undo"),
        ({"closing": closing(no_undo="x")}, r"Wrong.closing: there is nothing after it"),
        ({"closing": closing(do=begin)}, r"Wrong.closing.do: begin returns"),
        (
            {"closing": closing(refused=OrderReadyToShip)},
            r"Wrong.closing: a step that closes a compensation can",
        ),
        ({"closing": closing(done=())}, r"Wrong.closing: name an answer that means it is done"),
        ({"compensated": cancel_order}, r"Wrong.compensated: what closes .*closing = Step\(cancel_trip, done=Trip"),
        ({"compensated_within": 3.0}, r"Wrong.compensated_within: what closes .*; take this out"),
    ],
)
def test_s17_a_saga_that_makes_no_sense_is_refused(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        one(bill(), **changed)


def test_a_closing_step_that_is_in_the_flow_as_well_is_refused() -> None:
    step = bill()
    with pytest.raises(InvalidDefinition, match=r"Wrong.closing: the step is in the flow as well"):
        define(bill=step, flow=step, closing=step)


def test_a_closing_step_has_a_timeout_and_a_budget_as_any_step() -> None:
    usual, own = (
        one(bill(), closing=step).definition.closing_steps[0]
        for step in (closing(), closing(timeout=seconds(5), budget=Budget(asks_max=2)))
    )
    assert (usual.timeout_s, usual.budget) == (30.0, Budget())
    assert (own.timeout_s, own.budget.asks_max) == (5.0, 2)


def test_the_roles_of_steps_follow_from_the_pivot() -> None:
    roles = {step.name: step.role for step in ShopProcess.definition.steps}
    assert roles == {
        "bill": Role.COMPENSATABLE,
        "ship": Role.PIVOT,
        "close": Role.RETRIABLE,
        "closing": Role.CLOSING,
    }


def test_the_flow_is_a_graph_of_what_waits_for_what() -> None:
    links = {step.name: (step.before, step.after, step.all_after) for step in ShopProcess.definition.flow_steps}
    assert links == {"bill": ((), (1,), (1, 2)), "ship": ((0,), (2,), (2,)), "close": ((1,), (), ())}


def test_only_what_has_no_undo_to_fall_back_on_is_asked_again() -> None:
    def retriable(saga: type[Saga[Any]]) -> list[str]:
        return [step.name for step in saga.definition.steps if step.retriable]

    assert retriable(ShopProcess) == ["close", "closing"]
    assert retriable(FirmOrderProcess) == ["ship", "close"]


def test_patience_doubles_to_an_hour_and_pauses_to_their_limit() -> None:
    step = ShopProcess.definition.steps[2]
    assert [step.patience_s(asks) for asks in (1, 2, 3, 20, 2_000)] == [30.0, 60.0, 120.0, 3600.0, 3600.0]
    budget = Budget(backoff=1.0, backoff_max=10.0)
    assert [budget.pause_s(asks) for asks in (1, 2, 5, 2_000)] == [1.0, 2.0, 10.0, 10.0]


def closing_by_annotation(state: OrderProcessState) -> CancelOrder:
    return CancelOrder(order_id=state.order_id)


def test_functions_that_care_for_no_reason_need_not_take_it() -> None:
    saga = one(bill(), closing=closing(do=closing_by_annotation))
    command = saga.definition.closing_steps[0].do(OrderProcessState(order_id="ORD-1"), "why")
    assert command == CancelOrder(order_id="ORD-1")


def retyped(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__annotations__["return"] = "NoSuchType"
    return function


def test_annotations_that_cannot_be_read_are_named() -> None:
    def lost(state: OrderProcessState) -> BillOrder:
        return BillOrder()

    with pytest.raises(InvalidDefinition, match=r"Wrong.bill.do: the annotations of lost cannot be read"):
        one(bill(do=retyped(lost)))


def test_a_step_before_the_pivot_without_an_undo_has_to_say_why() -> None:
    for reason in ("", "  "):
        first, last = bill(no_undo=reason), ship()
        with pytest.raises(InvalidDefinition, match=r"Wrong\.bill: .*BillOrder has done would stay; give it an undo"):
            define(bill=first, ship=last, flow=first >> last)


def test_a_step_with_an_undo_has_no_reason_to_have_none() -> None:
    both = bill(undo=refund_order, undone=OrderRefunded, no_undo=STAYS)
    with pytest.raises(InvalidDefinition, match="it has an undo, and says why it has none"):
        define(bill=both, flow=both)


def test_a_pivot_and_what_comes_after_it_need_no_reason() -> None:
    first, last = ship(), close(no_undo="")
    assert define(ship=first, close=last, flow=first >> last)


def test_the_reason_is_no_part_of_the_fingerprint() -> None:
    one, other = bill(), bill(no_undo="another reason")
    assert define(bill=one, flow=one).definition.fingerprint == define(bill=other, flow=other).definition.fingerprint
