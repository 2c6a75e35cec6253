"""B, I. After the end; and what a caller may still ask for."""

from __future__ import annotations

import pytest

from protos.sales_pb2 import READY_TO_SHIP
from runtime.protos.saga_pb2 import CancelRefused
from tests.scenarios.conftest import OpenShop
from tests.scenarios.orders import outcome, place_order


async def test_s22_after_the_end_a_start_message_changes_nothing(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order())
    await cluster.at_rest()
    before = await cluster.client().read("order-process", "ORD-1")
    await cluster.send(place_order(hats=5))
    await cluster.at_rest()
    assert await cluster.client().read("order-process", "ORD-1") == before
    assert (await outcome(cluster)).labels == 1


@pytest.mark.broken_by("cancel-after-the-end")
async def test_s89_a_cancellation_after_the_end_is_refused_and_changes_nothing(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order())
    await cluster.at_rest()
    told = await cluster.client().cancel("order-process", "ORD-1", reason="too late")
    assert isinstance(told.message, CancelRefused) and "completed" in told.message.reason
    assert (await outcome(cluster)).status == READY_TO_SHIP
