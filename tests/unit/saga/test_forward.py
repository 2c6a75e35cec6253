"""The way forward, told as transcripts: given a message, expect commands."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderLine, OrderPlaced
from protos.warehouse_pb2 import CreateShippingLabel
from runtime.durations import seconds
from runtime.errors import FinalError
from runtime.protos.saga_pb2 import CancelRefused
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
    FirmOrderProcess,
    ShopProcess,
    begin,
    bill_order,
    billed,
    placed,
    refund_order,
    shipped,
)


def test_s91_an_order_is_billed_shipped_and_closed() -> None:
    story = SagaTranscript(ShopProcess)
    story.given(PLACED).expect(BillOrder(order_id="ORD-1", amount_cents=500))
    story.given(BILLED).expect(CreateShippingLabel(sku="HAT", quantity=2, order_id="ORD-1"))
    story.given(LABELLED).expect(MarkReadyToShip(order_id="ORD-1", label_id="LB-1"))
    story.given(READY).expect().expect_status("completed")
    assert story.decision.ended
    assert story.timers == {}, "a process that has ended leaves no timer behind"


def test_every_command_asks_for_its_answer_and_has_an_id_of_its_own() -> None:
    story = shipped()
    commands = [one for one in story.sent if one.wants_reply]
    assert len({one.id for one in commands}) == len(commands) == 3
    assert [(one.kind, one.key) for one in commands] == [
        ("billing", "ORD-1"),
        ("warehouse", "HAT"),
        ("sales", "ORD-1"),
    ]


def test_s1_a_start_event_makes_one_instance_that_knows_its_key() -> None:
    record = placed().record
    state = OrderProcessState.FromString(record.state)
    assert state.order_id == "ORD-1"
    assert record.definition == "order-process"
    assert record.fingerprint == ShopProcess.definition.fingerprint
    assert [task.path for task in record.tasks] == ["bill", "ship", "close", "closing"]


@pytest.mark.broken_by("second-start-starts-anew")
def test_s2_a_second_start_event_changes_nothing_and_is_noted() -> None:
    story = billed()
    before = story.record
    story.given_event(PLACED).expect().expect_ignored("has started this instance before; it is running")
    assert story.record == before


@pytest.mark.broken_by("start-without-a-key")
def test_s10_a_start_event_without_its_key_fails_and_makes_nothing() -> None:
    story = SagaTranscript(ShopProcess, key="ORD-1")
    with pytest.raises(FinalError, match=r"order-process cannot be started by shop.OrderPlaced: its field 'order_id'"):
        story.given(OrderPlaced())
    assert story.status == "none"


@pytest.mark.broken_by("start-may-lose-the-key")
def test_s1_a_begin_that_loses_the_key_is_refused() -> None:
    def forgetful(event: OrderPlaced) -> OrderProcessState:
        return OrderProcessState(amount_cents=event.amount_cents)

    class ForgetfulForward(Saga[OrderProcessState], kind="forgetful"):
        started_by = on(OrderPlaced, forgetful)
        bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(1), no_undo="nothing of it has to be taken back")
        flow = bill

    with pytest.raises(FinalError, match="begin left 'order_id' as ''"):
        SagaTranscript(ForgetfulForward).given(PLACED)


@pytest.mark.broken_by("key-changed-by-an-answer")
def test_s13_an_answer_whose_keeper_changes_the_key_is_rolled_back_and_reported() -> None:
    def rename(state: OrderProcessState, event: OrderBilled) -> None:
        state.order_id = "ORD-2"
        state.charge_id = event.charge_id

    class Renaming(Saga[OrderProcessState], kind="renaming"):
        started_by = on(OrderPlaced, begin)
        bill = Step(
            do=bill_order,
            done=OrderBilled,
            timeout=seconds(1),
            on_answer=rename,
            no_undo="nothing of it has to be taken back",
        )
        flow = bill

    story = SagaTranscript(Renaming).given(PLACED).given(BILLED)
    story.expect_status("compensated", "bill: on_answer of step bill changed order_id")
    state = OrderProcessState.FromString(story.record.state)
    assert (state.order_id, state.charge_id) == ("ORD-1", "")


@pytest.mark.broken_by("stray-message-leaves-no-note")
def test_s16_a_message_that_starts_nothing_and_answers_nothing_is_never_dropped_in_silence() -> None:
    story = SagaTranscript(ShopProcess, key="ORD-1")
    story.given_event(BILLED).expect().expect_ignored("starts no instance, and there is none of this key")
    assert story.status == "none"


def test_s19_without_an_instance_each_kind_of_message_meets_a_policy_that_leaves_a_record() -> None:
    """An answer or event is recorded as ignored; a cancellation is refused, so that who sent it learns of it."""
    story = SagaTranscript(ShopProcess, key="ORD-1")
    story.given_event(BILLED).expect().expect_ignored("starts no instance, and there is none of this key")
    story.given_cancellation("changed my mind").expect(CancelRefused)
    assert story.status == "none"


def test_s17_types_that_a_saga_does_not_declare_are_not_accepted_at_all() -> None:
    accepted = SagaBehaviour(ShopProcess).accepts
    assert {"shop.OrderPlaced", "shop.OrderBilled", "shop.OrderRefunded", "amends.Fault", "amends.Undone"} < accepted
    assert "shop.Restocked" not in accepted


def test_a_start_still_works_after_a_stray_message_of_the_same_key() -> None:
    story = SagaTranscript(ShopProcess, key="ORD-1").given_event(BILLED)
    story.given_event(PLACED).expect(BillOrder).expect_status("running")


def begin_again(event: OrderCancelled) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, amount_cents=500)


class EitherWay(Saga[OrderProcessState], kind="either-way"):
    """Two events can start it."""

    started_by = (on(OrderPlaced, begin), on(OrderCancelled, begin_again))
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(1), no_undo="nothing of it has to be taken back")
    flow = bill


@pytest.mark.broken_by("second-start-starts-anew")
@pytest.mark.parametrize("events", [(PLACED, CANCELLED), (CANCELLED, PLACED)])
def test_s4_whichever_starting_event_comes_first_the_process_ends_the_same(events: tuple[Message, Message]) -> None:
    story = SagaTranscript(EitherWay).given_event(events[0]).expect(BillOrder(order_id="ORD-1", amount_cents=500))
    story.given_event(events[1]).expect().expect_ignored("has started this instance before")
    story.given(BILLED, to=story.command(BillOrder)).expect_status("completed")


def test_a_message_after_the_end_is_ignored_and_recorded() -> None:
    story = shipped().given(READY)
    before = story.record
    story.given(READY).expect().expect_ignored("came late: step close is done")
    story.given_event(PLACED).expect().expect_ignored("it is completed")
    assert story.record == before
    assert story.decision.ended


@pytest.mark.broken_by("undeclared-answer-passed-over")
def test_s25_an_answer_that_the_step_does_not_declare_turns_the_saga_back_visibly() -> None:
    story = placed().given(READY)
    story.expect_status("compensating", "bill: OrderReadyToShip is no answer that the step declares")
    assert story.step_status("bill") == "undoing"


class Tolerant(Saga[OrderProcessState], kind="tolerant"):
    """One answer of its participant says nothing, about the step and about its undo."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order,
        done=OrderBilled,
        ignores=PaymentDeclined,
        undo=refund_order,
        undone=OrderRefunded,
        timeout=seconds(30),
    )
    flow = bill


