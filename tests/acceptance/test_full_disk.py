"""A file system that is really full under the store: nodes stay up, and go on once there is room.

The small file system is a mount of its own, for which one has to be root; elsewhere the test is skipped. The logs of
the nodes are on another.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.orders_pb2 import PlaceOrderRequest
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP
from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import NODE, SERVICES, SHARDS, NodeShop

pytestmark = pytest.mark.timeout(300)

_REPEATS_S = 10.0  # a fact that comes again is told in numbers once in so long
_FULL_S = 2.5 * _REPEATS_S


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "amends-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode(errors='replace').strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left, to the last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    status = os.statvfs(folder)
    assert status.f_bavail == 0
    return ballast


@asynccontextmanager
async def shop_on(disk: Path, logs: Path) -> AsyncIterator[NodeShop]:
    settings = {"log_format": "json", "shards_per_kind": SHARDS}
    async with Harness(
        command=NODE, directory=logs, store_url=f"sqlite:///{disk}/amends.db", settings=settings, start_timeout_s=90.0
    ) as harness:
        shop = NodeShop(harness)
        await asyncio.gather(*(harness.start(name, [name]) for name in SERVICES))
        try:
            yield shop
        finally:
            await shop.close()


async def refusals(shop: NodeShop, prefix: str, for_s: float) -> Counter[tuple[grpc.StatusCode, str]]:
    """What clients are told who go on placing orders with every node."""
    told: Counter[tuple[grpc.StatusCode, str]] = Counter()
    loop = asyncio.get_running_loop()
    until_s, number = loop.time() + for_s, 0
    while loop.time() < until_s:
        for node in shop.harness.nodes.values():
            number += 1
            request = PlaceOrderRequest(
                order_id=f"{prefix}-{number % 40}",
                sku="book",
                quantity=1,
                amount_cents=1_500,
                flow=(ORCHESTRATION, CHOREOGRAPHY)[number % 2],
            )
            try:
                await shop.client(node).PlaceOrder(request, timeout=5.0)
                pytest.fail("an order was confirmed that nobody could write down")
            except grpc.aio.AioRpcError as error:
                told[error.code(), error.details() or ""] += 1
        await asyncio.sleep(0.02)
    return told


def warnings_of(text: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] in ("warning", "error")]


async def test_nodes_outlive_a_full_disk_say_so_once_and_end_all_orders_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    async with shop_on(small_disk, logs) as shop:
        await shop.restock("book")
        await asyncio.gather(*(shop.place(f"before-{number}") for number in range(20)))
        ballast = fill(small_disk)
        told = await refusals(shop, "meanwhile", _FULL_S)

        assert {code for code, _ in told} <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}, told
        assert any("disk of the store is full" in text for _, text in told), told
        assert not any(str(tmp_path) in text or "amends.db" in text for _, text in told), "no path is a client's affair"
        assert all(node.alive for node in shop.harness.nodes.values())
        for node in shop.harness.nodes.values():
            said = warnings_of(node.output())
            assert any("full" in str(line) for line in said), node.output()
            assert any("times" in line for line in said), "what came again is counted"
            assert len(said) < 200, Counter(str(line["event"]) if "event" in line else str(line) for line in said)

        ballast.unlink()
        ids = [*(f"before-{number}" for number in range(20)), *(f"meanwhile-{number}" for number in range(40))]
        await asyncio.gather(*(shop.place(id, timeout_s=60.0) for id in ids[20:]))
        ended = await shop.ended(ids)
        assert {order.status for order in ended.values()} == {READY_TO_SHIP}
        await shop.check_books()
