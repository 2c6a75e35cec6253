"""Nodes come and go in order while customers place one order after the other, and wait for each until it has ended.

Time is virtual, so the longest that an order takes is the same in every run. What was lost on the way is found within
POLL_S by a look into the store: an order that takes longer than this was found so.
"""

from __future__ import annotations

import asyncio

from actors.catalogue import catalogue
from protos.sales_pb2 import ORCHESTRATION, READY_TO_SHIP, OrderLine, OrderPlaced, OrderState, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked
from runtime.durable.waiting.actor_watch import POLL_S
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster

_STAY = ("node-1", "node-2")
_COMES_AND_GOES = "node-3"
_CUSTOMERS = 4
_ROUNDS = 2


class Shoppers:
    """Each places one order after the other at a node that stays, and notes how long it took in virtual time."""

    def __init__(self, cluster: Cluster) -> None:
        self.took_s: dict[str, float] = {}
        self._cluster = cluster
        self._go_on = True
        self._tasks = [asyncio.ensure_future(self._shop(number)) for number in range(_CUSTOMERS)]

    async def stop(self) -> None:
        self._go_on = False
        await asyncio.gather(*self._tasks)

    async def _shop(self, number: int) -> None:
        client, count = self._cluster.client(_STAY[number % 2]), 0
        while self._go_on:
            count += 1
            key, began_s = f"ORD-{number}-{count}", self._cluster.now_s
            line = OrderLine(sku="lamp", quantity=1)
            async with client.watch("sales", key) as changes:
                order = PlaceOrder(order_id=key, line=line, amount_cents=100, flow=ORCHESTRATION)
                assert isinstance((await client.ask(order)).message, OrderPlaced)
                async for change in changes:
                    assert isinstance(change.state, OrderState)
                    if change.state.status == READY_TO_SHIP:
                        break
            self.took_s[key] = self._cluster.now_s - began_s


async def test_no_order_is_found_late_while_a_node_comes_and_goes(make_cluster: MakeCluster) -> None:
    cluster = await make_cluster(catalogue(), nodes=3, settings={"shards_per_kind": 16})
    assert await cluster.send(Restock(sku="lamp", quantity=1_000_000), Restocked)
    await cluster.stop(_COMES_AND_GOES)
    shoppers = Shoppers(cluster)
    for _ in range(_ROUNDS):
        await cluster.restart(_COMES_AND_GOES)
        await cluster.advance(1)
        await cluster.stop(_COMES_AND_GOES)
        await cluster.advance(1)
    await shoppers.stop()
    late = {key: took_s for key, took_s in shoppers.took_s.items() if took_s >= POLL_S}
    assert len(shoppers.took_s) > _CUSTOMERS * _ROUNDS
    assert not late
