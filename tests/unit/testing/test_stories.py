"""A transcript of a saga with every kind of node reads as a story."""

from __future__ import annotations

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import CreateShippingLabel, Restocked, VoidShippingLabel
from runtime.durations import days
from runtime.protos.saga_pb2 import RepairRefused, SagaCompensated, SagaCompleted, UndoSaga
from runtime.saga.awaiting import Await
from runtime.saga.child import Child
from runtime.saga.first_of import FirstOf
from runtime.saga.publish import Publish
from runtime.saga.saga import Saga
from runtime.saga.wait import Wait
from runtime.saga.when import When
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import test_approval, test_children, test_each, test_first_of
from tests.unit.saga.shop import BILLED, CANCELLED, DECLINED, LABELLED, PLACED, READY, REFUNDED
from tests.unit.saga.test_each import labelled, voided
from tests.unit.saga.test_nodes import close, costs, saga
from tests.unit.saga.test_publish import is_billed


def line_of(state: OrderProcessState) -> str:
    return state.line.sku


def everything() -> type[Saga[OrderProcessState]]:
    boss = test_approval.asking(on_approved=None)
    rest = Wait(days(2))
    cools_off = When(costs, then=rest)
    lines = test_each.each(on_done=None)
    pay = FirstOf(bill=test_first_of.billing(), ship=test_first_of.shipping())
    porter = Child(test_children.child(), start=test_children.start_child)
    back = Await(Restocked, key=line_of, within=days(7))
    told, done = Publish(is_billed), close()
    return saga(
        boss=boss,
        rest=rest,
        cools_off=cools_off,
        lines=lines,
        pay=pay,
        porter=porter,
        back=back,
        told=told,
        close=done,
        flow=boss >> cools_off >> lines >> pay >> porter >> back >> told >> done,
    )


def all_labelled() -> SagaTranscript:
    story = SagaTranscript(everything()).given(PLACED).expect()
    story.given_approved("boss", by="bert").expect(RepairRefused)
    story.given_approved("boss", by="anna").expect()
    story.given_silence("rest").expect(CreateShippingLabel, CreateShippingLabel, CreateShippingLabel)
    for sku in ("HAT", "TIE", "CAP"):
        story.given(labelled(sku), to=story.command(CreateShippingLabel, key=sku))
    return story.expect(BillOrder)


def test_every_kind_of_node_on_the_way_forward() -> None:
    story = all_labelled()
    story.given(DECLINED).expect(CreateShippingLabel)
    story.given(LABELLED).expect(OrderPlaced(order_id="ORD-1-C", line=PLACED.line))
    story.given(SagaCompleted()).expect().expect_waiting(Restocked, "HAT")
    story.given_outside(Restocked(sku="HAT"), said_by="warehouse/HAT").expect(OrderReadyToShip, MarkReadyToShip)
    story.given(READY).expect().expect_status("completed")


def test_every_kind_of_node_on_the_way_back() -> None:
    story = all_labelled().given(BILLED).expect(OrderPlaced).given(SagaCompleted()).expect()
    story.given_silence("back").expect(UndoSaga).expect_status("compensating", "no Restocked with key 'HAT' came")
    story.given(SagaCompensated()).expect(RefundOrder)
    story.given(REFUNDED).expect(VoidShippingLabel, VoidShippingLabel, VoidShippingLabel)
    for sku in ("HAT", "TIE", "CAP"):
        story.given(voided(sku), to=story.command(VoidShippingLabel, key=sku))
    story.expect(CancelOrder).given(CANCELLED).expect().expect_status("compensated")
    assert story.step_status("boss") == story.step_status("rest") == "skipped"


def test_a_person_who_declines_turns_the_saga_back() -> None:
    story = SagaTranscript(everything()).given(PLACED).given_declined("boss", by="anna", reason="too dear")
    story.expect(CancelOrder).expect_status("compensating", "boss: declined by anna: too dear")