def test_s25_an_answer_that_the_step_declares_as_ignored_is_consumed_and_recorded_as_ignored() -> None:
    story = placed(Tolerant)
    before, timers = story.record, dict(story.timers)
    story.given(DECLINED).expect().expect_ignored("PaymentDeclined says nothing about step bill")
    assert (story.record, story.timers) == (before, timers), "the step still waits for its answer"
    story.given(BILLED).expect_status("completed")


def test_s25_an_answer_that_the_step_declares_as_ignored_says_nothing_about_its_undo_either() -> None:
    story = placed(Tolerant).given_silence("bill").expect(RefundOrder)
    before = story.record
    story.given(DECLINED).expect().expect_ignored("PaymentDeclined says nothing about the undo of step bill")
    assert story.record == before
    story.given(REFUNDED).expect_status("compensated")


def test_s70_a_duplicate_answer_has_no_second_effect() -> None:
    story = billed()
    bill = story.command(BillOrder)
    story.given(BILLED, to=bill).expect().expect_ignored("came late: step bill is done")


def test_an_answer_to_nobodys_command_is_ignored() -> None:
    story = billed()
    stranger = SagaTranscript(ShopProcess, key="ORD-2").given(OrderPlaced(order_id="ORD-2", line=OrderLine(sku="HAT")))
    story.given(BILLED, to=stranger.command(BillOrder)).expect_ignored("answers no command of this saga")


@pytest.mark.broken_by("step-timer-never-cancelled")
def test_s54_an_answer_in_time_takes_the_steps_timer_away() -> None:
    story = placed()
    assert story.timers == {"bill": 1_030.0, "saga deadline": 1_600.0}
    story.given(BILLED)
    assert story.timers == {"ship": 1_300.0, "saga deadline": 1_600.0}


def test_past_the_pivot_a_silent_step_is_asked_again_with_a_fresh_command_and_more_patience() -> None:
    story = shipped()
    first = story.command(MarkReadyToShip)
    story.given_silence("close").expect(MarkReadyToShip(order_id="ORD-1", label_id="LB-1"))
    again = story.command(MarkReadyToShip)
    assert first.id != again.id
    assert story.timers["close"] - story.now_s == 60.0
    story.given(READY, to=again).expect_status("completed")


