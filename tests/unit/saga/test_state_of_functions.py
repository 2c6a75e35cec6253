"""What a function of a saga does to the state it is given is lost, unless it is `keep`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from google.protobuf.struct_pb2 import Struct, Value

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderCancelled, OrderPlaced
from protos.warehouse_pb2 import CreateShippingLabel, ShippingLabelCreated, ShippingLabelVoided, VoidShippingLabel
from runtime.durations import minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.made import made
from tests.unit.saga.shop import PLACED, begin
from tests.unit.saga.test_checks import bill, one


def greedy_bill(state: OrderProcessState) -> BillOrder:
    state.amount_cents += 1
    state.line.sku = "changed"
    return BillOrder(order_id=state.order_id, amount_cents=state.amount_cents)


def label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(order_id=state.order_id, sku=state.line.sku, quantity=state.amount_cents)


def greedy_refund(state: OrderProcessState, reason: str) -> RefundOrder:
    state.line.sku = "changed"
    state.label_id = "changed"
    return RefundOrder(order_id=state.order_id)


def void(state: OrderProcessState) -> VoidShippingLabel | None:
    return VoidShippingLabel(sku=state.line.sku, order_id=state.order_id)


def greedy_cancel(state: OrderProcessState) -> CancelOrder:
    state.order_id += "!"
    return CancelOrder(order_id=state.order_id.removesuffix("!"))


def keep_and_fail(state: OrderProcessState, event: OrderBilled) -> None:
    state.line.sku = "half"
    raise ValueError("lost")


class Greedy(Saga[OrderProcessState], kind="greedy"):
    """Two steps side by side; each function of the first changes what it is given."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=greedy_bill, done=OrderBilled, undo=greedy_refund, undone=OrderRefunded, timeout=seconds(30),
        on_answer=keep_and_fail,
    )  # fmt: skip
    ship = Step(do=label, done=ShippingLabelCreated, undo=void, undone=ShippingLabelVoided, timeout=minutes(5))
    flow = Flow((bill, ship))
    closing = Step(greedy_cancel, done=OrderCancelled)


def test_a_do_that_changes_the_state_does_not_reach_its_sibling() -> None:
    story = SagaTranscript(Greedy).given(PLACED)
    bill, ship = (one.message for one in story.decision.outgoing)
    assert isinstance(bill, BillOrder) and isinstance(ship, CreateShippingLabel)
    assert bill.amount_cents == PLACED.amount_cents + 1
    assert (ship.sku, ship.quantity) == (PLACED.line.sku, PLACED.amount_cents)


def test_an_undo_and_a_closing_command_change_nothing_for_those_after_them() -> None:
    story = SagaTranscript(Greedy).given(PLACED)
    state = story.record.state
    story.given_cancellation()
    (voided,) = [one.message for one in story.decision.outgoing if isinstance(one.message, VoidShippingLabel)]
    assert voided.sku == PLACED.line.sku
    story.given(ShippingLabelVoided(order_id=PLACED.order_id), to=story.command(VoidShippingLabel))
    story.given(OrderRefunded(order_id=PLACED.order_id), to=story.command(RefundOrder)).expect(CancelOrder)
    story.given_silence("closing").expect(CancelOrder)
    assert story.record.state == state


def test_a_keep_that_fails_half_way_has_kept_nothing() -> None:
    story = SagaTranscript(Greedy).given(PLACED)
    story.given(OrderBilled(order_id=PLACED.order_id), to=story.command(BillOrder)).expect_status("compensating")
    assert OrderProcessState.FromString(story.record.state).line.sku == PLACED.line.sku


# --- what keep does beside changing the state ---


class ForgetsState(Saga[OrderProcessState], kind="forgetful"):
    """Its one `keep` does what a test has it do."""

    def charge(state: OrderProcessState, event: OrderBilled) -> Any:  # type: ignore[misc]  # noqa: N805 - of the saga
        return ForgetsState.does(state, event)

    does: ClassVar[Callable[[Any, Any], Any]]
    started_by = on(OrderPlaced, begin)
    bill = Step(
        greedy_bill, done=OrderBilled, undo=greedy_refund, undone=OrderRefunded, timeout=seconds(30), on_answer=charge
    )  # fmt: skip
    flow = bill


def kept(does: Callable[[Any, Any], Any], monkeypatch: pytest.MonkeyPatch) -> SagaTranscript:
    monkeypatch.setattr(ForgetsState, "does", staticmethod(does), raising=False)
    return SagaTranscript(ForgetsState).given(PLACED).given(OrderBilled(order_id=PLACED.order_id, charge_id="CH-1"))


async def _later() -> None:
    return None


@pytest.mark.parametrize("returned", [lambda: OrderProcessState(charge_id="CH-1"), _later])
def test_a_keep_that_returns_what_would_be_lost_has_failed(returned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        story = kept(lambda state, event: returned(), monkeypatch)
    story.expect_status("compensating", "on_answer of step bill returned a ")


def test_what_keep_does_to_the_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(state: OrderProcessState, event: OrderBilled) -> None:
        event.charge_id = ""
        raise ValueError("too soon")

    story = kept(take, monkeypatch)
    assert OrderBilled.FromString(story.step("bill").unkept).charge_id == "CH-1"


def returns_state(state: OrderProcessState, event: OrderBilled) -> OrderProcessState:
    return OrderProcessState(charge_id=event.charge_id)


def test_a_keep_that_says_it_returns_something_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill.on_answer: returns_state says that it returns something"):
        one(bill(on_answer=returns_state))


def test_a_state_with_a_map_has_the_same_bytes_after_the_same_messages() -> None:
    def in_order(event: OrderPlaced) -> Struct:
        return Struct(fields={str(one): Value(number_value=one) for one in range(50)})

    def backwards(event: OrderPlaced) -> Struct:
        return Struct(fields={str(one): Value(number_value=one) for one in reversed(range(50))})

    def record(begin: Callable[[OrderPlaced], Struct]) -> bytes:
        def wait(state: Struct) -> datetime:
            return datetime(2100, 1, 1, tzinfo=UTC)

        rest = Wait(until=wait)
        body = {"started_by": on(OrderPlaced, begin), "rest": rest, "flow": rest}
        return SagaTranscript(made("Mapped", Saga[Struct], body, kind="mapped")).given(PLACED).record.state

    assert record(in_order) == record(backwards)
