"""A step that is stuck holds up what waits for it, and nothing that runs beside it."""

from __future__ import annotations

from typing import Any

from protos.billing_pb2 import OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    CreateShippingLabel,
    Restock,
    Restocked,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import minutes, seconds
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BILLED,
    PLACED,
    READY,
    REFUNDED,
    VOIDED,
    begin,
    bill_order,
    create_label,
    mark_ready,
    refund_order,
    void_label,
)

TWICE = Budget(asks_max=2)
RESTOCKED = Restocked(sku="HAT", quantity=2)


def restock(state: OrderProcessState) -> Restock:
    return Restock(sku=state.line.sku, quantity=state.line.quantity)


def lose(state: OrderProcessState, event: OrderReadyToShip) -> None:
    raise LookupError("no such label")


class Tail(Saga[OrderProcessState], kind="tail"):
    """Past its pivot it asks two steps at once, and after one of them two more."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(30), pivot=True, budget=TWICE)
    left = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=TWICE)
    right = Step(do=restock, done=Restocked, timeout=seconds(30), budget=TWICE)
    third = Step(do=create_label, done=ShippingLabelCreated, timeout=seconds(30), budget=TWICE)
    fourth = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=TWICE)
    flow = Flow((bill, left, right, third, fourth), ((bill, left), (bill, right), (right, third), (right, fourth)))


class Forgetful(Saga[OrderProcessState], kind="forgetful"):
    """What one of its last steps is answered cannot be kept."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order, done=OrderBilled, timeout=seconds(30), pivot=True, no_undo="nothing of it has to be taken back"
    )
    left = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), on_answer=lose)
    right = Step(do=restock, done=Restocked, timeout=seconds(30))
    flow = Flow((bill, left, right), ((bill, left), (bill, right)))


class Twins(Saga[OrderProcessState], kind="twins"):
    """Its two steps are undone at once."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order, done=OrderBilled, undo=refund_order, undone=OrderRefunded, timeout=seconds(30), budget=TWICE
    )
    ship = Step(
        do=create_label, done=ShippingLabelCreated, undo=void_label, undone=ShippingLabelVoided,
        timeout=minutes(5), budget=TWICE,
    )  # fmt: skip
    flow = Flow((bill, ship))


def left_is_stuck(saga: type[Saga[Any]] = Tail) -> SagaTranscript:
    """Two steps were asked; one of them was given up on twice."""
    story = SagaTranscript(saga).given(PLACED).given(BILLED).expect(MarkReadyToShip, Restock)
    for _ in range(2):
        story.given_fault("printer offline", to=story.command(MarkReadyToShip))
        if story.status == "running":
            story.given_silence("left").expect(MarkReadyToShip)
    return story.expect_status("stuck", "step left: given up by sales/ORD-1: printer offline; still to do: left, right")


def refund_is_stuck() -> SagaTranscript:
    """Both are being undone; the refund was given up on twice."""
    story = SagaTranscript(Twins).given(PLACED).given_silence("bill").expect(VoidShippingLabel, RefundOrder)
    story.given_fault("bank closed", to=story.command(RefundOrder)).given_silence("bill")
    return story.given_fault("bank closed", to=story.command(RefundOrder)).expect_status("stuck", "undo of step bill")


def test_a_silent_step_beside_one_that_is_stuck_is_asked_again() -> None:
    story = left_is_stuck().given_silence("right").expect(Restock).expect_status("stuck")
    story.given(RESTOCKED, to=story.command(Restock)).expect(CreateShippingLabel, MarkReadyToShip)
    assert story.step_status("third") == story.step_status("fourth") == "asked", "both that waited for it"


def test_an_answer_beside_a_step_that_is_stuck_leaves_the_saga_stuck() -> None:
    story = left_is_stuck()
    story.given_fault("no room", to=story.command(Restock))
    story.given(RESTOCKED, to=story.command(Restock))
    story.expect_status("stuck", "step left: given up by sales/ORD-1: printer offline")


def test_of_two_steps_that_are_stuck_each_is_named_until_it_is_answered() -> None:
    story = left_is_stuck()
    for _ in range(2):
        story.given_silence("right")
    story.expect_status(
        "stuck", "step left: given up by sales/ORD-1: printer offline; step right: no answer within 60 s"
    )
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("stuck", "step right: no answer within 60 s")
    assert "step left:" not in story.record.stuck_reason
    story.given(RESTOCKED, to=story.command(Restock)).expect_status("running")
    assert story.record.stuck_reason == ""


def test_s72_a_second_step_that_gets_stuck_raises_an_alert_too_and_one_that_is_answered_raises_none() -> None:
    story = left_is_stuck()
    assert story.decision.alarm == story.record.stuck_reason
    story.given_silence("right")
    assert story.decision.alarm == "", "it was asked again"
    story.given_silence("right")
    assert story.decision.alarm == story.record.stuck_reason
    assert "step right" in story.decision.alarm
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("stuck", "step right")
    assert story.decision.alarm == "", "nothing more has got stuck"


def test_s72_a_second_undo_that_gets_stuck_raises_an_alert_too() -> None:
    story = refund_is_stuck()
    story.given_fault("printer offline", to=story.command(VoidShippingLabel)).given_silence("ship")
    story.given_fault("printer offline", to=story.command(VoidShippingLabel))
    assert story.decision.alarm == story.record.stuck_reason
    assert "undo of step ship" in story.decision.alarm


def test_a_saga_that_could_not_keep_an_answer_does_not_complete_when_all_else_is_done() -> None:
    story = SagaTranscript(Forgetful).given(PLACED).given(BILLED)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("stuck", "LookupError: no such label")
    story.given(RESTOCKED, to=story.command(Restock)).expect_status("stuck", "LookupError: no such label")


def test_an_undo_beside_one_that_is_stuck_is_tried_again() -> None:
    story = refund_is_stuck()
    story.given_fault("printer offline", to=story.command(VoidShippingLabel))
    story.given_silence("ship").expect(VoidShippingLabel).expect_status("stuck")


def test_an_undo_that_is_confirmed_beside_one_that_is_stuck_leaves_the_saga_stuck() -> None:
    story = refund_is_stuck()
    story.given_fault("printer offline", to=story.command(VoidShippingLabel))
    story.given(VOIDED, to=story.command(VoidShippingLabel))
    story.expect_status("stuck", "undo of step bill: given up by billing/ORD-1: bank closed; still to undo: bill")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("compensated")
