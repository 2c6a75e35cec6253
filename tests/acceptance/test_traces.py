"""A node whose collector is gone works, and ends in time."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.acceptance.shop import open_shop


async def test_a_node_whose_collector_never_answers_serves_and_ends_with_0(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with open_shop(tmp_path, nodes=()) as shop:
            node = await shop.harness.start("all", settings={"trace_endpoint": endpoint})
            await shop.restock("book")
            order = await shop.place("ORD-1")
            await shop.ended([order.order_id])
            assert await node.stop() == 0
            assert "traces cut short" in [line.get("event") for line in node.log_records()]
            await shop.check_books()
