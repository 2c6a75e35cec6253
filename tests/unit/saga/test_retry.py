"""Once the function that got a saga stuck is mended, an operator has it try again, and it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated
from runtime.durations import seconds
from runtime.protos.saga_pb2 import RetryAccepted, RetryRefused
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BACK_ORDERED, BILLED, CANCELLED, LABELLED, PLACED, READY, REFUNDED


class BrokenUntilRetried:
    """The functions that raise; set by a test, and put back by its monkeypatch."""

    where: str = ""


def _pass(where: str) -> None:
    if BrokenUntilRetried.where == where:
        raise RuntimeError(f"{where} is broken")


def begin(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id)


def bill_order(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=state.order_id)


def refund_order(state: OrderProcessState) -> RefundOrder | None:
    _pass("undo")
    return None if BrokenUntilRetried.where == "nothing to undo" else RefundOrder(order_id=state.order_id)


def create_label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(order_id=state.order_id, sku="HAT")


def keep_label(state: OrderProcessState, event: ShippingLabelCreated) -> None:
    _pass("keep")
    state.label_id = event.label_id


def mark_ready(state: OrderProcessState) -> MarkReadyToShip:
    _pass("do")
    return MarkReadyToShip(order_id=state.order_id)


def cancel_order(state: OrderProcessState) -> CancelOrder:
    _pass("closing")
    return CancelOrder(order_id=state.order_id)


class Mended(Saga[OrderProcessState], kind="mended"):
    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order,
        undo=refund_order,
        done=OrderBilled,
        undone=OrderRefunded,
        timeout=seconds(30),
        budget=Budget(asks_max=1),
    )
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        on_answer=keep_label,
        timeout=seconds(30),
        pivot=True,
    )
    close = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=Budget(asks_max=2))
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


def stuck(monkeypatch: pytest.MonkeyPatch, where: str) -> SagaTranscript:
    monkeypatch.setattr(BrokenUntilRetried, "where", where)
    story = SagaTranscript(Mended).given(PLACED).given(BILLED)
    if where in ("keep", "do"):
        story.given(LABELLED)
    else:
        story.given(BACK_ORDERED)
        if where == "closing":
            story.given(REFUNDED)
    return story.expect_status("stuck", f"raised RuntimeError: {where} is broken")


def mend(story: SagaTranscript, monkeypatch: pytest.MonkeyPatch, where: str = "") -> SagaTranscript:
    monkeypatch.setattr(BrokenUntilRetried, "where", where)
    return story.given_retry()


def test_a_mended_undo_is_made_and_the_saga_is_compensated(monkeypatch: pytest.MonkeyPatch) -> None:
    story = mend(stuck(monkeypatch, "undo"), monkeypatch)
    story.expect(RefundOrder, RetryAccepted).expect_status("compensating")
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_an_undo_that_finds_nothing_to_undo_once_mended_lets_the_saga_close(monkeypatch: pytest.MonkeyPatch) -> None:
    story = mend(stuck(monkeypatch, "undo"), monkeypatch, "nothing to undo")
    story.expect(CancelOrder, RetryAccepted).given(CANCELLED).expect_status("compensated")


def test_a_mended_keep_is_given_the_answer_again(monkeypatch: pytest.MonkeyPatch) -> None:
    story = mend(stuck(monkeypatch, "keep"), monkeypatch)
    story.expect(MarkReadyToShip, RetryAccepted).expect_status("running")
    assert OrderProcessState.FromString(story.record.state).label_id == LABELLED.label_id
    assert not any(task.HasField("unkept") for task in story.record.tasks), "what is kept is not stored twice"
    story.given(READY).expect_status("completed")


def test_a_mended_do_and_a_mended_closing_command_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    story = mend(stuck(monkeypatch, "do"), monkeypatch).expect(MarkReadyToShip, RetryAccepted)
    story.given(READY).expect_status("completed")
    story = mend(stuck(monkeypatch, "closing"), monkeypatch).expect(CancelOrder, RetryAccepted)
    story.given(CANCELLED).expect_status("compensated")


@pytest.mark.parametrize("where", ["undo", "keep", "do", "closing"])
def test_trying_again_too_early_leaves_it_stuck_for_the_next_try(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = stuck(monkeypatch, where).given_retry().expect(RetryAccepted).expect_status("stuck", "is broken")
    mend(story, monkeypatch)
    assert story.status != "stuck"


@pytest.mark.parametrize("where", ["undo", "keep", "do", "closing"])
def test_a_second_retry_changes_nothing(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = mend(stuck(monkeypatch, where), monkeypatch)
    before = story.record.SerializeToString()
    story.given_retry().expect(RetryRefused).expect_ignored("trying again refused: it is")
    assert story.record.SerializeToString() == before


def test_a_step_out_of_budget_is_asked_again_with_a_fresh_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Mended).given(PLACED).given(BILLED).given(LABELLED)
    story.given_silence().given_silence().expect_status("stuck", "no answer within")
    story.given_retry().expect(MarkReadyToShip, RetryAccepted).given_silence().expect(MarkReadyToShip)
    story.given(READY, to=story.command(MarkReadyToShip, 0)).expect_status("completed")


def test_an_undo_given_up_by_its_participant_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Mended).given(PLACED).given(BILLED).given(BACK_ORDERED).given_fault("bank closed")
    story.expect_status("stuck").given_retry().expect(RefundOrder, RetryAccepted)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_there_is_nothing_to_try_again_of_a_saga_that_does_not_exist() -> None:
    story = SagaTranscript(Mended).given_retry()
    story.expect(RetryRefused(reason="there is no such process")).expect_ignored("there is no such process")


@pytest.mark.parametrize("where", ["undo", "keep", "do", "closing"])
def test_a_try_that_fails_again_raises_an_alarm_again(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = stuck(monkeypatch, where)
    first = story.decision.alarm
    for _ in range(2):
        story.given_retry()
        assert story.decision.alarm == first == story.record.stuck_reason
    mend(story, monkeypatch)
    assert story.decision.alarm == "", "it goes on"


def test_a_step_that_is_silent_again_after_a_retry_raises_an_alarm_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Mended).given(PLACED).given(BILLED).given(LABELLED).given_silence().given_silence()
    story.given_retry().given_silence()
    assert story.decision.alarm == "", "it is asked once more"
    story.given_silence().expect_status("stuck")
    assert story.decision.alarm == story.record.stuck_reason


def test_a_wrong_answer_to_the_undo_that_is_stuck_raises_an_alarm_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Mended).given(PLACED).given(BILLED).given(BACK_ORDERED).given_fault("bank closed")
    story.given(BILLED, to=story.command(RefundOrder)).expect_status("stuck", "no answer that confirms the undo")
    assert story.decision.alarm == story.record.stuck_reason


class Persistent(Saga[OrderProcessState], kind="persistent"):
    """As `Mended`, and an undo that its participant has given up is asked for once more."""

    started_by = on(OrderPlaced, begin)
    bill = replace(Mended.bill, budget=Budget(asks_max=2))
    ship = replace(Mended.ship)
    close = replace(Mended.close)
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


def test_an_undo_that_is_tried_again_has_its_whole_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Persistent).given(PLACED).given(BILLED).given(BACK_ORDERED)
    story.given_fault("bank closed").expect_status("compensating").given_silence().given_fault("bank closed")
    story.expect_status("stuck", "bank closed").given_retry().expect(RefundOrder, RetryAccepted)
    story.given_fault("bank closed").expect_status("compensating").given_silence().expect(RefundOrder)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_a_refusal_does_not_count_while_what_was_asked_before_the_retry_may_have_been_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BrokenUntilRetried, "where", "")
    story = SagaTranscript(Mended).given(PLACED).given(BILLED)
    first = story.command(CreateShippingLabel)
    for _ in range(9):
        story.given(READY).given_silence().expect(CreateShippingLabel)
    story.given(READY).expect_status("stuck", "no answer that the step declares").given_retry()
    story.given(BACK_ORDERED).expect_status("running")
    story.given(LABELLED, to=first).expect(MarkReadyToShip)
