"""What a saga's functions raise ends in a state of the saga, or with a letter; never with the node."""

from __future__ import annotations

import asyncio

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderPlaced, OrderReadyToShip
from runtime.durations import seconds
from runtime.errors import FinalError
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, PLACED


class Exit:
    """Which function raises what; set by a test, and put back by its monkeypatch."""

    at = ""
    error: BaseException = Exception()


def _pass(where: str) -> None:
    if Exit.at == where:
        raise Exit.error


def begin(event: OrderPlaced) -> OrderProcessState:
    _pass("begin")
    return OrderProcessState(order_id=event.order_id)


def bill_order(state: OrderProcessState) -> BillOrder:
    _pass("do")
    return BillOrder(order_id=state.order_id)


def keep_charge(state: OrderProcessState, event: OrderBilled) -> None:
    _pass("on_answer")


def refund_order(state: OrderProcessState) -> RefundOrder:
    _pass("undo")
    return RefundOrder(order_id=state.order_id)


def mark_ready(state: OrderProcessState) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=state.order_id)


class Exiting(Saga[OrderProcessState], kind="exiting"):
    started_by = on(OrderPlaced, begin)
    bill = Step(
        do=bill_order,
        undo=refund_order,
        done=OrderBilled,
        undone=OrderRefunded,
        on_answer=keep_charge,
        timeout=seconds(30),
        budget=Budget(asks_max=1),
    )
    close = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(30), pivot=True)
    flow = bill >> close


@pytest.fixture(
    autouse=True, params=[SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()], ids=repr
)
def error(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    raised: BaseException = request.param
    monkeypatch.setattr(Exit, "error", raised)
    return raised


def test_an_exit_in_begin_parks_the_event(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exit, "at", "begin")
    with pytest.raises(FinalError, match=f"begin raised {type(error).__name__}"):
        SagaTranscript(Exiting).given(PLACED)


@pytest.mark.parametrize("where", ["do", "on_answer", "undo"])
def test_an_exit_in_a_function_of_a_step_is_named_in_the_record(
    where: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exit, "at", where)
    story = SagaTranscript(Exiting).given(PLACED)
    if where == "on_answer":
        story.given(BILLED)
    if where == "undo":
        story.given_silence("bill")
    assert f"{where} of step bill raised {type(error).__name__}" in str(story.record)
