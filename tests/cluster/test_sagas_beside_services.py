"""Nodes that host a saga and the service that it lives beside: what the two say to each other is committed as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from protos import orders_pb2
from protos.sales_pb2 import ORCHESTRATION, READY_TO_SHIP
from runtime.host import Node
from runtime.operate.shards import whys
from tests.cluster.test_nodes_in_one_loop import client, make, order, running

_ORDERS = 10
_COMMITS = 5  # of an order: sales with the saga, billing, the saga, the warehouse, the saga with sales


async def settled(node: Node, why: str) -> None:
    """Wait until every shard of the saga says this of itself."""
    async with asyncio.timeout(20):
        told: set[str] = set()
        while told != {why}:
            await asyncio.sleep(0.05)
            reasons = whys(await node.store.cluster())
            told = {one for (kind, _), one in reasons.items() if kind == "order-process"}


async def test_an_order_over_four_nodes_takes_five_commits_when_sales_carries_the_saga_too(tmp_path: Path) -> None:
    """A chain may be cut where the machine stands still, and so an order may take one or two more."""
    sales = make(tmp_path, "sales", "sales", "orchestration")
    nodes = [sales, *(make(tmp_path, name, name) for name in ("billing", "warehouse", "orchestration"))]
    async with running(*nodes), client(sales) as stub:
        await settled(sales, "beside sales")
        await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=_ORDERS, request_id="1"), timeout=20)
        before = sum(node.committer.stats.commits for node in nodes)
        for number in range(_ORDERS):
            assert (await order(stub, f"ORD-{number}", ORCHESTRATION)).status == READY_TO_SHIP
    commits = sum(node.committer.stats.commits for node in nodes) - before
    assert commits < (_COMMITS + 2) * _ORDERS


async def test_when_the_node_of_both_is_gone_its_stand_by_drives_the_sagas_until_it_is_back(tmp_path: Path) -> None:
    stand_by = make(tmp_path, "stand-by", "orchestration", "billing", "warehouse")
    async with running(stand_by):
        async with running(make(tmp_path, "sales", "sales", "orchestration")):
            await settled(stand_by, "beside sales")
        await settled(stand_by, "an equal share: sales is nobody's")
        sales = make(tmp_path, "sales", "sales", "orchestration")
        async with running(sales), client(sales) as stub:
            await settled(stand_by, "beside sales")
            await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=1, request_id="1"), timeout=20)
            assert (await order(stub, "ORD-1", ORCHESTRATION)).status == READY_TO_SHIP
