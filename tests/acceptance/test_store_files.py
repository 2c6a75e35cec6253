"""What is done to the store's file under running nodes: each ends with 3, and its log says what it found."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.testing.processes.harness import NodeProcess
from tests.acceptance.shop import open_shop

pytestmark = pytest.mark.timeout(300)


def copy_over(path: Path) -> None:
    shutil.copyfile(path.with_name("backup.db"), path)


def rename_over(path: Path) -> None:
    path.with_name("backup.db").rename(path)


def truncate(path: Path) -> None:
    os.truncate(path, 5_000)


async def ended(node: NodeProcess) -> int | None:
    async with asyncio.timeout(60):
        while node.alive:
            await asyncio.sleep(0.05)
    return node.exit_code


@pytest.mark.parametrize("harm", [copy_over, rename_over, truncate])
async def test_every_node_of_a_store_that_is_replaced_or_damaged_under_it_ends_with_3_and_says_why(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with open_shop(tmp_path) as shop:
        path = next(tmp_path.rglob("amends.db"))
        shutil.copyfile(path, path.with_name("backup.db"))
        await shop.restock("book")
        await shop.place("order-1")
        nodes = list(shop.harness.nodes.values())
        harm(path)
        assert [await ended(node) for node in nodes] == [3] * len(nodes)
        for node in nodes:
            assert "node cannot go on" in node.output()
            assert "restore" in node.output()
