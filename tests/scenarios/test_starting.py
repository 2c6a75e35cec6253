"""A. Starting and finding an instance."""

from __future__ import annotations

import pytest

from protos.sales_pb2 import READY_TO_SHIP, Flow
from protos.warehouse_pb2 import StockState
from tests.scenarios.conftest import OpenShop
from tests.scenarios.orders import OrderOutcome, outcome, place_order


async def test_s1_a_start_message_makes_one_instance_of_its_key(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    assert await cluster.status("order-process", "ORD-1") == "none"
    await cluster.send(place_order())
    await cluster.at_rest()
    assert await cluster.status("order-process", "ORD-1") == "completed"
    assert await cluster.status("order-process", "ORD-2") == "none"


async def test_s2_a_second_start_of_a_key_makes_no_second_instance(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order())
    await cluster.send(place_order())
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)


@pytest.mark.broken_by("events-cross-processes")
async def test_s14_processes_of_two_styles_do_not_collide_on_keys(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order("ORD-1", flow=Flow.ORCHESTRATION))
    await cluster.send(place_order("ORD-2", flow=Flow.CHOREOGRAPHY))
    await cluster.at_rest()
    assert (await outcome(cluster, "ORD-1")).status == READY_TO_SHIP
    assert (await outcome(cluster, "ORD-2")).status == READY_TO_SHIP
    assert (await cluster.state("warehouse", "HAT", StockState)).on_hand == 6
    assert await cluster.status("order-process", "ORD-2") == "none", "nobody is in charge of a choreography"
