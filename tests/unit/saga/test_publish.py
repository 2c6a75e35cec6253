"""An event of the saga leaves in the commit of its turn, once, whatever comes after it; it is never undone."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderReadyToShip
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelSaga
from runtime.saga.diagram import draw_saga
from runtime.saga.publish import Publish
from runtime.saga.saga import Saga
from runtime.saga.stored import described, read_back
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, READY, REFUNDED
from tests.unit.saga.test_nodes import bill, close, phases, saga


def is_billed(state: OrderProcessState) -> OrderReadyToShip:
    return OrderReadyToShip(order_id=state.order_id, label_id=state.charge_id)


def publishing(event: Any = is_billed) -> type[Saga[OrderProcessState]]:
    paid, told, done = bill(), Publish(event), close()
    return saga(bill=paid, told=told, close=done, flow=paid >> told >> done)


@pytest.mark.broken_by("published-twice")
def test_s123_an_event_leaves_with_the_commit_that_decided_it_and_once() -> None:
    story = SagaTranscript(publishing()).given(PLACED).expect(BillOrder)
    story.given(BILLED).expect(OrderReadyToShip(order_id="ORD-1"), MarkReadyToShip)
    assert [one.is_published for one in story.decision.outgoing] == [True, False]
    story.given(READY).expect().expect_status("completed")


def test_a_copy_of_the_answer_publishes_nothing() -> None:
    story = SagaTranscript(publishing()).given(PLACED).given(BILLED)
    story.given(BILLED, to=story.command(BillOrder)).expect()


def test_an_event_is_not_undone_and_the_record_says_that_it_was_skipped() -> None:
    story = SagaTranscript(publishing()).given(PLACED).given(BILLED).given_silence("close").expect(RefundOrder)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")
    assert phases(story)["told"] == "skipped"


def test_an_event_that_the_author_fails_to_make_turns_the_saga_back() -> None:
    def fails(state: OrderProcessState) -> OrderReadyToShip:
        raise RuntimeError("no event")

    story = SagaTranscript(publishing(fails)).given(PLACED).given(BILLED).expect(RefundOrder)
    story.expect_status("compensating", "told: event of told raised RuntimeError: no event")


def test_an_event_of_another_type_turns_the_saga_back() -> None:
    def lies(state: OrderProcessState) -> OrderReadyToShip:
        return BILLED  # type: ignore[return-value]

    SagaTranscript(publishing(lies)).given(PLACED).given(BILLED).expect_status("compensating", "made a OrderBilled")


def a_command(state: OrderProcessState) -> RefundOrder:
    return RefundOrder()


def of_the_runtime(state: OrderProcessState) -> CancelSaga:
    return CancelSaga()


@pytest.mark.parametrize("wrong", [a_command, of_the_runtime, lambda _: READY])
def test_what_is_no_function_from_state_to_event_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidDefinition, match=r"Process\.told: "):
        publishing(wrong)


def test_it_is_drawn_and_stored() -> None:
    definition = publishing().definition
    assert "told: publish OrderReadyToShip" in draw_saga(definition)
    assert draw_saga(read_back(described(definition))) == draw_saga(definition)


def test_no_schedule_of_a_saga_that_publishes_breaks_a_promise() -> None:
    bounds = Bounds(faults_max=1, silences_max=1, duplicates_max=1, cancels_max=1)
    result = explore(publishing(), bounds=bounds)
    assert result.complete and not result.violations
