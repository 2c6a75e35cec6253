"""Alternatives past the pivot: the next is asked once the one before it is refused, or has failed and is undone."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import RepairAccepted, RepairSaga, RetryAccepted
from runtime.saga.diagram import draw_saga
from runtime.saga.first_of import FirstOf
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, read_back
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BACK_ORDERED, BILLED, LABELLED, PLACED, READY, VOIDED
from tests.unit.saga.test_each import each, labelled, labelling, to, under_way
from tests.unit.saga.test_each import saga as list_saga

ONCE, TWICE = Budget(asks_max=1), Budget(asks_max=2)


def label(**changed: Any) -> Step:
    given: dict[str, Any] = {
        "do": shop.create_label,
        "done": ShippingLabelCreated,
        "refused": BackOrdered,
        "undo": shop.void_label,
        "undone": ShippingLabelVoided,
        "timeout": 30,
        "budget": ONCE,
    }
    return Step(**{**given, **changed})


def by_hand(**changed: Any) -> Step:
    return Step(**{"do": shop.mark_ready, "done": OrderReadyToShip, "timeout": 30, "budget": TWICE, **changed})


def saga(first: Step | None = None, last: Step | None = None) -> type[Saga[OrderProcessState]]:
    pay = Step(shop.bill_order, done=OrderBilled, timeout=30, pivot=True)
    send = FirstOf(label=first or label(), hand=last or by_hand())
    tell = Step(shop.cancel_order, done=OrderCancelled, timeout=30)
    body = {"started_by": on(OrderPlaced, shop.begin), "pay": pay, "send": send, "tell": tell}
    return made("Process", Saga[OrderProcessState], {**body, "flow": pay >> send >> tell}, kind="process")


def asked(first: Step | None = None, last: Step | None = None) -> SagaTranscript:
    return SagaTranscript(saga(first, last)).given(PLACED).given(BILLED).expect(CreateShippingLabel)


def phases(story: SagaTranscript) -> dict[str, str]:
    return {task.path: story.step_status(task.path) for task in story.record.tasks}


def test_the_first_that_is_done_is_enough() -> None:
    story = asked().given(LABELLED).expect(CancelOrder)
    assert phases(story) | {"send": "done", "send[label]": "done", "send[hand]": "passed"} == phases(story)


def test_one_that_is_refused_past_the_pivot_has_the_alternate_step_asked() -> None:
    story = asked().given(BACK_ORDERED).expect(MarkReadyToShip).expect_status("running")
    story.given(READY).expect(CancelOrder)
    assert phases(story) | {"send": "done", "send[label]": "refused", "send[hand]": "done"} == phases(story)


@pytest.mark.parametrize("how", ["silence", "fault"])
def test_one_that_may_have_happened_is_undone_before_the_alternate_step_is_asked(how: str) -> None:
    story = asked()
    (story.given_silence if how == "silence" else story.given_fault)().expect(VoidShippingLabel)
    story.expect_status("running")
    story.given(VOIDED).expect(MarkReadyToShip).given(READY).expect(CancelOrder)
    story.given(OrderCancelled(order_id="ORD-1")).expect_status("completed")


def test_an_undo_that_fails_is_for_a_person_and_the_alternate_step_waits() -> None:
    story = asked().given_silence().given_fault("printer offline").expect()
    story.expect_status("stuck", "undo of step send[label]: given up by")
    story.given_retry().expect(VoidShippingLabel, RetryAccepted).given(VOIDED).expect(MarkReadyToShip)


def test_an_undo_that_is_given_up_lets_the_alternate_step_go_on() -> None:
    story = asked().given_silence().given_fault("printer offline")
    story.given_act(RepairSaga(act=RepairSaga.SKIP, task="send[label]")).expect(RepairAccepted, MarkReadyToShip)


def test_the_last_is_asked_until_it_is_done_and_is_stuck_when_its_budget_is_spent() -> None:
    story = asked().given(BACK_ORDERED).given_silence().expect(MarkReadyToShip).given_silence().expect()
    story.expect_status("stuck", "step send[hand]: no answer within 60 s; still to do: send, tell")
    story.given(READY).expect(CancelOrder).expect_status("running")


def test_the_last_may_be_left_out() -> None:
    story = asked(last=by_hand(past_pivot="skip")).given(BACK_ORDERED).given_silence().given_silence()
    story.expect(CancelOrder)
    assert phases(story) | {"send": "left out", "send[hand]": "left out"} == phases(story)


def test_the_last_may_be_asked_for_ever() -> None:
    story = asked(last=by_hand(past_pivot="retry")).given(BACK_ORDERED)
    for _ in range(5):
        story.given_silence("send[hand]").expect(MarkReadyToShip).given_fault("nobody there").expect()
    story.expect_status("running").given_silence().given(READY).expect(CancelOrder)


def test_one_whose_command_cannot_be_made_is_for_a_person_who_may_have_the_next_asked() -> None:
    def broken(state: OrderProcessState) -> CreateShippingLabel:
        raise LookupError("no such printer")

    story = SagaTranscript(saga(label(do=broken))).given(PLACED).given(BILLED).expect()
    story.expect_status("stuck", "step send[label]: do of step send[label] raised LookupError: no such printer")
    story.given_act(RepairSaga(act=RepairSaga.SKIP, task="send[label]")).expect(RepairAccepted, MarkReadyToShip)
    assert phases(story)["send"] == "under way"


def test_an_undo_past_the_pivot_is_given_the_state_of_its_own_instant() -> None:
    def void(state: OrderProcessState) -> VoidShippingLabel:
        return VoidShippingLabel(sku=state.line.sku, quantity=1, order_id=state.order_id + state.label_id)

    def noted(state: OrderProcessState, answer: OrderReadyToShip) -> None:
        state.label_id = "changed since"

    pay = Step(shop.bill_order, done=OrderBilled, timeout=30, pivot=True)
    send = FirstOf(label=label(undo=void), hand=Step(shop.cancel_order, done=OrderCancelled, timeout=30))
    beside = by_hand(on_answer=noted)
    body = {"started_by": on(OrderPlaced, shop.begin), "pay": pay, "send": send, "beside": beside}
    beside_it = made("Beside", Saga[OrderProcessState], {**body, "flow": pay >> (send | beside)}, kind="beside")
    story = SagaTranscript(beside_it).given(PLACED).given(BILLED)
    story.given(READY, to=story.command(MarkReadyToShip)).given_silence("send[label]")
    assert story.command(VoidShippingLabel).message.order_id == "ORD-1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        (None, label(), r"send\[hand\]: a step after the pivot cannot be refused"),
        (None, label(refused=()), r"send\[hand\]: a step after the pivot is never undone"),
        (label(undo=None, undone=()), None, r"send\[label\]: .* has no undo"),
        (
            label(past_pivot="skip"),
            None,
            "past_pivot='skip' is for a step that comes after the pivot, and for the last",
        ),
    ],
)
def test_alternate_steps_that_make_no_sense_are_refused(first: Step | None, last: Step | None, why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        saga(first, last)


def test_they_are_drawn_and_stored() -> None:
    definition = saga(last=by_hand(past_pivot="retry")).definition
    for one in (definition, read_back(described(definition))):
        drawn = draw_saga(one)
        assert "send --> send: BackOrdered or silence or fault, then VoidShippingLabel, MarkReadyToShip" in drawn
        assert "send --> send: silence or fault of MarkReadyToShip, asked again for ever" in drawn
        assert "undo_send" not in drawn


@pytest.mark.parametrize("policy", ["stuck", "skip", "retry"])
def test_every_schedule_of_alternate_steps_keeps_the_promises(policy: str) -> None:
    bounds = Bounds(faults_max=2, silences_max=2, poisons_max=1, replays_max=0, duplicates_max=0, cancels_max=0)
    result = explore(saga(last=by_hand(past_pivot=policy)), bounds=bounds)
    assert result.violations == ()


# --- lists past the pivot ---


def listed(policy: str, **options: Any) -> SagaTranscript:
    step = labelling(refused=(), undo=None, undone=(), budget=ONCE, past_pivot=policy)
    return under_way(each(step=step, **options), pivot=True)


def test_an_item_past_the_pivot_may_be_left_out_and_the_others_are_done() -> None:
    story = listed("skip").given_silence("lines[HAT]")
    for key in ("CAP", "TIE"):
        story.given(labelled(key), to=to(story, key))
    story.expect(MarkReadyToShip).expect_status("running")
    assert phases(story) | {"lines": "done", "lines[HAT]": "left out"} == phases(story)
    state = OrderProcessState.FromString(story.record.state)
    assert state.label_id == "CAP:2,TIE:2", "on_done is given those that are done"


def test_an_item_past_the_pivot_may_be_asked_for_ever() -> None:
    story = listed("retry")
    for _ in range(3):
        story.given_fault(to=to(story, "HAT")).expect().expect_status("running")
        story.given_silence("lines[HAT]").expect(CreateShippingLabel)
    for key in ("CAP", "TIE", "HAT"):
        story.given(labelled(key), to=to(story, key))
    story.expect(MarkReadyToShip)


def test_past_the_pivot_a_list_counts_no_failures() -> None:
    step = labelling(refused=(), undo=None, undone=(), past_pivot="skip")
    with pytest.raises(InvalidDefinition, match="let the step say past_pivot='skip' if it may be left out"):
        list_saga(each(step=step, tolerate=1), pivot=True)
