"""Nodes killed with -9: at every message boundary of an order, and at random; no order ends in between.

An order stands at boundary n when exactly n of its messages were handled and the next one waits. At each boundary of
each path each node is killed once, and it is checked that the order stood there when it was.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path as Folder

import pytest

from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from tests.acceptance.paths import BACK_ORDERED, PATHS
from tests.acceptance.shop import SERVICES, open_shop
from tests.acceptance.stepping import Walk

pytestmark = pytest.mark.timeout(600)

# Long enough that nobody is taken for dead while frozen; the killed node's name comes back before.
STEPPING: dict[str, object] = {"lease_s": 60.0, "renew_s": 0.4, "sweep_s": 0.3}
BOUNDARIES = range(1 + max(len(path.stages) for path in PATHS))


@pytest.mark.parametrize("victim", SERVICES)
async def test_s96_kill_each_node_at_each_step(victim: str, tmp_path: Folder) -> None:
    """S96: the end state is that of S90, S91 or S92, with one charge, and one label or one refund."""
    killed_at: set[tuple[str, int]] = set()
    async with open_shop(tmp_path, settings=STEPPING) as shop:
        await shop.restock("book")
        for boundary in BOUNDARIES:
            orders = {f"{path}-{boundary}": path for path in PATHS if boundary <= len(path.stages)}
            walk = Walk(shop, orders)
            await walk.begin()
            while walk.boundary < boundary:
                await walk.step()
            shop.harness.nodes[victim].kill()
            killed_at.update((str(path), walk.boundary) for path in orders.values())
            shop.thaw(*(name for name in SERVICES if name != victim))
            await shop.harness.restart(victim)
            ended = await shop.ended(orders)
            assert {key: order.status for key, order in ended.items()} == {k: path.end for k, path in orders.items()}
        await shop.check_books()
    assert killed_at == {(str(path), n) for path in PATHS for n in range(len(path.stages) + 1)}


async def test_random_kills_of_all_nodes_cost_no_order_no_cent_and_no_unit(tmp_path: Folder) -> None:
    draw = random.Random(seed := random.randrange(10**6))
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    ids = [f"order-{number}" for number in range(120)]
    async with open_shop(tmp_path, settings={"lease_s": 1.0, "renew_s": 0.3, "sweep_s": 0.5}) as shop:
        await shop.restock("book", 10_000)

        async def customer(number: int) -> None:
            await asyncio.sleep(draw.uniform(0, 8))
            await shop.place(
                ids[number],
                sku=("book", "book", BACK_ORDERED)[number % 3],
                flow=(ORCHESTRATION, CHOREOGRAPHY)[number % 2],
                each_s=3.0,
                timeout_s=60.0,
            )

        customers = [asyncio.create_task(customer(number)) for number in range(len(ids))]
        for _ in range(8):
            victim = draw.choice(SERVICES)
            await asyncio.sleep(draw.uniform(0.05, 0.4))
            shop.harness.nodes[victim].kill()
            await shop.harness.restart(victim)
        await asyncio.gather(*customers)
        await shop.ended(ids, timeout_s=60)
        await shop.check_books()


async def test_killing_all_nodes_at_once_costs_nothing_but_time(tmp_path: Folder) -> None:
    ids = [f"order-{number}" for number in range(40)]
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        flows = (ORCHESTRATION, CHOREOGRAPHY)
        await asyncio.gather(*(shop.place(key, flow=flows[n % 2]) for n, key in enumerate(ids)))
        for node in shop.harness.nodes.values():
            node.kill()
        await asyncio.gather(*(shop.harness.restart(name) for name in SERVICES))
        await shop.ended(ids)
        await shop.check_books()
