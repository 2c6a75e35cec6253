"""Sales: an order is placed once, and ends once."""

from __future__ import annotations

from actors.sales import Sales
from protos.sales_pb2 import (
    CANCELLED,
    CHOREOGRAPHY,
    PENDING,
    READY_TO_SHIP,
    UNKNOWN,
    CancellationRefused,
    CancelOrder,
    MarkReadyToShip,
    OrderAlreadyPlaced,
    OrderCancelled,
    OrderConflict,
    OrderLine,
    OrderPlaced,
    OrderReadyToShip,
    PlaceOrder,
)

PLACE = PlaceOrder(order_id="ORD-1", line=OrderLine(sku="CUP", quantity=2), amount_cents=500, flow=CHOREOGRAPHY)
LABEL = MarkReadyToShip(order_id="ORD-1", label_id="label-ORD-1")


def _sales() -> Sales:
    return Sales.of(key="ORD-1")


async def _placed() -> Sales:
    sales = _sales()
    await sales.place(PLACE)
    return sales


async def test_a_new_order_is_pending_and_says_how_it_is_to_flow() -> None:
    sales = _sales()
    assert await sales.place(PLACE) == OrderPlaced(
        order_id="ORD-1", line=PLACE.line, amount_cents=500, flow=CHOREOGRAPHY
    )
    assert sales.state.status == PENDING
    assert sales.state.line == PLACE.line


async def test_the_same_order_again_is_answered_and_starts_nothing() -> None:
    sales = await _placed()
    await sales.mark_ready(LABEL)
    before = sales.state.SerializeToString(deterministic=True)
    answer = await sales.place(PLACE)
    assert answer == OrderAlreadyPlaced(order_id="ORD-1", order=sales.state)
    assert sales.state.SerializeToString(deterministic=True) == before


async def test_the_same_id_with_other_content_is_refused_and_says_what_differs() -> None:
    sales = await _placed()
    other = PlaceOrder(order_id="ORD-1", line=OrderLine(sku="POT", quantity=2), amount_cents=700, flow=CHOREOGRAPHY)
    answer = await sales.place(other)
    assert isinstance(answer, OrderConflict)
    assert answer.difference == "sku is CUP, not POT, amount_cents is 500, not 700"
    assert sales.state.line.sku == "CUP"


async def test_a_labelled_order_is_ready_to_ship() -> None:
    sales = await _placed()
    assert await sales.mark_ready(LABEL) == OrderReadyToShip(order_id="ORD-1", label_id="label-ORD-1")
    assert (sales.state.status, sales.state.label_id) == (READY_TO_SHIP, "label-ORD-1")


async def test_s70_a_second_label_message_gets_the_recorded_answer() -> None:
    sales = await _placed()
    first = await sales.mark_ready(LABEL)
    assert await sales.mark_ready(LABEL) == first


async def test_a_pending_order_is_cancelled_with_its_reason() -> None:
    sales = await _placed()
    answer = await sales.cancel(CancelOrder(order_id="ORD-1", reason="changed my mind"))
    assert answer == OrderCancelled(order_id="ORD-1", reason="changed my mind", line=PLACE.line)
    assert sales.state.status == CANCELLED


async def test_s70_a_second_cancellation_gets_the_recorded_answer() -> None:
    sales = await _placed()
    first = await sales.cancel(CancelOrder(order_id="ORD-1", reason="first"))
    assert await sales.cancel(CancelOrder(order_id="ORD-1", reason="second")) == first


async def test_s89_an_order_that_is_ready_to_ship_cannot_be_cancelled() -> None:
    sales = await _placed()
    await sales.mark_ready(LABEL)
    answer = await sales.cancel(CancelOrder(order_id="ORD-1"))
    assert isinstance(answer, CancellationRefused)
    assert answer.reason == "the order is ready to ship"
    assert sales.state.status == READY_TO_SHIP


async def test_an_order_nobody_placed_cannot_be_cancelled() -> None:
    sales = _sales()
    answer = await sales.cancel(CancelOrder(order_id="ORD-1"))
    assert isinstance(answer, CancellationRefused)
    assert sales.state.status == UNKNOWN


async def test_a_label_that_comes_after_the_cancellation_is_handed_back_to_be_voided() -> None:
    sales = await _placed()
    await sales.cancel(CancelOrder(order_id="ORD-1", reason="late"))
    answer = await sales.mark_ready(LABEL)
    assert answer == OrderCancelled(order_id="ORD-1", reason="late", line=PLACE.line, label_id="label-ORD-1")
    assert sales.state.status == CANCELLED


async def test_a_label_is_handed_back_only_once() -> None:
    sales = await _placed()
    await sales.cancel(CancelOrder(order_id="ORD-1", reason="late"))
    await sales.mark_ready(LABEL)
    for again in (await sales.mark_ready(LABEL), await sales.cancel(CancelOrder(order_id="ORD-1"))):
        assert isinstance(again, OrderCancelled)
        assert again.label_id == ""
