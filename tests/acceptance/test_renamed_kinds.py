"""Kinds get other names in a new build: real nodes of it go on with what nodes of the old one have begun."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protos.billing_pb2 import BillState
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP
from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.shop import SHARDS, NodeShop

pytestmark = pytest.mark.timeout(180)

COMMAND = (sys.executable, str(Path(__file__).with_name("renaming_node.py")))
WITHOUT_WAREHOUSE = ("sales", "billing", "orchestration")
ORDERS = ("ORD-1", "ORD-2", "ORD-3")


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[NodeShop]:
    """With goods for two of three orders."""
    settings = {"log_format": "json", "shards_per_kind": SHARDS}
    async with Harness(command=COMMAND, directory=tmp_path, settings=settings, start_timeout_s=60.0) as harness:
        shop = NodeShop(harness)
        node = await harness.start("one", env={"BUILD": "before"})
        await shop.restock("HAT", 2)
        await node.stop()
        yield shop
        await shop.close()


async def begun_before(shop: NodeShop) -> NodeProcess:
    """A node of the build before, all of whose orders are paid and wait for the warehouse, which it does not host."""
    node = await shop.harness.start("one", WITHOUT_WAREHOUSE, env={"BUILD": "before"})
    for order_id in ORDERS:
        await shop.place(order_id, sku="HAT")

    async def all_wait() -> bool:
        rows = await shop.harness.store.load([("order-process", one) for one in ORDERS])
        records = [SagaRecord.FromString(row.state) for row in rows if row is not None]
        return len(records) == len(ORDERS) and all(one.tasks[1].do.command_id for one in records)

    await shop.harness.eventually(all_wait, timeout_s=30, what="all orders wait for the warehouse")
    return node


async def kinds_with_rows(shop: NodeShop, *kinds: str) -> set[str]:
    return {kind for kind in kinds if await shop.harness.store.actors(kind, limit=1)}


async def both_ends_are_there(shop: NodeShop) -> None:
    """Two orders are on their way, and the third, for which there are no goods, has its money back."""
    orders = await shop.ended(ORDERS, timeout_s=60)
    assert sorted(one.status for one in orders.values()) == sorted([READY_TO_SHIP, READY_TO_SHIP, CANCELLED])
    (cancelled,) = [key for key, one in orders.items() if one.status == CANCELLED]
    for key in ORDERS:
        row = await shop.actor("billing", key)
        bill = BillState.FromString(row.state) if row is not None else BillState()
        assert (bill.charges, bill.refunds) == (1, int(key == cancelled))
    assert await kinds_with_rows(shop, "billing", "order-process", "invoicing", "purchase") == {
        "billing",
        "order-process",
    }


async def test_a_node_that_is_killed_comes_back_with_other_names_and_ends_what_it_had_begun(shop: NodeShop) -> None:
    (await begun_before(shop)).kill()
    await shop.harness.start("one", env={"BUILD": "after"})
    await both_ends_are_there(shop)
    await shop.check_books()


async def test_nodes_of_both_builds_share_what_is_under_way_and_the_old_one_may_come_back(shop: NodeShop) -> None:
    await begun_before(shop)
    after = await shop.harness.start("two", env={"BUILD": "after"})
    await both_ends_are_there(shop)
    await after.stop()
    await shop.harness.start("three", env={"BUILD": "before"})
    await shop.place("ORD-4", sku="HAT")
    assert (await shop.ended(["ORD-4"]))["ORD-4"].status == CANCELLED, "the goods are gone"
    await shop.check_books()


async def test_a_build_that_has_forgotten_the_first_name_of_a_kind_does_not_start_and_harms_nothing(
    shop: NodeShop,
) -> None:
    await begun_before(shop)
    await shop.harness.start("two", env={"BUILD": "after"})
    refused = await shop.harness.run(
        (*COMMAND, "--store", shop.harness.store_url, "--listen", "127.0.0.1:0", "--name", "three"),
        env={"BUILD": "forgetful"},
        settings={"shards_per_kind": SHARDS},
        timeout_s=60,
    )
    assert refused.code == 1 and "let formerly of 'purchase' begin with 'order-process'" in refused.output
    await both_ends_are_there(shop)
