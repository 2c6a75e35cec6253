"""D, E. Outbox, duplicates, crashes; what falls due while nobody is there."""

from __future__ import annotations

import pytest

from protos.sales_pb2 import READY_TO_SHIP
from protos.warehouse_pb2 import Restock, StockState
from tests.scenarios.conftest import OpenShop
from tests.scenarios.orders import OrderOutcome, outcome, place_order


@pytest.mark.broken_by("client-retry-with-new-id")
async def test_s37_a_message_that_comes_twice_takes_effect_once(open_shop: OpenShop) -> None:
    cluster = await open_shop(0)
    id = int(cluster.now_s * 1000).to_bytes(6, "big") + bytes(10)
    await cluster.send(Restock(sku="HAT", quantity=3), message_id=id)
    await cluster.send(Restock(sku="HAT", quantity=3), message_id=id)
    assert (await cluster.state("warehouse", "HAT", StockState)).restocked == 3


async def test_s38_what_was_committed_goes_on_after_all_nodes_died(open_shop: OpenShop) -> None:
    cluster = await open_shop(10)
    await cluster.send(place_order())
    names = [node.name for node in cluster.sim.nodes]
    for name in names:
        cluster.kill(name)
    for name in names:
        await cluster.restart(name)
    await cluster.at_rest()
    assert await outcome(cluster) == OrderOutcome(READY_TO_SHIP, charges=1, refunds=0, labels=1, voided=0)


async def test_s51_what_fell_due_while_every_node_was_down_happens_once(open_shop: OpenShop) -> None:
    """The step's timer is due long before a node is there again; the order ends in one of its two ways all the same."""
    cluster = await open_shop(10)
    await cluster.send(place_order())
    names = [node.name for node in cluster.sim.nodes]
    for name in names:
        cluster.kill(name)
    await cluster.advance(days=1)
    for name in names:
        await cluster.restart(name)
    await cluster.at_rest()
    done = await outcome(cluster)
    assert done.charges - done.refunds == done.labels - done.voided == (done.status == READY_TO_SHIP)
    assert done.charges <= 1 and done.labels <= 1


@pytest.mark.broken_by("undo-not-run")
@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize("hats", [0, 10])
async def test_s96_whichever_node_dies_and_when_an_order_is_either_ready_or_undone(
    open_shop: OpenShop, hats: int, node: int
) -> None:
    """A node dies at each of the moments between which the order goes on."""
    cluster = await open_shop(hats)
    for number in range(8):
        key = f"ORD-{number}"
        await cluster.send(place_order(key, hats=1))
        await cluster.advance(number * 0.02)
        name = cluster.sim.nodes[node].name
        cluster.kill(name)
        await cluster.restart(name)
        await cluster.at_rest()
        done = await outcome(cluster, key)
        assert (done.charges, done.refunds, done.status == READY_TO_SHIP) == (1, 0 if hats else 1, bool(hats))
