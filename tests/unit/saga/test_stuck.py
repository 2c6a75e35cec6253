"""What a saga cannot do by itself leaves it at rest, visible, and never reported as undone."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderPlaced
from protos.warehouse_pb2 import CreateShippingLabel, VoidShippingLabel
from runtime.durations import seconds
from runtime.errors import NotCarried
from runtime.protos.saga_pb2 import CancelRefused, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    CANCELLED,
    DECLINED,
    LABELLED,
    PLACED,
    READY,
    REFUNDED,
    VOIDED,
    FirmOrderProcess,
    ShopProcess,
    begin,
    bill_order,
    billed,
    placed,
    shipped,
)


def void_out_of_budget() -> SagaTranscript:
    """The label's undo was given up three times; the bill's undo has not begun."""
    story = billed().given_silence("ship")
    for _ in range(2):
        story.given_fault("printer offline").given_silence("ship").expect(VoidShippingLabel)
    return story.given_fault("printer offline")


@pytest.mark.broken_by("undo-fault-counts-as-undone")
def test_s72_an_undo_out_of_budget_leaves_the_saga_stuck_naming_step_error_and_what_remains() -> None:
    story = void_out_of_budget().expect()
    story.expect_status("stuck", "undo of step ship: given up by warehouse/HAT: printer offline")
    assert "still to undo: ship, bill; then to confirm: closing" in story.record.stuck_reason
    assert story.record.stuck_in == SagaRecord.COMPENSATING
    assert story.decision.alarm == story.record.stuck_reason
    assert story.record.reason == "ship: no answer within 300 s", "why it turned back is still known"
    assert (story.step_status("ship"), story.step_status("bill")) == ("owed", "owed")
    assert story.record.ended_at_s == 0
    assert story.decision.ended, "it is at rest, so it need not stay in memory"
    assert story.timers == {}


def test_s72_a_stuck_undo_that_is_confirmed_after_all_goes_on_where_it_stopped() -> None:
    story = void_out_of_budget().given(VOIDED)
    story.expect(RefundOrder).expect_status("compensating")
    assert story.record.stuck_reason == ""
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_a_cancellation_of_a_stuck_saga_is_refused_with_the_reason() -> None:
    story = void_out_of_budget().given_cancellation()
    story.expect(CancelRefused(reason=f"it is stuck: {story.record.stuck_reason}"))
    assert story.decision.alarm == "", "the alert was raised when it got stuck"


def test_s72_a_step_past_the_pivot_out_of_budget_leaves_the_saga_stuck_and_never_turns_it_back() -> None:
    story = shipped()
    for _ in range(2):
        story.given_silence("close").expect(MarkReadyToShip)
    story.given_silence("close").expect().expect_status("stuck", "step close: no answer within 120 s")
    assert "still to do: close" in story.record.stuck_reason
    assert story.record.pivot_passed
    assert story.decision.alarm == story.record.stuck_reason


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_stuck_step_is_settled_by_the_answer_to_any_of_its_commands(nth: int) -> None:
    story = shipped()
    for _ in range(3):
        story.given_silence("close")
    story.expect_status("stuck").given(READY, to=story.command(MarkReadyToShip, nth)).expect_status("completed")


def test_a_deadline_that_passes_while_stuck_past_the_pivot_marks_it_overdue() -> None:
    story = shipped()
    for _ in range(3):
        story.given_silence("close")
    story.given_silence("saga deadline").expect_status("stuck")
    assert story.record.overdue


def test_a_pivot_that_cannot_be_undone_and_stays_silent_leaves_the_saga_stuck_not_compensated() -> None:
    story = billed(FirmOrderProcess)
    for _ in range(3):
        story.given_silence("ship")
    story.expect().expect_status("stuck", "step ship: no answer within")
    assert story.step_status("bill") == "done", "nothing is refunded while the label may exist"


def test_a_stuck_pivot_turns_back_once_every_command_of_it_is_known_to_be_refused() -> None:
    story = billed(FirmOrderProcess)
    for _ in range(3):
        story.given_silence("ship")
    for nth in range(2):
        story.given(BACK_ORDERED, to=story.command(CreateShippingLabel, nth)).expect().expect_status("stuck")
    story.given(BACK_ORDERED, to=story.command(CreateShippingLabel, 2))
    story.expect(RefundOrder).expect_status("compensating", "ship: BackOrdered")


def test_an_undo_that_is_answered_with_something_else_uses_up_one_ask_and_at_last_leaves_the_saga_stuck() -> None:
    story = billed().given(BACK_ORDERED).expect(RefundOrder)
    budget = story._behaviour.definition.steps[0].budget
    for _ in range(1, budget.asks_max):
        story.given(DECLINED).expect().expect_status("compensating")
        story.given(DECLINED, to=story.command(RefundOrder)).expect_ignored("it is asked again soon")
        story.given_silence("bill").expect(RefundOrder)
    story.given(DECLINED, to=story.command(RefundOrder, 0)).expect_ignored("it was asked again since")
    story.given(DECLINED, to=story.command(RefundOrder))
    story.expect_status("stuck", "undo of step bill: PaymentDeclined is no answer that confirms the undo")
    assert story.step("bill").undo.attempts == budget.asks_max > 1


def test_an_undo_that_is_confirmed_at_its_second_ask_after_a_wrong_answer_is_done() -> None:
    story = billed().given(BACK_ORDERED).given(DECLINED).given_silence("bill").expect(RefundOrder)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_a_closing_command_that_is_answered_with_something_else_leaves_the_saga_stuck() -> None:
    story = placed().given(DECLINED).expect(CancelOrder).given(READY).expect_status("compensating")
    while story.status != "stuck":
        story.given_silence("closing").given(READY)
    story.expect_status("stuck", "step closing: OrderReadyToShip is no answer that the step declares")
    assert "still to undo: nothing; then to confirm: closing" in story.record.stuck_reason


def test_a_closing_command_that_fails_is_sent_again() -> None:
    story = placed().given(DECLINED).given_fault("down").expect()
    story.given_silence("closing").expect(CancelOrder).given(CANCELLED).expect_status("compensated")


def test_an_undo_that_raises_leaves_the_saga_stuck_and_named() -> None:
    def broken(state: OrderProcessState) -> RefundOrder:
        raise LookupError("no such customer")

    class BrokenAndNamed(Saga[OrderProcessState], kind="broken"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, undo=broken, undone=OrderRefunded, timeout=seconds(1))
        flow = bill

    story = SagaTranscript(BrokenAndNamed).given(PLACED).given_silence("bill")
    story.expect().expect_status("stuck", "undo of step bill raised LookupError: no such customer")
    assert story.step_status("bill") == "owed"


def test_an_undo_addressed_to_another_actor_than_its_do_leaves_the_saga_stuck() -> None:
    def elsewhere(state: OrderProcessState) -> RefundOrder:
        return RefundOrder(order_id="ORD-2")

    class Elsewhere(Saga[OrderProcessState], kind="elsewhere"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, undo=elsewhere, undone=OrderRefunded, timeout=seconds(1))
        flow = bill

    story = SagaTranscript(Elsewhere).given(PLACED).given_silence("bill")
    story.expect().expect_status("stuck", "undo of step bill goes to key 'ORD-2'; its do went to billing/ORD-1")


def test_a_keeper_that_raises_at_the_pivot_leaves_the_saga_stuck_for_there_is_no_way_back() -> None:
    def broken(state: OrderProcessState, event: OrderBilled) -> None:
        raise KeyError(event.charge_id)

    class BrokenWayBack(Saga[OrderProcessState], kind="broken"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(1), pivot=True, on_answer=broken)
        flow = bill

    story = SagaTranscript(BrokenWayBack).given(PLACED).given(BILLED)
    story.expect().expect_status("stuck", "on_answer of step bill raised KeyError")
    assert story.record.pivot_passed


class OtherVersion(Saga[OrderProcessState], kind="order-process"):
    """Of the same name as ShopProcess, with other steps."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(1), no_undo="nothing of it has to be taken back")
    flow = bill


