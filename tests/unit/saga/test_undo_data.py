"""An undo that reads what only the answer of its own step tells is warned of, and nothing that may be fine is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.catalogue import catalogue as orders
from examples.agent.catalogue import catalogue as agent
from examples.purchase.catalogue import catalogue as purchase
from examples.transfer.catalogue import catalogue as transfer
from examples.trip.catalogue import catalogue as trip
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import seconds
from runtime.saga.findings import findings
from runtime.saga.on import on
from runtime.saga.probe import Probe
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.undo_data import undo_findings
from tests.unit.saga.shop import ShopProcess


def begin(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, line=event.line)


def begin_with_label(event: OrderPlaced) -> OrderProcessState:
    return OrderProcessState(order_id=event.order_id, label_id="L-" + str(event.amount_cents))


def begin_by_another(event: OrderPlaced) -> OrderProcessState:
    return begin(event)


def label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(sku=state.line.sku, quantity=1, order_id=state.order_id)


def keep_label(state: OrderProcessState, answer: ShippingLabelCreated) -> None:
    state.label_id = answer.label_id


def keep_reason(state: OrderProcessState, answer: BackOrdered) -> None:
    state.reason = str(answer.on_hand)


def helped(state: OrderProcessState, answer: BackOrdered) -> None:
    keep_anything(state)


def keep_anything(state: OrderProcessState) -> None:
    state.label_id = "any"


def void(state: OrderProcessState) -> VoidShippingLabel:
    return VoidShippingLabel(sku=state.line.sku, order_id=state.order_id, label_id=state.label_id)


def void_if_there_is_one(state: OrderProcessState) -> VoidShippingLabel | None:
    if not state.label_id:
        return None
    return VoidShippingLabel(sku=state.line.sku, order_id=state.order_id, label_id=state.label_id)


def void_or_all(state: OrderProcessState) -> VoidShippingLabel:
    return VoidShippingLabel(sku=state.line.sku, label_id=state.label_id or state.order_id)


def void_by_order(state: OrderProcessState) -> VoidShippingLabel:
    return VoidShippingLabel(sku=state.line.sku, order_id=state.order_id)


LABEL = Step(
    do=label,
    done=ShippingLabelCreated,
    refused=BackOrdered,
    undo=void,
    undone=ShippingLabelVoided,
    timeout=seconds(9),
    on_answer=keep_label,
)


def saga(begins: Callable[[OrderPlaced], OrderProcessState] = begin, **changed: Any) -> type[Saga[Any]]:
    made_label = replace(LABEL, **changed)

    class LabelOnly(Saga[OrderProcessState], kind="label-only"):
        started_by = on(OrderPlaced, begins)
        ship = made_label
        close = replace(ShopProcess.close, pivot=True)
        flow = ship >> close
        closing = ShopProcess.closing

    return LabelOnly


def test_the_step_the_field_and_the_cure_are_named() -> None:
    (told,) = undo_findings(saga())
    assert told.startswith("LabelOnly.ship: its undo void reads 'label_id', which only the step's own answer sets")
    assert told.endswith("Have the undo say what the command said, or give the step a probe=Probe()")
    assert len(list(undo_findings(saga(on_answer=(keep_reason, keep_label))))) == 1


@pytest.mark.parametrize(
    "fine",
    [
        saga(undo=void_by_order),
        saga(undo=void_if_there_is_one),
        saga(undo=void_or_all),
        saga(probe=Probe()),
        saga(on_answer=keep_reason),
        saga(begin_with_label),
        saga(begin_by_another),
        saga(on_answer=(helped,)),
    ],
)
def test_what_may_be_fine_is_passed_over(fine: type[Saga[Any]]) -> None:
    assert not list(undo_findings(fine))


def test_a_field_that_another_step_sets_is_fine() -> None:
    class Twice(Saga[OrderProcessState], kind="label-twice"):
        started_by = on(OrderPlaced, begin)
        first = replace(LABEL, undo=void_by_order)
        ship = replace(LABEL)
        close = replace(ShopProcess.close, pivot=True)
        flow = first >> ship >> close
        closing = ShopProcess.closing

    assert not list(undo_findings(Twice))


@pytest.mark.parametrize("made", [orders, trip, purchase, transfer, agent])
def test_the_catalogues_of_the_project_have_no_such_undo(made: Callable[[], Any]) -> None:
    assert not [one for one in findings(made()) if "its undo" in one]