def test_past_the_pivot_the_answer_to_an_earlier_command_counts() -> None:
    story = shipped()
    first = story.command(MarkReadyToShip)
    story.given_silence("close").given(READY, to=first).expect_status("completed")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_ignored("came late")


def test_past_the_pivot_a_fault_is_asked_again_after_a_pause() -> None:
    story = shipped().given_fault("the database is down")
    story.expect().expect_status("running")
    assert story.timers["close"] - story.now_s == 1.0
    story.given_silence("close").expect(MarkReadyToShip).given(READY).expect_status("completed")


def test_a_fault_that_comes_twice_is_ignored_the_second_time_and_recorded_as_such() -> None:
    story = shipped().given_fault("the database is down")
    before = story.record
    story.given_fault("the database is down", to=story.command(MarkReadyToShip))
    story.expect().expect_ignored("a fault of step close came once more: the database is down")
    assert story.record == before


def test_a_silent_pivot_without_an_undo_is_asked_again_rather_than_forgotten() -> None:
    story = billed(FirmOrderProcess)
    story.given_silence("ship").expect(CreateShippingLabel).expect_status("running")
    story.given(LABELLED).expect(MarkReadyToShip)


def test_a_refusal_counts_only_when_no_other_command_of_the_step_may_still_be_carried_out() -> None:
    story = billed(FirmOrderProcess).given_silence("ship")
    first, second = story.command(CreateShippingLabel, 0), story.command(CreateShippingLabel, 1)
    story.given(BACK_ORDERED, to=second).expect().expect_status("running")
    story.given(BACK_ORDERED, to=first).expect_status("compensating", "ship: BackOrdered")


def test_an_early_refusal_waits_for_the_command_that_was_sent_last() -> None:
    story = billed(FirmOrderProcess).given_silence("ship")
    first, second = story.command(CreateShippingLabel, 0), story.command(CreateShippingLabel, 1)
    story.given(BACK_ORDERED, to=first).expect().expect_status("running")
    story.given(LABELLED, to=second).expect(MarkReadyToShip)


def test_a_refusal_that_comes_twice_is_ignored_the_second_time_and_recorded_as_such() -> None:
    story = billed(FirmOrderProcess).given_silence("ship").given(BACK_ORDERED)
    before = story.record
    story.given(BACK_ORDERED).expect().expect_ignored("BackOrdered came once more")
    assert story.record == before


def test_the_refusal_of_an_earlier_command_says_nothing_of_the_last_which_was_given_up_on() -> None:
    """The last may have been carried out before its handler failed; the pivot has no undo, so it has to be known."""
    story = billed(FirmOrderProcess).given_silence("ship")
    first, second = story.command(CreateShippingLabel, 0), story.command(CreateShippingLabel, 1)
    story.given_fault("printer offline", to=second)
    story.given(BACK_ORDERED, to=first).expect().expect_status("running")
    story.given_silence("ship").expect(CreateShippingLabel)
    story.given(LABELLED).expect(MarkReadyToShip)


def test_the_refusal_of_the_last_command_says_nothing_of_one_whose_fault_came_after_it_was_sent() -> None:
    """Nobody knows which of the two was handled first. A command that is sent from now on is handled after both."""
    story = billed(FirmOrderProcess).given_silence("ship")
    first, second = story.command(CreateShippingLabel, 0), story.command(CreateShippingLabel, 1)
    story.given_fault("printer offline", to=first)
    story.given(BACK_ORDERED, to=second).expect().expect_status("running")
    story.given_silence("ship").expect(CreateShippingLabel)
    story.given(BACK_ORDERED).expect_status("compensating", "ship: BackOrdered")


def test_the_interpreter_leaves_what_it_was_given_as_it_was() -> None:
    story = billed()
    record = story.record
    before = record.SerializeToString()
    story.given(LABELLED)
    assert record.SerializeToString() == before
    assert story.record.SerializeToString() != before


def test_the_same_message_leads_to_the_same_commands_and_ids() -> None:
    ids = [[one.id for one in shipped().sent] for _ in range(2)]
    assert ids[0] == ids[1]


def test_the_starting_event_is_subscribed_to_under_its_condition() -> None:
    (subscription,) = SagaBehaviour(ShopProcess).subscriptions
    assert subscription.event_type == "shop.OrderPlaced"
    assert (subscription.kind, subscription.process, subscription.starts) == ("order-process", "order-process", True)
    assert (subscription.key_field, subscription.where_field, subscription.where_value) == ("order_id", "flow", "0")


def test_cancel_order_is_not_sent_by_a_process_that_went_well() -> None:
    story = shipped().given(READY)
    assert not [one for one in story.sent if isinstance(one.message, CancelOrder)]
