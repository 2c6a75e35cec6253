"""Acts of operators on one saga: what each declares, what is sent then, and when it is refused."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip
from protos.warehouse_pb2 import CreateShippingLabel, VoidShippingLabel
from runtime.protos.saga_pb2 import CancelRefused, RepairAccepted, RepairRefused, RepairSaga, RetryRefused
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import (
    BACK_ORDERED,
    BILLED,
    CANCELLED,
    LABELLED,
    PLACED,
    READY,
    REFUNDED,
    VOIDED,
    FirmOrderProcess,
    ShopProcess,
)

ACTS = [act for act in RepairSaga.Act.values() if act != RepairSaga.NONE]


def undo_stuck() -> SagaTranscript:
    """The label is back-ordered, and the refund cannot be made."""
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(BACK_ORDERED)
    for _ in range(2):
        story.given_fault("bank closed").given_silence()
    return story.given_fault("bank closed").expect_status("stuck", "undo of step bill: given up by billing")


def close_stuck() -> SagaTranscript:
    """The label is made, the pivot has passed, and sales does not answer."""
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(LABELLED)
    while story.status != "stuck":
        story.given_silence("close")
    return story


def pivot_stuck() -> SagaTranscript:
    """The pivot cannot be undone, and nobody knows whether it has happened."""
    story = SagaTranscript(FirmOrderProcess).given(PLACED).given(BILLED)
    while story.status != "stuck":
        story.given_silence("ship")
    return story


def refused(story: SagaTranscript, act: RepairSaga, why: str) -> None:
    before = story.record.SerializeToString()
    story.given_act(act).expect(RepairRefused).expect_ignored(why)
    assert story.record.SerializeToString() == before, "a refused act changes nothing"


# --- marks ---


@pytest.mark.broken_by("mark-leaves-no-trace")
def test_s137_an_undo_that_was_done_by_hand_lets_the_rest_of_the_undo_go_on() -> None:
    story = undo_stuck()
    act = RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill", who="ann", reason="paid back at the counter")
    story.given_act(act).expect(CancelOrder, RepairAccepted).given(CANCELLED).expect_status("compensated")
    (repair,) = story.record.repairs
    assert (repair.who, repair.reason, repair.task) == ("ann", "paid back at the counter", "bill")
    assert repair.at_s == story.now_s and repair.revision < story.record.revision
    assert story.step("bill").by_hand == story.step("bill").undo.outcome == "mark-undone by ann"


def test_a_step_that_was_done_by_hand_lets_the_saga_go_on() -> None:
    story = close_stuck().given_act(RepairSaga(act=RepairSaga.MARK_DONE, task="close"))
    story.expect(RepairAccepted).expect_status("completed")
    assert story.step("close").do.outcome == "mark-done by operator"


def test_a_pivot_that_was_done_by_hand_is_passed() -> None:
    story = pivot_stuck().given_act(RepairSaga(act=RepairSaga.MARK_DONE, task="ship"))
    story.expect(MarkReadyToShip, RepairAccepted).expect_status("running")
    assert story.record.pivot_passed
    story.given(READY).expect_status("completed")


def test_a_late_answer_to_what_was_marked_is_noted_and_changes_nothing() -> None:
    story = undo_stuck().given_act(RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill"))
    refund = story.command(RefundOrder)
    story.given(REFUNDED, to=refund).expect().expect_ignored("came late: step bill is undone")


def test_a_step_that_is_open_can_be_forced_and_its_undo_is_owed_like_any_other() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED)
    story.given_act(RepairSaga(act=RepairSaga.FORCE, task="bill")).expect(CreateShippingLabel, RepairAccepted)
    assert "bill" not in story.timers
    story.given(BACK_ORDERED).expect(RefundOrder)
    assert story.command(RefundOrder).undo_of == story.command(BillOrder).id


# --- skip ---


@pytest.mark.broken_by("given-up-undo-counts-as-undone")
def test_s72_an_undo_that_is_given_up_is_never_told_as_undone() -> None:
    story = undo_stuck()
    story.given_act(RepairSaga(act=RepairSaga.SKIP, task="bill", who="ann", reason="written off"))
    story.expect(CancelOrder, RepairAccepted).given(CANCELLED)
    story.expect_status("abandoned", "the undo of bill was given up by ann: written off")
    assert story.step_status("bill") == "given up"
    assert "the undo of bill was given up" in story.command(CancelOrder).message.reason  # type: ignore[attr-defined]


def test_the_undos_before_one_that_is_given_up_go_on() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given_silence("ship").expect(VoidShippingLabel)
    for _ in range(2):
        story.given_fault("no label").given_silence()
    story.given_fault("no label").given_act(RepairSaga(act=RepairSaga.SKIP, task="ship"))
    story.expect(RefundOrder, RepairAccepted).given(REFUNDED).given(CANCELLED).expect_status("abandoned")


def test_a_stuck_step_past_the_pivot_is_left_out() -> None:
    story = close_stuck().given_act(RepairSaga(act=RepairSaga.SKIP, task="close"))
    story.expect(RepairAccepted).expect_status("completed")
    assert story.step_status("close") == "left out"


def test_a_closing_step_is_left_out_and_all_is_undone_all_the_same() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(BACK_ORDERED).given(REFUNDED)
    while story.status != "stuck":
        story.given_silence()
    story.given_act(RepairSaga(act=RepairSaga.SKIP, task="closing")).expect_status("compensated")


def test_what_may_have_to_be_undone_is_not_left_out() -> None:
    refused(pivot_stuck(), RepairSaga(act=RepairSaga.SKIP, task="ship"), "ship comes before the pivot")


# --- the whole instance ---


def test_an_abandoned_saga_ends_as_it_is_and_says_what_is_owed() -> None:
    story = undo_stuck()
    story.given_act(RepairSaga(act=RepairSaga.ABANDON, who="ann", reason="test order"))
    story.expect(RepairAccepted).expect_status("abandoned", "abandoned by ann: test order; undo owed: bill")
    assert not story.timers and story.record.ended_at_s == story.now_s
    story.given(REFUNDED, to=story.command(RefundOrder)).expect().expect_ignored("OrderRefunded came when the saga")
    story.given_cancellation().expect(CancelRefused).expect_ignored("it was abandoned")


def test_an_abandoned_saga_has_no_timer_and_no_step_under_way_goes_on() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given_act(RepairSaga(act=RepairSaga.ABANDON))
    story.expect(RepairAccepted).expect_status("abandoned", "outcome not known: bill")
    assert not story.timers


def test_a_suspended_saga_sends_nothing_and_goes_on_with_what_came_meanwhile() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given_act(RepairSaga(act=RepairSaga.SUSPEND))
    story.expect(RepairAccepted).expect_status("running")
    story.given(BILLED, to=story.command(BillOrder)).expect()
    assert story.step_status("bill") == "asked" and len(story.record.held) == 1
    story.given_act(RepairSaga(act=RepairSaga.RESUME)).expect(RepairAccepted, CreateShippingLabel)
    assert not story.record.held
    story.given(LABELLED, to=story.command(CreateShippingLabel)).given(READY).expect_status("completed")


@pytest.mark.parametrize("what", ["fault", "silence", "nothing to undo"])
def test_faults_timers_and_vouchers_are_kept_too(what: str) -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED)
    if what == "nothing to undo":
        story.given_silence("ship").expect(VoidShippingLabel)
    story.given_act(RepairSaga(act=RepairSaga.SUSPEND))
    if what == "fault":
        story.given_fault(to=story.command(CreateShippingLabel))
    elif what == "silence":
        story.given_silence("ship")
    else:
        story.given_nothing_to_undo()
    story.expect()
    story.given_act(RepairSaga(act=RepairSaga.RESUME))
    sent = RefundOrder if what == "nothing to undo" else VoidShippingLabel
    story.expect(RepairAccepted, sent).expect_status("compensating")


def test_a_suspended_saga_is_neither_cancelled_nor_repaired_before_it_is_resumed() -> None:
    story = undo_stuck().given_act(RepairSaga(act=RepairSaga.SUSPEND))
    story.given_cancellation().expect(CancelRefused).expect_ignored("it is suspended")
    story.given_retry().expect(RetryRefused).expect_ignored("it is suspended")
    for act in ACTS:
        if act not in (RepairSaga.RESUME, RepairSaga.ABANDON):
            refused(story, RepairSaga(act=act), "it is suspended: resume it first")
    story.given_act(RepairSaga(act=RepairSaga.ABANDON)).expect_status("abandoned")
    assert not story.record.suspended


def test_an_operator_has_it_turn_back_before_its_pivot_and_not_after_it() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED)
    story.given_act(RepairSaga(act=RepairSaga.CANCEL, who="ann", reason="fraud"))
    story.expect(VoidShippingLabel, RepairAccepted).expect_status("compensating", "cancelled by ann: fraud")
    refused(story, RepairSaga(act=RepairSaga.CANCEL), "it has turned back before")
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(LABELLED)
    refused(story, RepairSaga(act=RepairSaga.CANCEL), "there is no way back after ship")


# --- retry ---


def test_one_stuck_task_or_each_of_them_is_tried_again() -> None:
    for task in ("bill", ""):
        story = undo_stuck().given_act(RepairSaga(act=RepairSaga.RETRY, task=task))
        story.expect(RefundOrder, RepairAccepted).given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_it_is_tried_again_on_edited_data() -> None:
    story = close_stuck()
    act = RepairSaga(act=RepairSaga.RETRY, state_json='{"order_id": "ORD-1", "label_id": "LB-2"}')
    story.given_act(act).expect(MarkReadyToShip(order_id="ORD-1", label_id="LB-2"), RepairAccepted)
    assert OrderProcessState.FromString(story.record.state).label_id == "LB-2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "the edited data is no shop.OrderProcessState"),
        ('{"colour": "red"}', 'no field named "colour"'),
        ('{"order_id": 7}', "the edited data is no shop.OrderProcessState"),
        ("[" * 10_000, "the edited data is no shop.OrderProcessState"),
        ('{"order_id": "ORD-2"}', "the edited data has order_id 'ORD-2'; that is the key and stays 'ORD-1'"),
        ("{}", "that is the key and stays 'ORD-1'"),
    ],
)
def test_edited_data_that_does_not_fit_is_refused(text: str, why: str) -> None:
    refused(close_stuck(), RepairSaga(act=RepairSaga.RETRY, state_json=text), why)


# --- refusals ---


@pytest.mark.broken_by("stale-act-is-done")
def test_s136_a_stale_act_is_refused_with_what_has_changed() -> None:
    story = undo_stuck()
    seen = story.record.revision
    story.given_act(RepairSaga(act=RepairSaga.RETRY, who="bob", reason="the bank is open"))
    act = RepairSaga(act=RepairSaga.MARK_UNDONE, task="bill", expected_revision=seen)
    refused(story, act, f"it is at revision {seen + 1} and not {seen}: compensating; bob did retry; bill is undoing")
    story.given_fault("bank closed").given_silence().given_fault("bank closed").given_silence()
    story.given_fault("bank closed").expect_status("stuck")
    act.expected_revision = story.record.revision
    story.given_act(act).expect(CancelOrder, RepairAccepted)


@pytest.mark.parametrize("act", ACTS)
def test_every_act_says_who_and_why(act: RepairSaga.Act.ValueType) -> None:
    refused(undo_stuck(), RepairSaga(act=act, who=" "), "say who does it, and why")
    refused(undo_stuck(), RepairSaga(act=act, reason=" "), "say who does it, and why")


@pytest.mark.parametrize("act", ACTS)
def test_nothing_is_repaired_of_what_has_ended_or_never_began(act: RepairSaga.Act.ValueType) -> None:
    refused(SagaTranscript(ShopProcess), RepairSaga(act=act), "there is no such process")
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(LABELLED).given(READY)
    refused(story, RepairSaga(act=act), "it is completed: there is nothing to be repaired")


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (RepairSaga(act=RepairSaga.MARK_DONE, task="bill"), "the undo of bill is stuck: mark-undone declares"),
        (RepairSaga(act=RepairSaga.MARK_DONE), "mark-done is about one task: name it; stuck: bill"),
        (RepairSaga(act=RepairSaga.MARK_UNDONE, task="pay"), "it has no task 'pay'; there are bill, ship, close"),
        (RepairSaga(act=RepairSaga.MARK_UNDONE, task="ship"), "ship is refused, not stuck; stuck: bill"),
        (RepairSaga(act=RepairSaga.RETRY, task="ship"), "ship is refused, not stuck; stuck: bill"),
        (RepairSaga(act=RepairSaga.FORCE, task="bill"), "bill is owed: only what was begun"),
        (RepairSaga(act=RepairSaga.SUSPEND, task="bill"), "suspend is about the whole instance"),
        (RepairSaga(act=RepairSaga.SKIP, task="bill", state_json="{}"), "only retry takes edited data"),
        (RepairSaga(act=RepairSaga.RESUME), "it is not suspended"),
        (RepairSaga(), "this build knows no none"),
    ],
)
def test_an_act_that_does_not_fit_is_refused_with_what_would(act: RepairSaga, why: str) -> None:
    refused(undo_stuck(), act, why)


def test_nothing_is_marked_undone_that_is_stuck_on_its_way_forward() -> None:
    refused(close_stuck(), RepairSaga(act=RepairSaga.MARK_UNDONE, task="close"), "no undo of close is owed")


def test_a_pivot_that_never_happened_turns_the_saga_back_and_a_late_confirmation_raises_an_alarm() -> None:
    story = pivot_stuck().given_act(RepairSaga(act=RepairSaga.MARK_UNDONE, task="ship", reason="the printer says so"))
    story.expect(RefundOrder, RepairAccepted)
    story.expect_status("compensating", "ship: mark-undone by operator: the printer says so")
    assert story.step_status("ship") == "refused"
    story.given(LABELLED, to=story.command(CreateShippingLabel)).expect_ignored("after step ship was refused")
    assert story.decision.alarm.endswith("warehouse/HAT has done what this saga counts as not done")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("compensated")


def test_a_pivot_that_is_only_asked_is_not_marked() -> None:
    story = SagaTranscript(FirmOrderProcess).given(PLACED).given(BILLED)
    refused(story, RepairSaga(act=RepairSaga.MARK_UNDONE, task="ship"), "ship is asked, not stuck")


def test_the_last_fifty_acts_are_kept() -> None:
    story = undo_stuck()
    for number in range(30):
        story.given_act(RepairSaga(act=RepairSaga.SUSPEND, reason=f"{number}"))
        story.given_act(RepairSaga(act=RepairSaga.RESUME))
    assert len(story.record.repairs) == 50 and story.record.repairs[0].reason == "5"


def test_a_void_label_that_comes_while_suspended_is_applied_once() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given_silence("ship")
    void = story.command(VoidShippingLabel)
    story.given_act(RepairSaga(act=RepairSaga.SUSPEND)).given(VOIDED, to=void).given(VOIDED, to=void)
    story.given_act(RepairSaga(act=RepairSaga.RESUME)).expect(RepairAccepted, RefundOrder)
