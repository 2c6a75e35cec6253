"""No timer of a saga is another's: not of a step that is named like a closing command, nor of the deadline."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import OrderBilled, PaymentDeclined
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from runtime.durations import seconds
from runtime.errors import InvalidDefinition
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import begin, bill_order, cancel_order, mark_ready
from tests.unit.saga.test_checks import define

PLACED = OrderPlaced(order_id="ORD-1", amount_cents=500)


class Namesakes(Saga[OrderProcessState], kind="namesakes", deadline=600.0):
    """Its first step has the name that the first closing command is given."""

    started_by = on(OrderPlaced, begin)
    closing_1 = Step(do=bill_order, done=OrderBilled, refused=PaymentDeclined, timeout=seconds(30), pivot=True)
    flow = closing_1
    closing = (
        Step(cancel_order, done=OrderCancelled, timeout=seconds(7)),
        Step(mark_ready, done=OrderReadyToShip, timeout=seconds(7)),
    )


def test_timers_have_names_of_their_own_and_steps_keep_theirs() -> None:
    steps = Namesakes.definition.steps
    assert [step.name for step in steps] == ["closing_1", "closing_1", "closing_2"]
    assert [step.timer for step in steps] == ["closing_1", "closing closing_1", "closing_2"]


def test_a_closing_command_is_asked_again_although_a_step_has_its_name() -> None:
    story = SagaTranscript(Namesakes).given(PLACED).given(PaymentDeclined(order_id="ORD-1")).expect(CancelOrder)
    story.given_silence().expect(CancelOrder)
    story.given_silence().expect(CancelOrder)
    story.given(OrderCancelled(order_id="ORD-1")).expect(MarkReadyToShip)
    story.given(OrderReadyToShip(order_id="ORD-1")).expect_status("compensated")
    assert not story.timers


def test_every_schedule_of_namesakes_comes_to_a_good_end() -> None:
    explore(Namesakes).check()


@pytest.mark.parametrize("name", ["closing closing", "saga deadline", "a-b", "1"])
def test_a_step_whose_name_is_no_identifier_is_refused(name: str) -> None:
    step = Step(do=bill_order, done=OrderBilled, timeout=seconds(30))
    body: dict[str, Any] = {name: step, "flow": step}
    with pytest.raises(InvalidDefinition, match=rf"Wrong.{name}: the name of a step is an identifier"):
        define(**body)
