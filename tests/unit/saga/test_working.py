"""A participant that answers "not finished yet" is asked again at a fixed pace, and no budget counts that."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    Restocked,
    RestockRefused,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import hours, minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, Exchange
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    BUDGET,
    CANCELLED,
    LABELLED,
    PLACED,
    READY,
    REFUNDED,
    VOIDED,
    begin,
    bill_order,
    cancel_order,
    create_label,
    keep_label,
    mark_ready,
    refund_order,
    void_label,
)
from tests.unit.saga.test_checks import bill, one

StillPacking, StillUnpacking = Restocked, RestockRefused  # any two events will do
PACKING, UNPACKING = StillPacking(sku="HAT"), StillUnpacking(sku="HAT")


class PackingProcess(Saga[OrderProcessState], kind="packing", deadline=hours(5)):
    """Packing takes its time, and so do unpacking, the last step and the closing one."""

    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order,
        done=OrderBilled,
        refused=PaymentDeclined,
        undo=refund_order,
        undone=OrderRefunded,
        timeout=seconds(30),
        budget=BUDGET,
    )
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        working=StillPacking,
        every=minutes(1),
        at_most=hours(2),
        undo=void_label,
        undone=ShippingLabelVoided,
        undo_working=StillUnpacking,
        timeout=seconds(20),
        on_answer=keep_label,
        budget=BUDGET,
    )
    close = Step(
        do=mark_ready,
        done=OrderReadyToShip,
        working=StillPacking,
        every=seconds(10),
        at_most=minutes(1),
        timeout=seconds(30),
        budget=BUDGET,
        pivot=True,
    )
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled, working=StillUnpacking, every=seconds(5), budget=BUDGET)


def billed(saga: type[Saga[Any]] = PackingProcess) -> SagaTranscript:
    return SagaTranscript(saga).given(PLACED).given(BILLED).expect(CreateShippingLabel)


def packing() -> SagaTranscript:
    return billed().given(PACKING).expect()


def unpacking() -> SagaTranscript:
    return packing().given_cancellation("changed my mind").expect(VoidShippingLabel, CancelAccepted).given(UNPACKING)


def closing() -> SagaTranscript:
    return billed().given(LABELLED).expect(MarkReadyToShip)


# --- at its pace ---


@pytest.mark.broken_by("not-finished-never-asked-again")
def test_s74_what_is_not_finished_is_asked_again_after_its_pace_until_it_is_done() -> None:
    story = packing()
    assert (story.step_status("ship"), story.timers["ship"]) == ("working", story.now_s + 60)
    first = story.command(CreateShippingLabel)
    story.given_silence("ship").expect(CreateShippingLabel)
    second = story.command(CreateShippingLabel)
    assert (second.message, second.id != first.id) == (first.message, True), "the same question, with a new id"
    assert (story.step_status("ship"), story.timers["ship"]) == ("asked", story.now_s + 20), "with the usual timeout"
    story.given(PACKING).expect().given_silence("ship").expect(CreateShippingLabel)
    story.given(LABELLED).expect(MarkReadyToShip)
    assert (story.step_status("ship"), "ship" in story.timers) == ("done", False)


def test_s74_no_budget_counts_what_was_answered_by_not_finished() -> None:
    story = closing()
    for _ in range(5):
        story.given(PACKING).given_silence("close").expect(MarkReadyToShip)
    for _ in range(BUDGET.asks_max - 1):
        story.given_silence("close").expect(MarkReadyToShip)
    story.given_silence("close").expect().expect_status("stuck", "no answer within 120 s")


def test_patience_grows_with_silence_and_not_with_what_is_worked_on() -> None:
    story = closing().given(PACKING).given_silence("close").expect(MarkReadyToShip)
    assert story.timers["close"] == story.now_s + 30
    story.given_silence("close").expect(MarkReadyToShip)
    assert story.timers["close"] == story.now_s + 60


def test_a_refusal_after_that_turns_back_and_owes_nothing_of_the_step() -> None:
    story = packing().given_silence("ship").given(BACK_ORDERED).expect(RefundOrder)
    assert story.step_status("ship") == "refused"


def test_a_refusal_of_the_very_command_that_was_worked_on_settles_it_as_well() -> None:
    story = packing().given(BACK_ORDERED).expect(RefundOrder)
    assert (story.step_status("ship"), "ship" in story.timers) == ("refused", False)


def test_an_answer_to_the_first_command_counts_however_often_the_step_was_asked_since() -> None:
    story = packing()
    first = story.command(CreateShippingLabel)
    for _ in range(20):
        story.given_silence("ship").expect(CreateShippingLabel).given(PACKING)
    assert len(story.step("ship").do.working_ids) == 8, "a record does not grow with the number of asks"
    story.given(LABELLED, to=first).expect(MarkReadyToShip)


# --- once is enough ---


def test_a_second_copy_of_the_answer_sets_no_timer_and_sends_nothing() -> None:
    story = packing()
    story.now_s += 10
    due_at_s = story.timers["ship"]
    story.given(PACKING).expect().expect_ignored("Restocked came once more")
    assert (story.timers["ship"], story.step("ship").do.workings) == (due_at_s, 1)


def test_a_copy_that_comes_when_the_step_was_asked_again_does_not_put_off_the_silence() -> None:
    story = packing()
    first = story.command(CreateShippingLabel)
    story.given_silence("ship").expect(CreateShippingLabel)
    due_at_s = story.timers["ship"]
    story.given(PACKING, to=first).expect().expect_ignored("came once more")
    assert (story.step_status("ship"), story.timers["ship"]) == ("asked", due_at_s)


def test_the_first_answer_to_an_earlier_command_only_says_that_it_is_known() -> None:
    story = closing()
    first = story.command(MarkReadyToShip)
    story.given_silence("close").expect(MarkReadyToShip)
    due_at_s = story.timers["close"]
    story.given(PACKING, to=first).expect()
    assert (story.step_status("close"), story.timers["close"]) == ("asked", due_at_s)
    assert story.step("close").do.earlier_ids == []


def test_an_answer_that_comes_after_the_step_is_done_is_noted() -> None:
    story = packing()
    first = story.command(CreateShippingLabel)
    story.given_silence("ship").given(LABELLED)
    story.given(PACKING, to=first).expect().expect_ignored("Restocked came late: step ship is done")


# --- the way back ---


def test_silence_after_that_may_be_done_so_its_undo_is_owed() -> None:
    story = packing().given_silence("ship").expect(CreateShippingLabel).given_silence("ship").expect(VoidShippingLabel)
    story.expect_status("compensating", "ship: no answer within 20 s")
    void = story.command(VoidShippingLabel)
    assert (void.undo_of, void.begun) == (story.command(CreateShippingLabel).id, True)


def test_a_fault_after_that_owes_the_undo_as_well() -> None:
    packing().given_silence("ship").given_fault("the press is jammed").expect(VoidShippingLabel)


def test_a_saga_that_is_cancelled_undoes_what_is_worked_on_and_asks_no_more() -> None:
    story = packing().given_cancellation().expect(VoidShippingLabel, CancelAccepted)
    assert ("ship" in story.timers, story.step_status("ship")) == (False, "undoing")


def test_a_deadline_that_passes_meanwhile_turns_back() -> None:
    story = packing().given_silence("saga deadline").expect(VoidShippingLabel)
    assert "ship" not in story.timers


def test_the_undo_of_a_step_that_was_done_at_once_says_nothing_of_having_begun() -> None:
    story = billed().given(LABELLED).given_cancellation()
    story.expect(CancelRefused)
    story = billed().given_silence("ship").expect(VoidShippingLabel)
    assert not story.command(VoidShippingLabel).begun


def test_an_undo_that_is_not_finished_is_asked_again_and_holds_up_those_before_it() -> None:
    story = unpacking().expect()
    assert (story.step_status("ship"), story.timers["ship"]) == ("undoing", story.now_s + 60)
    for _ in range(BUDGET.asks_max + 2):
        story.given_silence("ship").expect(VoidShippingLabel).given(UNPACKING).expect()
    story.given_silence("ship").expect(VoidShippingLabel).given(VOIDED).expect(RefundOrder)
    story.given(REFUNDED).expect(CancelOrder).given(CANCELLED).expect_status("compensated")
    assert story.timers == {}


def test_an_undo_names_no_undo_before_it_that_said_it_is_not_finished() -> None:
    story = unpacking().given_silence("ship").expect(VoidShippingLabel)
    assert story.command(VoidShippingLabel).earlier_undos == ()
    faulted = story.command(VoidShippingLabel)
    story.given_fault("no hands").given_silence("ship").expect(VoidShippingLabel)
    again = story.command(VoidShippingLabel)
    assert again.earlier_undos == (faulted.id,), "of this one nobody knows what has become"
    assert again.undones == ("shop.ShippingLabelVoided",), "and the guard has to know what confirms it"


def test_an_undo_that_is_confirmed_while_it_is_to_be_asked_again_is_not_asked_again() -> None:
    story = unpacking().given(VOIDED).expect(RefundOrder)
    assert "ship" not in story.timers


def test_a_second_copy_of_what_an_undo_answers_sets_no_timer() -> None:
    story = unpacking()
    story.now_s += 5
    due_at_s = story.timers["ship"]
    story.given(UNPACKING).expect().expect_ignored("RestockRefused came once more")
    assert story.timers["ship"] == due_at_s


def test_an_undo_out_of_budget_goes_on_when_a_replay_says_that_it_is_not_finished() -> None:
    story = packing().given_cancellation()
    for _ in range(BUDGET.asks_max - 1):
        story.given_fault("no hands").given_silence("ship")
    story.given_fault("no hands").expect_status("stuck")
    story.given(UNPACKING).expect().expect_status("compensating")
    story.given_silence("ship").expect(VoidShippingLabel)


def test_a_closing_step_may_take_its_time() -> None:
    story = SagaTranscript(PackingProcess).given(PLACED).given_cancellation().given(REFUNDED).expect(CancelOrder)
    story.given(UNPACKING).expect()
    assert story.step_status("closing") == "working"
    story.given_silence("closing").expect(CancelOrder).given(CANCELLED).expect_status("compensated")


# --- the limit ---


def test_past_its_limit_a_step_fails_as_by_silence() -> None:
    story = packing()
    began_s = story.now_s
    while story.status == "running":
        story.given_silence("ship")
        if story.status == "running":
            story.given(PACKING)
    story.expect(VoidShippingLabel).expect_status("compensating", "ship: still working after 7200 s")
    assert story.now_s == began_s + 7200


def test_where_there_is_no_way_back_the_limit_ends_in_stuck_and_a_retry_begins_anew() -> None:
    story = closing().given(PACKING)
    while story.status == "running":
        story.given_silence("close")
        if story.status == "running":
            story.given(PACKING)
    story.expect_status("stuck", "step close: still working after 60 s")
    assert story.timers == {"saga deadline": story.timers["saga deadline"]}
    story.given_retry().given(PACKING)
    story.expect_status("running")
    assert story.timers["close"] == story.now_s + 10
    story.given_silence("close").given(READY).expect_status("completed")


def test_what_is_stuck_for_its_silence_goes_on_when_it_says_that_it_works() -> None:
    story = closing()
    for _ in range(BUDGET.asks_max):
        story.given_silence("close")
    story.expect_status("stuck", "no answer within")
    story.given(PACKING).expect().expect_status("running")
    story.given_silence("close").expect(MarkReadyToShip).given(READY).expect_status("completed")


def test_what_is_stuck_goes_on_when_an_earlier_command_turns_out_to_be_worked_on_and_leaves_an_ask() -> None:
    story = closing()
    first = story.command(MarkReadyToShip)
    for _ in range(BUDGET.asks_max - 1):
        story.given_silence("close")
    story.given_fault("no hands").expect_status("stuck", "no hands")
    story.given(PACKING, to=first).expect().expect_status("running")
    story.given_silence("close").expect(MarkReadyToShip).given_fault("no hands").expect_status("stuck")


def test_the_limit_of_an_undo_leaves_the_saga_stuck() -> None:
    story = unpacking()
    while story.status == "compensating":
        story.given_silence("ship")
        if story.status == "compensating":
            story.given(UNPACKING)
    story.expect_status("stuck", "undo of step ship: still working after 7200 s")


# --- versions ---


class HastyProcess(Saga[OrderProcessState], kind="packing", deadline=hours(5)):
    """The same before anything could take its time."""

    started_by = on(OrderPlaced, begin)
    bill = PackingProcess.bill
    ship = Step(
        do=create_label,
        done=ShippingLabelCreated,
        refused=BackOrdered,
        undo=void_label,
        undone=ShippingLabelVoided,
        timeout=seconds(20),
        on_answer=keep_label,
        budget=BUDGET,
    )
    close = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=BUDGET, pivot=True)
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled, budget=BUDGET)


def test_an_instance_that_was_begun_without_it_is_carried_on_with_it() -> None:
    assert HastyProcess.definition.fingerprint == PackingProcess.definition.fingerprint
    story = SagaTranscript(SagaBehaviour(PackingProcess)).carrying_on(billed(HastyProcess))
    story.given(PACKING).expect().given_silence("ship").expect(CreateShippingLabel)


def test_a_build_without_it_asks_once_more_and_then_owes_the_undo() -> None:
    story = SagaTranscript(SagaBehaviour(HastyProcess)).carrying_on(packing())
    story.given_silence("ship").expect(CreateShippingLabel).given_silence("ship").expect(VoidShippingLabel)
    assert story.command(VoidShippingLabel).begun


def test_a_build_without_it_names_no_undo_that_was_not_finished() -> None:
    story = SagaTranscript(SagaBehaviour(HastyProcess)).carrying_on(unpacking())
    story.given_silence("ship").expect(VoidShippingLabel)
    assert story.command(VoidShippingLabel).earlier_undos == ()


# --- mistakes ---


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"working": Restocked}, r"say at which pace to ask again \(every=minutes\(1\)\)"),
        ({"every": minutes(1)}, r"it has every, and no answer that means 'not finished yet'; name that"),
        ({"at_most": minutes(1)}, r"it has at_most, and no answer that means"),
        ({"working": Restocked, "every": 0}, r"asked again at a pace \(every\) above 0, not 0 s"),
        ({"working": Restocked, "every": -1}, r"asked again at a pace \(every\) above 0, not -1 s"),
        ({"working": Restocked, "every": "soon"}, r"asked again at a pace \(every\) above 0, not 'soon'"),
        ({"working": Restocked, "every": 5, "at_most": 0}, r"\(at_most\) is a span above 0, not 0 s"),
        ({"working": Restocked, "every": 5, "at_most": 4}, r"at_most is 4 s, shorter than the pace of 5 s \(every\)"),
        ({"working": OrderBilled, "every": 5}, r"shop.OrderBilled is declared to mean two things"),
        ({"working": Restocked, "ignores": Restocked, "every": 5}, r"shop.Restocked is declared to mean two things"),
        ({"working": "later", "every": 5}, r"'later' is no message type"),
        ({"working": Exchange, "every": 5}, r"amends.Exchange is the runtime's own"),
        ({"undo_working": Restocked, "every": 5}, r"how its undo goes on \(undo_working\), but has no undo"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_class_is_made(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Wrong.bill: .*{complaint}"):
        one(bill(**changed))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"undo_working": OrderRefunded}, r"to confirm its undo \(undone\), and to mean that it is not finished yet"),
        ({"undo_working": Restocked, "ignores": Restocked}, r"to say nothing \(ignores\), and that its undo is not"),
    ],
)
def test_an_answer_of_the_undo_means_one_thing(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Wrong.bill: .*{complaint}"):
        one(bill(undo=refund_order, undone=OrderRefunded, every=5, **changed))


def test_one_answer_may_say_it_of_the_do_and_of_the_undo() -> None:
    both = {"working": Restocked, "undo_working": Restocked, "every": 5}
    assert one(bill(undo=refund_order, undone=OrderRefunded, **both)).definition.steps[0].every_s == 5
