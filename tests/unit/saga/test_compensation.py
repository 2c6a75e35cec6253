"""The way back, told as transcripts: given a refusal, silence or fault, expect undos."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced
from protos.warehouse_pb2 import CreateShippingLabel, VoidShippingLabel
from runtime.durations import seconds
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused
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
    cancel_order,
    mark_ready,
    placed,
    refund_order,
    shipped,
)


def test_s92_a_back_ordered_order_is_refunded_then_cancelled() -> None:
    story = billed().given(BACK_ORDERED)
    story.expect(RefundOrder(order_id="ORD-1", reason="ship: BackOrdered")).expect_status("compensating")
    story.given(REFUNDED).expect(CancelOrder(order_id="ORD-1", reason="ship: BackOrdered"))
    story.expect_status("compensating")
    story.given(CANCELLED).expect().expect_status("compensated", "ship: BackOrdered")
    assert story.decision.ended
    assert story.timers == {}


@pytest.mark.broken_by("undo-in-forward-order")
def test_s64_undos_run_in_reverse_each_after_the_one_before_is_confirmed() -> None:
    story = billed().given_silence("ship")
    story.expect(VoidShippingLabel)
    assert story.step_status("bill") == "owed"
    story.given(VOIDED).expect(RefundOrder)
    story.given(REFUNDED).expect(CancelOrder)


def test_s65_a_step_without_an_undo_is_skipped_and_recorded_as_skipped() -> None:
    class Checked(Saga[OrderProcessState], kind="checked"):
        started_by = on(OrderPlaced, begin)
        check = Step(do=mark_ready, done=type(READY), timeout=seconds(1), no_undo="nothing of it has to be taken back")
        bill = Step(
            do=bill_order,
            done=OrderBilled,
            refused=type(DECLINED),
            timeout=seconds(1),
            no_undo="nothing of it has to be taken back",
        )
        flow = check >> bill

    story = SagaTranscript(Checked).given(PLACED).given(READY).given(DECLINED)
    story.expect().expect_status("compensated", "bill: PaymentDeclined")
    assert story.step_status("check") == "skipped"


@pytest.mark.broken_by("undo-not-needed-counts-as-undone")
def test_s65_an_undo_that_finds_itself_not_needed_is_skipped_and_recorded_as_skipped() -> None:
    def refund_if_charged(state: OrderProcessState) -> RefundOrder | None:
        return RefundOrder(order_id=state.order_id) if state.amount_cents else None

    class Free(Saga[OrderProcessState], kind="free"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, undo=refund_if_charged, undone=OrderRefunded, timeout=seconds(1))
        close = Step(
            do=mark_ready,
            done=type(READY),
            refused=type(DECLINED),
            timeout=seconds(1),
            no_undo="nothing of it has to be taken back",
        )
        flow = bill >> close

    free = SagaTranscript(Free).given(OrderPlaced(order_id="ORD-1")).given(BILLED).given(DECLINED)
    free.expect().expect_status("compensated")
    assert free.step_status("bill") == "skipped"
    paid = SagaTranscript(Free).given(PLACED).given(BILLED).given(DECLINED)
    paid.expect(RefundOrder).expect_status("compensating")


@pytest.mark.broken_by("reason-of-turning-back-lost")
def test_s66_when_the_first_step_is_refused_nothing_is_undone_and_the_reason_is_kept() -> None:
    story = placed().given(DECLINED)
    story.expect(CancelOrder(order_id="ORD-1", reason="bill: PaymentDeclined"))
    story.given(CANCELLED).expect_status("compensated", "bill: PaymentDeclined")
    assert [task.undo.attempts for task in story.record.tasks] == [0, 0, 0, 0]


@pytest.mark.broken_by("unknown-answered-as-failed")
def test_s67_a_step_that_stays_silent_may_have_happened_and_is_undone_too() -> None:
    story = placed().given_silence("bill")
    story.expect(RefundOrder(order_id="ORD-1", reason="bill: no answer within 30 s"))
    refund, bill = story.command(RefundOrder), story.command(BillOrder)
    assert refund.undo_of == bill.id
    assert refund.refusals == ("shop.PaymentDeclined",)


@pytest.mark.broken_by("fault-is-a-refusal")
def test_s61_a_fault_is_an_outcome_that_is_undone_like_silence() -> None:
    story = billed().given_fault("label printer on fire")
    story.expect(VoidShippingLabel).expect_status("compensating", "ship: given up by warehouse/HAT: label printer")
    assert story.step("ship").do.error == "label printer on fire"


@pytest.mark.broken_by("compensated-too-early")
def test_s68_an_undo_with_nothing_to_undo_is_confirmed_by_the_participants_runtime() -> None:
    story = placed().given_silence("bill").given_nothing_to_undo("its command never came")
    story.expect(CancelOrder)
    assert story.step("bill").undo.outcome == "nothing to undo: its command never came"
    assert story.step_status("bill") == "undone"


@pytest.mark.broken_by("late-answer-revives-step")
def test_s54_a_late_done_of_a_step_whose_undo_is_owed_is_noted_and_the_undo_stands() -> None:
    story = billed().given_silence("ship")
    label = story.command(CreateShippingLabel)
    story.given(LABELLED, to=label).expect().expect_ignored("ShippingLabelCreated came late: step ship is undoing")
    story.given(VOIDED, to=story.command(VoidShippingLabel)).expect(RefundOrder)


def test_a_late_fault_of_a_step_whose_undo_is_owed_is_noted() -> None:
    story = placed().given_silence("bill")
    story.given_fault(to=story.command(BillOrder)).expect().expect_ignored("a fault came late: step bill is undoing")


def test_s70_a_second_confirmation_of_an_undo_has_no_effect() -> None:
    story = billed().given(BACK_ORDERED).given(REFUNDED)
    story.given(REFUNDED, to=story.command(RefundOrder)).expect().expect_ignored("came late: step bill is undone")


@pytest.mark.broken_by("undo-not-retried")
def test_s71_an_undo_that_fails_is_sent_again_after_a_pause_and_the_rest_follows() -> None:
    story = billed().given_silence("ship").given_fault("printer offline")
    story.expect().expect_status("compensating")
    first = story.command(VoidShippingLabel)
    story.given_silence("ship").expect(VoidShippingLabel)
    again = story.command(VoidShippingLabel)
    assert first.id != again.id
    assert first.undo_of == again.undo_of, "both undo the same command"
    story.given(VOIDED).expect(RefundOrder).given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_the_pauses_before_an_undo_is_sent_again_grow() -> None:
    story = billed().given_silence("ship")
    pauses = []
    for _ in range(2):
        story.given_fault("printer offline")
        pauses.append(story.timers["ship"] - story.now_s)
        story.given_silence("ship")
    assert pauses == [1.0, 2.0]


def test_an_undo_that_was_given_up_and_replayed_counts_while_another_waits() -> None:
    story = billed().given_silence("ship").given_fault("printer offline")
    story.given(VOIDED, to=story.command(VoidShippingLabel)).expect(RefundOrder)
    assert "ship" not in story.timers


def test_a_silent_undo_is_waited_for() -> None:
    story = billed().given(BACK_ORDERED)
    assert story.timers == {}


def test_s73_a_deadline_before_the_pivot_turns_the_saga_back() -> None:
    story = placed().given_silence("saga deadline")
    story.expect(RefundOrder).expect_status("compensating", "timeout: not past the pivot within 600 s")


@pytest.mark.broken_by("deadline-after-pivot-turns-back")
def test_s73_a_deadline_past_the_pivot_only_marks_the_saga_as_overdue() -> None:
    story = shipped().given_silence("saga deadline").expect().expect_status("running")
    assert story.record.overdue
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_s89_a_cancellation_before_the_pivot_turns_the_saga_back() -> None:
    story = placed().given(BILLED).given_cancellation("changed my mind")
    story.expect(VoidShippingLabel, CancelAccepted(reason="cancelled: changed my mind"))
    story.given(VOIDED, to=story.command(VoidShippingLabel)).expect(RefundOrder)


@pytest.mark.broken_by("pivot-ignored")
def test_s89_a_cancellation_past_the_pivot_is_refused_with_the_reason() -> None:
    story = shipped()
    before = story.record
    story.given_cancellation().expect(CancelRefused(reason="there is no way back after ship"))
    story.expect_ignored("cancellation refused: there is no way back after ship")
    assert story.record == before


def test_s89_a_cancellation_is_refused_while_a_pivot_without_undo_is_under_way() -> None:
    story = billed(FirmOrderProcess).given_cancellation()
    story.expect(CancelRefused(reason="ship is under way and cannot be undone")).expect_status("running")


def test_s89_a_second_cancellation_is_accepted_and_changes_nothing() -> None:
    story = placed().given_cancellation("first")
    story.given_cancellation("second").expect(CancelAccepted(reason="cancelled: first")).expect_ignored("turned back")


@pytest.mark.parametrize(("end", "reason"), [("completed", "it has completed"), ("none", "there is no such process")])
def test_s89_a_cancellation_of_what_is_over_or_never_was_is_refused(end: str, reason: str) -> None:
    story = shipped().given(READY) if end == "completed" else SagaTranscript(FirmOrderProcess, key="ORD-1")
    story.given_cancellation().expect(CancelRefused(reason=reason)).expect_status(end)


def test_a_process_with_nothing_to_say_at_the_end_is_compensated_with_the_last_undo() -> None:
    billed(FirmOrderProcess).given(BACK_ORDERED).given(REFUNDED).expect().expect_status("compensated")


def test_several_closing_commands_are_confirmed_one_after_another() -> None:
    class Talkative(Saga[OrderProcessState], kind="talkative"):
        started_by = on(OrderPlaced, begin)
        bill = Step(
            do=bill_order,
            done=OrderBilled,
            refused=type(DECLINED),
            timeout=seconds(1),
            no_undo="nothing of it has to be taken back",
        )
        flow = bill
        closing = (Step(cancel_order, done=OrderCancelled), Step(mark_ready, done=type(READY)))

    story = SagaTranscript(Talkative).given(PLACED).given(DECLINED)
    story.expect(CancelOrder).given(CANCELLED).expect(MarkReadyToShip).expect_status("compensating")
    story.given(READY).expect_status("compensated")


def test_a_do_that_raises_before_the_pivot_turns_the_saga_back_and_is_named() -> None:
    def broken(state: OrderProcessState) -> CreateShippingLabel:
        raise ValueError(f"no warehouse for {state.order_id}")

    class BrokenOnTheWayBack(Saga[OrderProcessState], kind="broken"):
        started_by = on(OrderPlaced, begin)
        bill = Step(do=bill_order, done=OrderBilled, undo=refund_order, undone=OrderRefunded, timeout=seconds(1))
        ship = Step(do=broken, done=type(LABELLED), timeout=seconds(1), pivot=True)
        flow = bill >> ship

    story = SagaTranscript(BrokenOnTheWayBack).given(PLACED).given(BILLED)
    story.expect(RefundOrder).expect_status("compensating", "do of step ship raised ValueError: no warehouse for ORD-1")
    assert story.step_status("ship") == "waiting", "it was never asked, so there is nothing to undo"


def test_a_do_that_is_done_after_it_was_refused_is_undone_all_the_same() -> None:
    """Its handler said both, in this order."""
    story = SagaTranscript(ShopProcess).given(PLACED)
    bill = story.command(BillOrder)
    story.given(DECLINED, to=bill).expect(CancelOrder)
    story.given(BILLED, to=bill).expect(RefundOrder)
    story.given(REFUNDED, to=story.command(RefundOrder))
    story.given(CANCELLED, to=story.command(CancelOrder)).expect_status("compensated")


def test_a_do_that_is_done_after_all_was_said_to_be_compensated_is_undone() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED)
    bill = story.command(BillOrder)
    story.given(DECLINED, to=bill).given(CANCELLED, to=story.command(CancelOrder)).expect_status("compensated")
    story.given(BILLED, to=bill).expect(RefundOrder).expect_status("compensating")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("compensated")
    assert story.step_status("bill") == "undone"
