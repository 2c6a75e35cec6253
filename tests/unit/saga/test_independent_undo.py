"""An undo that is stuck: of a strict saga it holds up what was done before it, of an independent one it does not."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderCancelled, OrderPlaced
from protos.warehouse_pb2 import VoidShippingLabel
from runtime.errors import InvalidDefinition
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, LABELLED, PLACED, REFUNDED, VOIDED, begin, cancel_order
from tests.unit.saga.test_nodes import bill, close, ship


def process(undo: str, **changed: Any) -> type[Saga[OrderProcessState]]:
    """Bills, ships, and says that it is done; none of it is the pivot."""
    paid, sent, done = bill(), ship(), close()
    body = {"bill": paid, "ship": sent, "close": done, "flow": paid >> sent >> done, **changed}
    closing = Step(cancel_order, done=OrderCancelled)
    started = {"started_by": on(OrderPlaced, begin), "closing": closing}
    return made("Process", Saga[OrderProcessState], {**started, **body}, kind="process", undo=undo)


def void_is_stuck(undo: str) -> SagaTranscript:
    """The last step stayed silent; the undo of the one before it was given up on as often as it may be asked."""
    varied = process(undo).with_steps(ship={"budget": Budget(asks_max=1)})
    story = SagaTranscript(varied).given(PLACED).given(BILLED).given(LABELLED).given_silence("close")
    return story.given_fault("printer offline", to=story.command(VoidShippingLabel))


def test_a_stuck_undo_of_a_strict_saga_holds_up_what_was_done_before_it() -> None:
    story = void_is_stuck("strict").expect().expect_status("stuck", "still to undo: ship, bill")
    story.given(VOIDED, to=story.command(VoidShippingLabel)).expect(RefundOrder)


def test_a_stuck_undo_of_an_independent_saga_holds_up_nothing() -> None:
    story = void_is_stuck("independent").expect(RefundOrder).expect_status("stuck", "undo of step ship: given up")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect().expect_status("stuck", "still to undo: ship")
    story.given_retry().given(VOIDED, to=story.command(VoidShippingLabel)).expect(CancelOrder)
    story.given(CANCELLED).expect_status("compensated")


def test_an_independent_saga_never_says_that_it_is_compensated_while_an_undo_is_stuck() -> None:
    story = void_is_stuck("independent")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect_status("stuck")
    assert not [one for one in story.sent if isinstance(one.message, CancelOrder)]


def test_the_undos_of_an_independent_saga_go_in_order_as_long_as_none_is_stuck() -> None:
    story = SagaTranscript(process("independent")).given(PLACED).given(BILLED).given(LABELLED).given_silence("close")
    story.expect(VoidShippingLabel).given(VOIDED).expect(RefundOrder).given(REFUNDED).expect(CancelOrder)


def test_a_variation_undoes_as_its_saga_does() -> None:
    assert process("independent").with_steps(bill={"timeout": 1.0}).definition.undoes_past_stuck
    assert not process("strict").with_steps(bill={"timeout": 1.0}).definition.undoes_past_stuck


def test_instances_of_the_one_are_carried_by_the_other() -> None:
    assert process("strict").definition.fingerprint == process("independent").definition.fingerprint


def test_another_word_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"saga Process: undo is 'strict' or 'independent', not 'never'"):
        process("never")


def test_no_schedule_of_an_independent_saga_breaks_a_promise() -> None:
    bounds = Bounds(faults_max=1, silences_max=1, poisons_max=1, replays_max=1, duplicates_max=0, cancels_max=1)
    result = explore(process("independent"), bounds=bounds)
    assert result.complete
    result.check()
    assert result.ends["stuck"]
