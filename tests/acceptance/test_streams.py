"""A program that places many orders at once, over a stream to a node that is killed: each order is placed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protos import sales_pb2
from protos.sales_pb2 import OrderLine, PlaceOrder
from runtime import connect
from tests.acceptance.shop import SERVICES, open_shop

pytestmark = pytest.mark.timeout(300)

SETTINGS: dict[str, object] = {"lease_s": 1.0, "renew_s": 0.3, "sweep_s": 0.5}


async def test_orders_on_a_stream_whose_node_is_killed_are_asked_again_and_placed_once(tmp_path: Path) -> None:
    ids = [f"order-{number}" for number in range(300)]
    async with open_shop(tmp_path, nodes=[], settings=SETTINGS) as shop:
        first, second = await asyncio.gather(*(shop.harness.start(name, SERVICES) for name in ("first", "second")))
        await shop.restock("book", 1_000)
        addresses = first.address, second.address
        async with connect(*addresses, contracts=[sales_pb2], patience=60.0) as client:
            asked = [
                asyncio.create_task(
                    client.ask(
                        PlaceOrder(order_id=id, line=OrderLine(sku="book", quantity=1), amount_cents=5), timeout=90
                    )
                )
                for id in ids
            ]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            first.kill()
            outcomes = await asyncio.gather(*asked)
        assert not any(outcome.fault for outcome in outcomes)
        assert len(await shop.ended(ids, timeout_s=60)) == 300
        await shop.check_books()
