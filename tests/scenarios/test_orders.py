"""H, J. The order process in both styles: how it goes through, and how it is taken back."""

from __future__ import annotations

import pytest

from protos.sales_pb2 import CANCELLED, READY_TO_SHIP, Flow
from tests.scenarios.conftest import OpenShop
from tests.scenarios.orders import OrderOutcome, outcome, place_order

BOTH = pytest.mark.parametrize("flow", [Flow.CHOREOGRAPHY, Flow.ORCHESTRATION], ids=["choreography", "orchestration"])


@pytest.mark.broken_by("charged-twice")
@BOTH
async def test_s90_s91_an_order_is_charged_once_labelled_once_and_ready(
    open_shop: OpenShop, flow: Flow.ValueType
) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order(flow=flow))
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)


@BOTH
async def test_s92_what_is_out_of_stock_is_refunded_once_and_cancelled(
    open_shop: OpenShop, flow: Flow.ValueType
) -> None:
    cluster = await open_shop(1)
    await cluster.send(place_order(flow=flow))
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(CANCELLED, charges=1, refunds=1, labels=0, voided=0)


@pytest.mark.broken_by("compensated-too-early")
async def test_s64_undos_come_in_reverse_order_and_before_the_end_is_said(open_shop: OpenShop) -> None:
    cluster = await open_shop(1)
    await cluster.send(place_order())
    await cluster.at_rest()
    story = await cluster.conversation("sales", "ORD-1")
    said = [story.index(name) for name in ("BackOrdered", "RefundOrder", "OrderRefunded", "CancelOrder")]
    assert said == sorted(said)
    assert await cluster.status("order-process", "ORD-1") == "compensated"


async def test_s66_where_the_first_step_is_refused_nothing_is_undone(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order(cents=10_000_000))
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(CANCELLED, charges=0, refunds=0, labels=0, voided=0)
    assert "RefundOrder" not in await cluster.conversation("sales", "ORD-1")
