"""Alternatives: which is asked when, what has to be undone before the next, and when the whole is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import seconds
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelAccepted, RetryAccepted
from runtime.saga.first_of import FirstOf
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BACK_ORDERED, BILLED, CANCELLED, DECLINED, LABELLED, PLACED, REFUNDED, VOIDED


def billing(**changed: Any) -> Step:
    given: dict[str, Any] = {
        "do": shop.bill_order,
        "done": OrderBilled,
        "refused": PaymentDeclined,
        "undo": shop.refund_order,
        "undone": OrderRefunded,
        "timeout": 30,
        "on_answer": shop.keep_charge,
        "budget": Budget(asks_max=1),
    }
    return Step(**{**given, **changed})


def shipping() -> Step:
    return Step(
        shop.create_label,
        ShippingLabelCreated,
        BackOrdered,
        undo=shop.void_label,
        undone=ShippingLabelVoided,
        timeout=30,
    )


def saga(first_of: FirstOf) -> type[Saga[OrderProcessState]]:
    close = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="it only says so")
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "pay": first_of,
        "close": close,
        "flow": first_of >> close,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    return made("Process", Saga[OrderProcessState], body, kind="process")


def begun(**changed: Any) -> SagaTranscript:
    """Bills, or else ships: what the two have to do with one another does not matter here."""
    return SagaTranscript(saga(FirstOf(bill=billing(**changed), ship=shipping()))).given(PLACED)


def phases(story: SagaTranscript) -> dict[str, str]:
    return {task.path: story.step_status(task.path) for task in story.record.tasks}


def test_the_first_that_is_done_is_enough_and_the_others_are_never_asked() -> None:
    story = begun().expect(BillOrder)
    assert phases(story)["pay"] == "under way"
    story.given(BILLED).expect(MarkReadyToShip)
    assert phases(story) | {"pay": "done", "pay[bill]": "done", "pay[ship]": "passed"} == phases(story)
    assert OrderProcessState.FromString(story.record.state).charge_id == "CH-1"
    story.given(shop.READY).expect_status("completed")
    assert story.timers == {}


def test_s116_if_one_is_refused_the_next_is_asked() -> None:
    story = begun().given(DECLINED).expect(CreateShippingLabel)
    story.given(LABELLED).expect(MarkReadyToShip)
    assert phases(story) | {"pay[bill]": "refused", "pay[ship]": "done"} == phases(story)


@pytest.mark.broken_by("item-done-without-is-not-undone")
def test_s116_one_that_stays_silent_is_undone_before_the_next_is_asked() -> None:
    story = begun().given_silence().expect(RefundOrder)
    assert phases(story) | {"pay[bill]": "undoing", "pay[ship]": "waiting"} == phases(story)
    story.given(BILLED, to=story.command(BillOrder)).expect_ignored("came late")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CreateShippingLabel)
    story.given(LABELLED).expect(MarkReadyToShip).expect_status("running")


def test_one_that_fails_and_needs_no_undo_is_done_without() -> None:
    story = begun(undo=None, undone=(), no_undo="it is free").given_fault().expect(CreateShippingLabel)
    assert phases(story)["pay[bill]"] == "skipped"


@pytest.mark.broken_by("reasons-of-alternatives-lost")
def test_s117_when_all_are_refused_so_is_the_whole_with_all_reasons() -> None:
    story = begun().given(DECLINED).given(BACK_ORDERED).expect(CancelOrder)
    assert story.record.reason == "pay: pay[bill]: shop.PaymentDeclined; pay[ship]: shop.BackOrdered"
    story.given(CANCELLED).expect_status("compensated")


def test_turning_back_undoes_the_one_that_was_done() -> None:
    story = begun().given(DECLINED).given(LABELLED).given_cancellation("no more")
    story.expect(CancelAccepted, VoidShippingLabel).given(VOIDED, to=story.command(VoidShippingLabel))
    story.expect(CancelOrder)
    assert phases(story) | {"pay": "undone", "pay[bill]": "refused", "pay[ship]": "undone"} == phases(story)


def test_turning_back_while_one_is_undone_waits_for_that_and_asks_no_other() -> None:
    story = begun().given_silence().given_cancellation("no more").expect(CancelAccepted)
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CancelOrder)
    assert phases(story) | {"pay": "undone", "pay[ship]": "waiting"} == phases(story)


def test_an_undo_that_fails_holds_the_next_up_until_a_person_has_mended_it() -> None:
    story = begun().given_silence().given_fault("broken").expect()
    story.expect_status("stuck", "undo of step pay[bill]: given up by")
    story.given_retry().expect(RefundOrder, RetryAccepted)
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CreateShippingLabel).expect_status("running")


def test_one_that_was_refused_and_is_done_after_all_is_undone_while_the_next_goes_on() -> None:
    story = begun().given(DECLINED).given(BILLED, to=story_bill()).expect_ignored("answers no command")
    story.given(BILLED, to=story.command(BillOrder)).expect(RefundOrder)
    story.given(LABELLED, to=story.command(CreateShippingLabel)).expect(MarkReadyToShip)
    story.given(shop.READY).expect().expect_status("running")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("completed")
    assert story.timers == {}


def story_bill() -> Any:
    """A command of another instance."""
    other = SagaTranscript(saga(FirstOf(bill=billing(), ship=shipping())), now_s=7.0).given(PLACED)
    return other.command(BillOrder)


def test_what_was_refused_and_is_done_after_the_end_is_undone_all_the_same() -> None:
    story = begun().given(DECLINED).given(LABELLED).given(shop.READY).expect_status("completed")
    story.given(BILLED, to=story.command(BillOrder)).expect(RefundOrder).expect_status("running")
    story.given(REFUNDED).expect_status("completed")


@pytest.mark.parametrize(
    ("first_of", "why"),
    [
        (FirstOf(), "alternatives are two steps or more"),
        (FirstOf(bill=billing()), "alternatives are two steps or more"),
        (FirstOf(bill=billing(), ship=7), "pay.ship: it is a Step or a Child, not 7"),  # type: ignore[arg-type]
        (FirstOf(bill=billing(), **{"x" * 255: shipping()}), "task: pay[NAME] must be at most 256 bytes of UTF-8"),
        (FirstOf(bill=billing(), **{"a\nb": shipping()}), "task: pay[NAME] holds a control character (U+000A) at 5"),
        (FirstOf(bill=billing(pivot=True), ship=shipping()), "the pivot stands within another node"),
        (FirstOf(bill=billing(undo=None, undone=()), ship=shipping()), "has no undo"),
    ],
)
def test_alternatives_that_make_no_sense_are_refused_when_the_class_is_made(first_of: FirstOf, why: str) -> None:
    with pytest.raises(InvalidDefinition, match=re.escape(why)):
        saga(first_of)


def test_alternatives_can_be_varied_by_name() -> None:
    usual = saga(FirstOf(bill=billing(), ship=shipping()))
    story = SagaTranscript(usual.with_steps(pay={"bill": {"timeout": seconds(3)}})).given(PLACED)
    assert story.timers == {"pay[bill]": 1_003.0}
    with pytest.raises(InvalidDefinition, match="pay has no alternative 'cash' to be changed; there are bill, ship"):
        usual.with_steps(pay={"cash": {}})
