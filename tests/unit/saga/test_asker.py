"""Who starts a saga and waits for its end is told once: its result, why it was compensated, or that it is stuck."""

from __future__ import annotations

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durable.saga_end import end_of
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import SagaCompensated, SagaCompleted, SagaStuck, SagaUnderWay, StartRefused
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, DECLINED, LABELLED, PLACED, READY
from tests.unit.saga.test_nodes import bill, close

LABEL = ShippingLabelCreated(order_id="ORD-1", label_id="LB-1")


def label_of(state: OrderProcessState) -> ShippingLabelCreated:
    return ShippingLabelCreated(order_id=state.order_id, label_id=state.label_id)


def saga(result: object = label_of) -> type[Saga[OrderProcessState]]:
    paid, done = bill(), close()
    sent = Step(
        shop.create_label,
        ShippingLabelCreated,
        timeout=300,
        pivot=True,
        on_answer=shop.keep_label,
        budget=shop.BUDGET,
    )
    body = {"bill": paid, "ship": sent, "close": done, "flow": paid >> sent >> done, "result": result}
    closing = Step(shop.cancel_order, done=OrderCancelled)
    started = {"started_by": on(OrderPlaced, shop.begin), "closing": closing}
    return made("Process", Saga[OrderProcessState], {**started, **body}, kind="process")


def started(result: object = label_of) -> SagaTranscript:
    return SagaTranscript(saga(result)).given_start(PLACED)


def answers(story: SagaTranscript) -> list[tuple[str, object, bytes]]:
    """What the last message had the saga tell who waits: where to, what, and in answer to which message."""
    sent = [one for one in story.decision.outgoing if one.in_reply_to]
    return [(f"{one.kind}/{one.key}", one.message, one.in_reply_to) for one in sent]


def end(story: SagaTranscript) -> SagaTranscript:
    for answer in (BILLED, LABELLED, READY):
        story.given(answer)
    return story


@pytest.mark.broken_by("facts-not-kept")
def test_s124_who_started_it_is_told_that_it_goes_on_and_then_its_result() -> None:
    story = started()
    ((address, message, id),) = answers(story)
    assert (address, message) == ("parents/P-1", SagaUnderWay())
    ended = SagaCompleted(result_type=LABEL.DESCRIPTOR.full_name, result=LABEL.SerializeToString())
    assert answers(end(story)) == [("parents/P-1", ended, id)]


def test_s124_a_saga_that_turned_back_tells_why() -> None:
    story = started().given(DECLINED).given(CANCELLED)
    assert [one[1] for one in answers(story)] == [SagaCompensated(reason="bill: PaymentDeclined")]


def test_s124_a_stuck_saga_tells_that_and_its_end_when_it_ends_after_all() -> None:
    story = started().given(BILLED)
    for _ in range(shop.BUDGET.asks_max):
        story.given_silence("ship")
    (told,) = [one[1] for one in answers(story)]
    assert isinstance(told, SagaStuck) and "step ship: no answer" in told.reason
    assert answers(story.given(LABELLED)) == []
    assert isinstance(answers(story.given(READY))[0][1], SagaCompleted)


def test_the_end_is_told_once_however_often_a_copy_of_the_last_answer_comes() -> None:
    story = end(started())
    assert answers(story.given(READY, to=story.command(type(shop.mark_ready(OrderProcessState()))))) == []


def test_who_started_it_may_ask_again_and_is_told_how_it_stands() -> None:
    story = started().given(BILLED).given_start(PLACED).expect_ignored("asks how it stands: it is running")
    assert [one[1] for one in answers(story)] == [SagaUnderWay()]
    again = answers(story)[0][2]
    story.given(LABELLED, to=story.command(type(shop.create_label(OrderProcessState()))))
    story.given(READY, to=story.command(type(shop.mark_ready(OrderProcessState()))))
    assert [(type(one[1]), one[2]) for one in answers(story)] == [(SagaCompleted, again)]
    assert isinstance(answers(story.given_start(PLACED))[0][1], SagaCompleted)


def test_another_start_of_the_same_key_is_refused() -> None:
    story = started().given_start(PLACED, by="parents/P-2").expect_ignored("it was started by parents/P-1")
    ((address, told, _),) = answers(story)
    assert address == "parents/P-2" and isinstance(told, StartRefused)


def test_a_saga_that_an_event_started_tells_nobody() -> None:
    story = end(SagaTranscript(saga()).given(PLACED))
    assert [one for one in story.sent if one.in_reply_to] == []
    assert isinstance(end_of(story.record), SagaCompleted)


def test_a_saga_without_a_result_completes_with_none() -> None:
    assert [one[1] for one in answers(end(started(None)))] == [SagaCompleted()]


def fails(state: OrderProcessState) -> ShippingLabelCreated:
    raise RuntimeError("no label")


def test_a_result_that_cannot_be_made_is_missing_and_raises_an_alarm() -> None:
    story = end(started(fails)).expect_status("completed")
    (told,) = [one[1] for one in answers(story)]
    assert isinstance(told, SagaCompleted) and told.error == "result raised RuntimeError: no label"
    assert story.decision.alarm == told.error


def test_a_result_too_large_to_be_sent_is_missing() -> None:
    def large(state: OrderProcessState) -> ShippingLabelCreated:
        return ShippingLabelCreated(label_id="x" * 3000)

    story = SagaTranscript(saga(large), message_bytes_max=4000).given_start(PLACED)
    assert "the limit is" in end(story).record.result_error


def unannotated(state):  # type: ignore[no-untyped-def]
    return OrderReadyToShip()


@pytest.mark.parametrize("wrong", [unannotated, lambda: None, shop.keep_label])
def test_a_result_that_is_no_function_from_state_to_message_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidDefinition, match=r"Process\.result: "):
        saga(wrong)


def test_a_variation_has_the_result_of_its_saga() -> None:
    assert saga().with_steps(bill={"timeout": 1.0}).definition.result_type is ShippingLabelCreated


def test_the_fingerprint_does_not_depend_on_the_result() -> None:
    assert SagaBehaviour(saga()).definition.fingerprint == SagaBehaviour(saga(None)).definition.fingerprint
