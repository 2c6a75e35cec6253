"""The order process with one in charge, told as transcripts: what comes in, and what it asks for next."""

from __future__ import annotations

import pytest

from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderLine, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused
from runtime.testing.transcript import SagaTranscript

LINE = OrderLine(sku="CUP", quantity=2)
PLACED = OrderPlaced(order_id="ORD-1", line=LINE, amount_cents=500)
BILL = BillOrder(order_id="ORD-1", amount_cents=500, line=LINE)
BILLED = OrderBilled(order_id="ORD-1", charge_id="charge-ORD-1", amount_cents=500, line=LINE)
SHIP = CreateShippingLabel(sku="CUP", quantity=2, order_id="ORD-1")
LABELLED = ShippingLabelCreated(order_id="ORD-1", sku="CUP", quantity=2, label_id="label-ORD-1")
VOID = VoidShippingLabel(sku="CUP", quantity=2, order_id="ORD-1")


def _told(*answers: PaymentDeclined | OrderBilled | ShippingLabelCreated | BackOrdered) -> SagaTranscript:
    story = SagaTranscript(OrderProcess).given(PLACED)
    for answer in answers:
        story.given(answer)
    return story


@pytest.mark.broken_by("facts-not-kept")
def test_s91_an_order_is_billed_then_labelled_then_ready() -> None:
    story = SagaTranscript(OrderProcess)
    story.given(PLACED).expect(BILL)
    story.given(BILLED).expect(SHIP)
    story.given(LABELLED).expect(MarkReadyToShip(order_id="ORD-1", label_id="label-ORD-1"))
    story.given(OrderReadyToShip(order_id="ORD-1")).expect().expect_status("completed")


def test_s92_a_back_ordered_order_is_refunded_then_cancelled_and_no_label_is_voided() -> None:
    why = "CUP is back-ordered: 2 wanted, 1 on hand"
    story = _told(BILLED)
    story.given(BackOrdered(order_id="ORD-1", sku="CUP", quantity=2, on_hand=1))
    story.expect(RefundOrder(order_id="ORD-1", reason="ship: BackOrdered")).expect_status("compensating")
    story.given(OrderRefunded(order_id="ORD-1")).expect(CancelOrder(order_id="ORD-1", reason=why))
    story.given(OrderCancelled(order_id="ORD-1")).expect().expect_status("compensated")
    assert not [one for one in story.sent if isinstance(one.message, VoidShippingLabel)]


def test_s66_a_declined_payment_leaves_nothing_to_undo() -> None:
    story = _told().given(PaymentDeclined(order_id="ORD-1", reason="too much"))
    story.expect(CancelOrder(order_id="ORD-1", reason="payment declined: too much"))
    story.given(OrderCancelled(order_id="ORD-1")).expect().expect_status("compensated")


def test_s67_a_label_nobody_heard_of_is_voided_before_the_refund() -> None:
    story = _told(BILLED).given_silence().expect(VOID)
    story.given(ShippingLabelVoided(order_id="ORD-1")).expect(RefundOrder)
    story.given(OrderRefunded(order_id="ORD-1")).expect(CancelOrder)
    story.given(OrderCancelled(order_id="ORD-1")).expect_status("compensated")


def test_s67_a_bill_nobody_heard_of_is_refunded() -> None:
    story = _told().given_silence().expect(RefundOrder)
    story.given_nothing_to_undo().expect(CancelOrder)
    story.given(OrderCancelled(order_id="ORD-1")).expect_status("compensated")


def test_a_late_label_changes_nothing_once_it_is_being_voided() -> None:
    story = _told(BILLED)
    asked = story.command(CreateShippingLabel)
    story.given_silence().expect(VOID)
    voiding = story.command(VoidShippingLabel)
    story.given(LABELLED, to=asked).expect().expect_status("compensating")
    story.given(ShippingLabelVoided(order_id="ORD-1"), to=voiding).expect(RefundOrder)


def test_an_undo_names_its_do_and_the_answers_after_which_there_is_nothing_to_undo() -> None:
    story = _told(BILLED).given_silence()
    void = story.command(VoidShippingLabel)
    assert void.undo_of == story.command(CreateShippingLabel).id
    assert void.refusals == ("shop.BackOrdered",)


def test_s89_a_client_may_cancel_while_the_bill_is_out() -> None:
    story = _told()
    story.given_cancellation("changed my mind")
    kinds = [type(one.message) for one in story.decision.outgoing]
    assert CancelAccepted in kinds
    assert RefundOrder in kinds


def test_s89_past_the_label_a_cancellation_is_refused_with_the_reason() -> None:
    story = _told(BILLED, LABELLED).given_cancellation("changed my mind")
    story.expect(CancelRefused(reason="there is no way back after ship")).expect_status("running")
    story.given(OrderReadyToShip(order_id="ORD-1")).expect_status("completed")


def test_a_cancelled_order_tells_its_client_in_the_clients_words() -> None:
    story = _told().given_cancellation("changed my mind")
    story.given(OrderRefunded(order_id="ORD-1"), to=story.command(RefundOrder))
    assert "changed my mind" in story.command(CancelOrder).message.reason  # type: ignore[attr-defined]
