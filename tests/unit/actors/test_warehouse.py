"""Warehouse: no unit is made or lost, and the state does not grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.warehouse import STOCK_MAX, Warehouse
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    Restock,
    Restocked,
    RestockRefused,
    ShippingLabelCreated,
    ShippingLabelVoided,
    StockState,
    VoidShippingLabel,
)


def _label(quantity: int, order_id: str = "ORD-1") -> CreateShippingLabel:
    return CreateShippingLabel(sku="CUP", quantity=quantity, order_id=order_id)


def _void(quantity: int, order_id: str = "ORD-1") -> VoidShippingLabel:
    return VoidShippingLabel(sku="CUP", quantity=quantity, order_id=order_id, label_id=f"label-{order_id}")


async def _stocked(quantity: int) -> Warehouse:
    warehouse = Warehouse.of(key="CUP")
    await warehouse.restock(Restock(sku="CUP", quantity=quantity))
    return warehouse


async def test_what_is_put_in_is_on_hand() -> None:
    warehouse = await _stocked(3)
    assert await warehouse.restock(Restock(sku="CUP", quantity=4)) == Restocked(sku="CUP", quantity=4, on_hand=7)


async def test_nothing_or_too_much_cannot_be_put_in() -> None:
    warehouse = await _stocked(STOCK_MAX)
    for quantity in (0, -1, 1):
        assert isinstance(await warehouse.restock(Restock(sku="CUP", quantity=quantity)), RestockRefused)
    assert warehouse.state.on_hand == STOCK_MAX


async def test_a_label_takes_goods_out_and_is_named_by_its_order() -> None:
    warehouse = await _stocked(3)
    assert await warehouse.label(_label(3)) == ShippingLabelCreated(
        order_id="ORD-1", sku="CUP", quantity=3, label_id="label-ORD-1"
    )
    assert (warehouse.state.on_hand, warehouse.state.labels) == (0, 1)


async def test_more_than_is_on_hand_is_back_ordered_and_takes_nothing() -> None:
    warehouse = await _stocked(3)
    assert await warehouse.label(_label(4)) == BackOrdered(order_id="ORD-1", sku="CUP", quantity=4, on_hand=3)
    assert (warehouse.state.on_hand, warehouse.state.labels, warehouse.state.back_orders) == (3, 0, 1)


async def test_a_voided_label_puts_its_goods_back() -> None:
    warehouse = await _stocked(3)
    await warehouse.label(_label(2))
    assert await warehouse.void(_void(2)) == ShippingLabelVoided(
        order_id="ORD-1", sku="CUP", quantity=2, label_id="label-ORD-1"
    )
    assert (warehouse.state.on_hand, warehouse.state.labels_voided) == (3, 1)


@pytest.mark.broken_by("void-makes-goods")
async def test_s94_voiding_where_no_label_was_made_is_no_error_and_makes_no_goods() -> None:
    warehouse = await _stocked(3)
    answer = await warehouse.void(_void(2))
    assert answer.quantity == 0
    assert (warehouse.state.on_hand, warehouse.state.labels_voided) == (3, 0)


async def test_a_label_that_failed_to_be_made_is_voided_without_goods() -> None:
    warehouse = await _stocked(3)
    await warehouse.label(_label(2))
    failed = Warehouse.of(warehouse.state, key="CUP", do_failed=True)
    assert (await failed.void(_void(2))).quantity == 0
    assert (failed.state.on_hand, failed.state.labels_voided) == (1, 0), "another order's label was voided"


async def test_the_state_is_as_small_after_a_thousand_labels() -> None:
    warehouse = await _stocked(10_000)
    await warehouse.label(_label(1))
    size = len(warehouse.state.SerializeToString())
    for number in range(1000):
        await warehouse.label(_label(1, f"ORD-{number}"))
    assert len(warehouse.state.SerializeToString()) <= size + 8


@given(st.lists(st.tuples(st.sampled_from(("restock", "label", "void")), st.integers(1, 9)), max_size=40))
async def test_units_are_conserved_whatever_comes(messages: list[tuple[str, int]]) -> None:
    warehouse = Warehouse.of(StockState(), key="CUP")
    for name, quantity in messages:
        command = {"restock": Restock(sku="CUP", quantity=quantity), "label": _label(quantity), "void": _void(quantity)}
        await getattr(warehouse, name)(command[name])
        stock = warehouse.state
        assert stock.on_hand == stock.restocked - stock.labelled + stock.voided
        assert stock.on_hand >= 0
