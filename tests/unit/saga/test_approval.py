"""A person approves what a saga asks for: who may, of what exactly, and what comes of silence."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import Order, OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from runtime.durations import days
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelAccepted, RepairAccepted, RepairRefused, RepairSaga
from runtime.saga.approval import Approval
from runtime.saga.on import on
from runtime.saga.preview import preview
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, REFUNDED


def purchase(state: OrderProcessState) -> Order:
    return Order(order_id=state.order_id, amount_cents=state.amount_cents, label_id=state.charge_id)


def is_manager(state: OrderProcessState, who: str) -> bool:
    return who == "anna"


def keep(state: OrderProcessState, who: str) -> None:
    state.reason = f"approved by {who}"


def asking(**changed: Any) -> Approval:
    return Approval(**{"asks": purchase, "by": is_manager, "within": days(3), "on_approved": keep, **changed})


def saga(approval: Approval, *, beside: bool = False, pivot: bool = False) -> type[Saga[OrderProcessState]]:
    """Bills, asks, and marks the order as ready. With `beside`, it asks while it bills."""
    back: dict[str, Any] = {} if pivot else {"undo": shop.refund_order, "undone": OrderRefunded}
    refused = () if pivot else PaymentDeclined
    paid = Step(shop.bill_order, OrderBilled, refused, timeout=30, pivot=pivot, on_answer=shop.keep_charge, **back)
    close = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="" if pivot else "it only says so")
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "bill": paid,
        "boss": approval,
        "close": close,
        "flow": (paid | approval) >> close if beside else paid >> approval >> close,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    return made("Process", Saga[OrderProcessState], body, kind="process")


def asked(approval: Approval | None = None, **shape: bool) -> SagaTranscript:
    return SagaTranscript(saga(approval or asking(), **shape)).given(PLACED).given(BILLED).expect()


def decide(story: SagaTranscript, act: Any = RepairSaga.APPROVE, *, who: str = "anna", digest: str = "") -> Any:
    said = RepairSaga(act=act, task="boss", who=who, digest=digest or story.step("boss").digest)
    return story.given_act(said)


def refusal(story: SagaTranscript) -> str:
    (sent,) = story.decision.outgoing
    assert isinstance(sent.message, RepairRefused)
    return sent.message.reason


def test_the_saga_waits_for_a_person_and_says_what_for() -> None:
    story = asked()
    assert story.step_status("boss") == "to be approved"
    assert story.step("boss").asks == 'order_id: "ORD-1" amount_cents: 500 label_id: "CH-1"'
    assert story.timers == {"boss": 1_000.0 + 3 * 86_400}


def test_the_saga_goes_on_once_somebody_who_may_has_approved() -> None:
    story = decide(asked()).expect(MarkReadyToShip, RepairAccepted)
    assert story.step_status("boss") == "done"
    assert story.step("boss").by_hand == "approved by anna"
    assert OrderProcessState.FromString(story.record.state).reason == "approved by anna"
    assert story.timers.keys() == {"close"}
    assert [one.who for one in story.record.repairs] == ["anna"]


@pytest.mark.broken_by("anybody-may-approve")
def test_s103_a_person_who_may_not_is_refused_and_the_time_goes_on() -> None:
    story = decide(asked(), who="bert").expect_ignored("bert may not decide boss")
    assert refusal(story) == "bert may not decide boss"
    assert story.step_status("boss") == "to be approved"


@pytest.mark.broken_by("digest-not-compared")
def test_s102_what_was_not_asked_for_is_not_approved_and_both_digests_are_told() -> None:
    story = asked()
    decide(story, digest="0123456789abcdef")
    assert story.step("boss").digest in refusal(story)
    assert "0123456789abcdef" in refusal(story)


def test_s102_an_approval_of_what_has_changed_meanwhile_is_refused() -> None:
    story = SagaTranscript(saga(asking(), beside=True)).given(PLACED)
    looked_at = story.step("boss").digest
    story.given(BILLED)
    decide(story, digest=looked_at)
    now = refusal(story).split()[7].strip(",")
    assert now != looked_at
    decide(story, digest=now).expect(MarkReadyToShip, RepairAccepted)
    assert story.step("boss").digest == now


def test_a_person_who_declines_turns_the_saga_back() -> None:
    story = decide(asked(), RepairSaga.DECLINE).expect(RefundOrder, RepairAccepted)
    assert story.record.reason == "boss: declined by anna: a test"
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CancelOrder)
    story.given(CANCELLED, to=story.command(CancelOrder)).expect_status("compensated")


def test_s103_silence_turns_the_saga_back_or_goes_on_as_is_declared() -> None:
    story = asked().given_silence("boss").expect(RefundOrder)
    assert story.record.reason == "boss: nobody has approved within 3 days, 0:00:00"
    story = asked(asking(goes_on=True)).given_silence("boss").expect(MarkReadyToShip)
    assert story.step("boss").do.outcome.startswith("nobody has approved")


def test_an_approval_that_comes_late_is_refused() -> None:
    story = asked().given_silence("boss")
    decide(story)
    assert refusal(story) == "boss is refused: nobody is asked"


def test_turning_back_ends_the_wait() -> None:
    story = asked().given_cancellation("no more").expect(RefundOrder, CancelAccepted)
    assert story.step_status("boss") == "skipped"
    assert "boss" not in story.timers


def test_where_there_is_no_way_back_a_no_leaves_the_saga_stuck_until_it_is_asked_anew() -> None:
    story = asked(pivot=True)
    decide(story, RepairSaga.DECLINE).expect_status("stuck", "step boss: declined by anna: a test")
    story.given_act(RepairSaga(act=RepairSaga.RETRY)).expect_status("running")
    decide(story).expect(MarkReadyToShip, RepairAccepted)


def test_where_there_is_no_way_back_a_yes_after_a_no_ends_the_stuck_state() -> None:
    story = asked(pivot=True)
    decide(story, RepairSaga.DECLINE).expect_status("stuck", "step boss: declined by anna: a test")
    decide(story).expect(MarkReadyToShip, RepairAccepted).expect_status("running")
    story.given(shop.READY).expect_status("completed")


def test_a_preview_says_what_an_approval_would_send() -> None:
    story, shown = asked(), asking()
    act = RepairSaga(act=RepairSaga.APPROVE, task="boss", who="anna", reason="fine", digest=story.step("boss").digest)
    seen = preview(saga(shown).definition, story.record, act, story.now_s)
    assert [type(one.message) for one in seen.sent] == [MarkReadyToShip]


def test_only_an_approval_is_approved() -> None:
    story = asked()
    story.given_act(RepairSaga(act=RepairSaga.APPROVE, task="bill", who="anna"))
    assert refusal(story) == "bill asks nobody: it is no approval"


def test_what_the_author_s_functions_do_wrong_is_told() -> None:
    def fails(state: OrderProcessState) -> Order:
        raise ValueError("no such order")

    story = SagaTranscript(saga(asking(asks=fails))).given(PLACED).given(BILLED).expect(RefundOrder)
    assert "asks of boss raised ValueError: no such order" in story.record.reason

    def may(state: OrderProcessState, who: str) -> bool:
        raise ValueError("no such person")

    story = asked(asking(by=may))
    decide(story)
    assert "by of boss raised ValueError: no such person" in refusal(story)
    assert story.given_silence("boss").command(RefundOrder)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"asks": is_manager}, "takes the state alone"),
        ({"by": shop.bill_order}, "bill_order takes the state and who it is"),
        ({"on_approved": shop.bill_order}, "bill_order takes the state and who it is"),
        ({"within": 0}, "the time for an approval is finite and above 0"),
        ({"within": None, "goes_on": True}, "needs a time that can be over"),
    ],
)
def test_an_approval_that_makes_no_sense_is_refused_when_the_class_is_made(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        saga(asking(**changed))


def test_the_first_command_is_sent_before_anybody_is_asked() -> None:
    SagaTranscript(saga(asking())).given(PLACED).expect(BillOrder)
