"""C. Concurrency, atomicity, store contract."""

from __future__ import annotations

import asyncio

import pytest

from protos.sales_pb2 import READY_TO_SHIP
from protos.warehouse_pb2 import Restock, StockState
from tests.scenarios.conftest import OpenShop
from tests.scenarios.orders import outcome, place_order


@pytest.mark.broken_by("ack-before-commit")
async def test_s27_no_lost_update(open_shop: OpenShop) -> None:
    """Three messages for one actor come at once, by two nodes."""
    cluster = await open_shop(0)
    nodes = [node.name for node in cluster.sim.nodes]
    restocks = [(Restock(sku="HAT", quantity=quantity), nodes[quantity % 2]) for quantity in (1, 2, 3)]
    await asyncio.gather(*(cluster.send(restock, node=node) for restock, node in restocks))
    stock = await cluster.state("warehouse", "HAT", StockState)
    assert (stock.on_hand, stock.restocked) == (6, 6)


async def test_s27_orders_that_want_the_same_goods_at_once_all_take_effect_once(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    keys = [f"ORD-{number}" for number in range(5)]
    await asyncio.gather(*(cluster.send(place_order(key)) for key in keys))
    await cluster.at_rest()
    assert {(await outcome(cluster, key)).status for key in keys} == {READY_TO_SHIP}
    stock = await cluster.state("warehouse", "HAT", StockState)
    assert (stock.on_hand, stock.labels, stock.labelled) == (0, 5, 10)


async def test_s35_reading_an_instance_changes_nothing(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    first = await cluster.client().read("warehouse", "HAT")
    second = await cluster.client().read("warehouse", "HAT")
    assert first is not None and first == second


@pytest.mark.broken_by("missing-actor-is-an-error")
async def test_s35_an_instance_that_is_missing_is_read_as_none(open_shop: OpenShop) -> None:
    cluster = await open_shop(0)
    assert await cluster.client().read("warehouse", "NO-HAT") is None
    assert await cluster.client().read("order-process", "ORD-1") is None
