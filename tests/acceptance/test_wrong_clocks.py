"""Node processes whose wall clocks jump, or are wrong as they start: no saga's timer is early or waits for it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from protos.sales_pb2 import CANCELLED
from runtime.testing.processes.clocks import faketime_library
from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import ENDED, SHARDS, NodeShop
from tests.acceptance.waiting_node import WAITS_S

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(faketime_library() is None, reason="libfaketime is not installed: apt-get install faketime"),
]

COMMAND = (sys.executable, str(Path(__file__).with_name("waiting_node.py")))
OFF_S = (-5.0, 3_600.0, 86_400.0, -86_400.0)
END_WITHIN_S = 90.0  # far less than an hour, far more than any timer


@asynccontextmanager
async def open_waiting_shop(directory: Path, *, alone: bool = False) -> AsyncIterator[NodeShop]:
    """One node with the sagas, whose clock the test moves, and one with the rest, whose clock is right, or not."""
    settings = {"log_format": "json", "shards_per_kind": SHARDS}
    async with Harness(
        command=COMMAND, directory=directory, settings=settings, start_timeout_s=90.0, clocks=True
    ) as harness:
        shop = NodeShop(harness)
        if not alone:
            await harness.start("rest", ["sales", "billing", "warehouse"])
        await harness.start("sagas", [] if alone else ["orchestration"])
        try:
            yield shop
        finally:
            await shop.close()


async def place_some(shop: NodeShop, prefix: str) -> dict[str, float]:
    """Orders, with an instant before which no saga of theirs can have set its timer."""
    began_s = time.monotonic()
    ids = [f"{prefix}-{number}" for number in range(6)]
    nodes = [name for name in shop.harness.nodes if name == "rest"]
    await asyncio.gather(*(shop.place(key, nodes=nodes, each_s=3.0) for key in ids))
    return dict.fromkeys(ids, began_s)


async def ends(shop: NodeShop, placed: dict[str, float]) -> None:
    """All orders are given up, none before its saga's timer can have been due."""
    open_ids = set(placed)
    early: list[str] = []

    async def check() -> bool:
        orders = await shop.orders(open_ids)
        at_s = time.monotonic()
        for key, order in orders.items():
            if order.status in ENDED:
                assert order.status == CANCELLED
                open_ids.discard(key)
                early.extend([key] if at_s < placed[key] + WAITS_S else [])
        assert not open_ids, f"{len(open_ids)} orders are open, such as {min(open_ids)}"
        return True

    await shop.harness.eventually(check, timeout_s=END_WITHIN_S, what="all orders are given up", every_s=0.02)
    assert not early


async def said(shop: NodeShop, event: str) -> None:
    await shop.harness.eventually(
        lambda: any(one["event"] == event for one in shop.harness.nodes["sagas"].log_records()),
        timeout_s=30,
        what=f"sagas says: {event}",
        every_s=0.1,
    )


async def shown_to_operators(shop: NodeShop, off_s: float) -> None:
    async def check() -> bool:
        off = {node.name: node.clock_off_s for node in (await shop.harness.store.cluster()).nodes}
        assert abs(off["sagas"] - off_s) < 2.0
        assert off["rest"] == 0.0
        return True

    await shop.harness.eventually(check, timeout_s=30, what="the row of sagas says how far its clock is off")


@pytest.mark.parametrize("off_s", OFF_S)
async def test_timers_of_sagas_keep_their_time_while_the_clock_jumps(tmp_path: Path, off_s: float) -> None:
    async with open_waiting_shop(tmp_path) as shop:
        placed = await place_some(shop, "before")
        shop.harness.clocks["sagas"].shift(off_s)
        await said(shop, "clock jumped")
        await shown_to_operators(shop, off_s)
        placed |= await place_some(shop, "meanwhile")
        shop.harness.clocks["sagas"].shift(0.0)
        placed |= await place_some(shop, "back")
        await ends(shop, placed)


@pytest.mark.parametrize("off_s", OFF_S)
async def test_timers_of_sagas_keep_their_time_when_their_node_starts_anew_with_a_wrong_clock(
    tmp_path: Path, off_s: float
) -> None:
    async with open_waiting_shop(tmp_path) as shop:
        placed = await place_some(shop, "before")
        shop.harness.nodes["sagas"].kill()
        shop.harness.clocks["sagas"].shift(off_s)
        await shop.harness.restart("sagas")
        await said(shop, "clock set right")
        await shown_to_operators(shop, off_s)
        placed |= await place_some(shop, "after")
        await ends(shop, placed)


@pytest.mark.parametrize("off_s", [-3_600.0, -86_400.0])
async def test_timers_of_sagas_keep_their_time_when_a_lone_node_starts_anew_with_a_clock_that_is_behind(
    tmp_path: Path, off_s: float
) -> None:
    async with open_waiting_shop(tmp_path, alone=True) as shop:
        placed = await place_some(shop, "before")
        shop.harness.nodes["sagas"].kill()
        shop.harness.clocks["sagas"].shift(off_s)
        await shop.harness.restart("sagas")
        await said(shop, "clock behind store")
        placed |= await place_some(shop, "after")
        await ends(shop, placed)