@pytest.mark.broken_by("another-version's-mail-passed-over")
def test_s83_an_answer_to_an_instance_of_another_version_is_left_to_another_build_with_a_clear_reason() -> None:
    story = billed()
    before = story.record
    newer = SagaTranscript(OtherVersion).carrying_on(story)
    with pytest.raises(NotCarried, match="order-process/ORD-1 was started by another version of order-process"):
        newer.given(LABELLED)
    assert newer.record == before


@pytest.mark.broken_by("another-version's-timers-dropped")
def test_s83_a_timer_of_an_instance_of_another_version_is_put_off_not_lost() -> None:
    newer = SagaTranscript(OtherVersion).carrying_on(billed())
    newer.given_silence("ship").expect().expect_ignored("another version")
    assert newer.timers["ship"] == newer.now_s + 60


def test_s83_the_fingerprint_follows_the_steps_and_not_the_patience() -> None:
    class Same(Saga[OrderProcessState], kind="order-process"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(99), no_undo="nothing of it has to be taken back")
        flow = bill

    assert Same.definition.fingerprint == OtherVersion.definition.fingerprint
    assert Same.definition.fingerprint != ShopProcess.definition.fingerprint


async def test_the_behaviour_awaits_nothing_and_never_retries_what_cannot_change() -> None:
    behaviour = SagaBehaviour(ShopProcess)
    assert behaviour.retries.runs_max == 1
    assert behaviour.process == "order-process"
    assert behaviour.state_type is SagaRecord


def test_s87_each_step_of_the_record_tells_how_often_it_was_asked_and_what_became_of_it() -> None:
    story = shipped()
    bill, ship = story.step("bill"), story.step("ship")
    assert (bill.do.outcome, bill.do.attempts, bill.address) == ("shop.OrderBilled", 1, "billing/ORD-1")
    assert (ship.do.outcome, ship.do.attempts, ship.address) == ("shop.ShippingLabelCreated", 1, "warehouse/HAT")
    story.given_silence("close").given_silence("close").given(READY)
    close = story.step("close")
    assert (close.do.outcome, close.do.attempts) == ("shop.OrderReadyToShip", 3)
    assert close.do.asked_at_s == story.record.ended_at_s == story.now_s > story.record.started_at_s == 1_000.0


def test_s87_each_step_of_the_record_tells_how_often_its_undo_was_asked_and_what_failed() -> None:
    story = void_out_of_budget()
    ship, bill = story.step("ship"), story.step("bill")
    assert (ship.do.attempts, ship.undo.attempts, ship.undo.error) == (
        1,
        3,
        "given up by warehouse/HAT: printer offline",
    )
    assert (bill.do.attempts, bill.undo.attempts, bill.undo.outcome) == (1, 0, "")
    story.given(VOIDED).given(REFUNDED)
    ship, bill = story.step("ship"), story.step("bill")
    assert (ship.undo.attempts, ship.undo.outcome) == (3, "shop.ShippingLabelVoided")
    assert (bill.undo.attempts, bill.undo.outcome) == (1, "shop.OrderRefunded")
