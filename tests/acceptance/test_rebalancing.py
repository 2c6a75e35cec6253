"""A node that is added under load takes its share, and gives it back when it is stopped; no order is lost over it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import SHARDS, NodeShop, open_shop

pytestmark = pytest.mark.timeout(300)

FLOWS = (ORCHESTRATION, CHOREOGRAPHY)
GOODS = ("book", "book", BACK_ORDERED)


class OrderPlacers:
    """Place one order after another with the nodes that stay, until they are told to stop."""

    def __init__(self, shop: NodeShop) -> None:
        self.begun: list[str] = []
        self.placed: list[str] = []  # every order that was acknowledged
        self._shop = shop
        self._shopping = True
        self._tasks = [asyncio.create_task(self._shop_on(number)) for number in range(4)]

    async def _shop_on(self, customer: int) -> None:
        number = 0
        while self._shopping:
            order_id, number = f"order-{customer}-{number}", number + 1
            self.begun.append(order_id)
            sku, flow = GOODS[number % 3], FLOWS[number % 2]
            await self._shop.place(order_id, sku=sku, flow=flow, nodes=("north", "south"), wait=True, timeout_s=90)
            self.placed.append(order_id)

    async def more(self, count: int) -> None:
        """Wait until so many more orders are through."""
        wanted = len(self.placed) + count
        await self._shop.harness.eventually(
            lambda: len(self.placed) >= wanted, timeout_s=90, what=f"{count} more orders are placed", every_s=0.05
        )

    async def stop(self) -> None:
        self._shopping = False
        await asyncio.gather(*self._tasks)


async def split_among(shop: NodeShop, *names: str) -> None:
    """Wait until these own all shards, and of each kind none owns two more than another."""

    async def check() -> bool:
        shards = (await shop.harness.store.cluster()).shards
        for kind in sorted({row.kind for row in shards}):
            split = Counter(row.owner for row in shards if row.kind == kind)
            few, many = divmod(SHARDS, len(names))
            assert set(split) == set(names), f"{kind} is split {dict(split)}, not among {names}"
            assert set(split.values()) <= {few, few + bool(many)}, f"{kind} is split {dict(split)}"
        return True

    await shop.harness.eventually(check, timeout_s=60, what=f"{names} have equal shares", every_s=0.05)


async def turns_of(shop: NodeShop, order_ids: list[str]) -> Counter[str]:
    """How many messages of these orders each node handled."""
    rows = [row for order_id in order_ids for row in await shop.handled(order_id)]
    return Counter(row.node.partition("@")[0] for row in rows)


async def add_and_remove_a_node_under_load(shop: NodeShop) -> None:
    await asyncio.gather(shop.harness.start("north"), shop.harness.start("south"))
    await split_among(shop, "north", "south")
    await shop.restock("book", 100_000)
    customers = OrderPlacers(shop)
    await customers.more(10)
    east = await shop.harness.start("east")
    await split_among(shop, "north", "south", "east")
    await customers.more(20)
    assert (await turns_of(shop, customers.placed))["east"] > 0
    assert await east.stop() == 0
    await split_among(shop, "north", "south")
    before = set(customers.begun)
    await customers.more(14)
    await customers.stop()
    assert (await turns_of(shop, [order_id for order_id in customers.placed if order_id not in before]))["east"] == 0
    await shop.ended(customers.placed, timeout_s=90)
    await shop.check_books(timeout_s=60)


async def test_a_node_added_under_load_takes_its_share_of_a_shared_file_and_gives_it_back(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=()) as shop:
        await add_and_remove_a_node_under_load(shop)


async def test_a_node_added_under_load_takes_its_share_on_postgresql_and_gives_it_back(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_shop(tmp_path, nodes=(), store_url=await postgres_server.create_database()) as shop:
        await add_and_remove_a_node_under_load(shop)
