"""What is done to the store's file under running nodes: each ends with 3, and its log says what it found."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.shop import NODE, ROOT, NodeShop, open_shop

pytestmark = pytest.mark.timeout(300)


def into_the_file(path: Path) -> None:
    """Move the log into the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(full)")


def copy_over(path: Path) -> None:
    shutil.copyfile(path.with_name("backup.db"), path)


def rename_over(path: Path) -> None:
    path.with_name("backup.db").rename(path)


def truncate(path: Path) -> None:
    os.truncate(path, 5_000)


async def ended(node: NodeProcess) -> int | None:
    async with asyncio.timeout(20):
        while node.alive:
            await asyncio.sleep(0.05)
    return node.exit_code


@pytest.mark.parametrize("harm", [copy_over, rename_over, truncate])
async def test_every_node_of_a_store_that_is_replaced_or_damaged_under_it_ends_with_3_and_says_why(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with open_shop(tmp_path) as shop:
        path = next(tmp_path.rglob("amends.db"))
        into_the_file(path)
        shutil.copyfile(path, path.with_name("backup.db"))
        await shop.restock("book")
        await asyncio.gather(*(shop.place(f"order-{number}") for number in range(20)))
        into_the_file(path)
        nodes = list(shop.harness.nodes.values())
        for node in nodes:  # from its start on a node knows how far the file has got
            await shop.harness.restart(node.name)
        harm(path)
        assert [await ended(node) for node in nodes] == [3] * len(nodes)
        for node in nodes:
            assert "node cannot go on" in node.output()
            assert "restore" in node.output()


def remove(path: Path) -> None:
    path.unlink()


def remove_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def remove_the_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def put_a_fifo_for_the_log(path: Path) -> None:
    remove_the_log(path)
    os.mkfifo(f"{path}-wal")


def put_a_folder_for_the_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "harm",
    [remove, remove_the_folder, move_the_folder, remove_the_log, put_a_fifo_for_the_log, put_a_folder_for_the_file],
)
async def test_every_node_whose_store_is_taken_away_under_it_ends_with_3_and_takes_nothing_more(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "store" / "amends.db"
    path.parent.mkdir()
    async with Harness(command=NODE, directory=tmp_path, store_url=f"sqlite:///{path}") as harness:
        shop = NodeShop(harness)
        nodes = [await harness.start(name) for name in ("one", "two")]
        await shop.restock("book")
        await shop.place("order-1", wait=True)
        await harness.store.close()  # this process has no part in it
        harm(path)
        assert [await ended(node) for node in nodes] == [3, 3]
        for node in nodes:
            assert "node cannot go on" in node.output()
            assert str(path) in node.output()
        with pytest.raises(TimeoutError):
            await shop.place("order-2", timeout_s=0.5)
        await shop.close()


async def test_an_index_that_is_cut_short_ends_every_node_with_3_and_costs_nothing(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        await shop.restock("book")
        ids = [f"order-{number}" for number in range(20)]
        await asyncio.gather(*(shop.place(id) for id in ids))
        index = next(tmp_path.rglob("amends.db-shm"))
        nodes = list(shop.harness.nodes.values())
        await shop.harness.store.close()  # else this process would be one of those that cannot go on
        os.truncate(index, 0)
        codes = [await ended(node) for node in nodes]
        for code, node in zip(codes, nodes, strict=True):
            # One that was reading at that very instant is ended by the system, and even that is on its standard error.
            ended_itself = code == 3 and "was cut short" in node.output()
            was_ended = code == -signal.SIGBUS and "Fatal Python error: Bus error" in node.output()
            assert ended_itself or was_ended, code
    async with open_shop(tmp_path) as shop:
        assert len(await shop.ended(ids)) == 20
        await shop.check_books()


@pytest.mark.parametrize("command", [(*NODE,), (sys.executable, "-m", "actors.client", "get", "order-1")])
def test_a_process_that_may_open_too_few_files_refuses_to_begin(tmp_path: Path, command: tuple[str, ...]) -> None:
    finished = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -n 16; exec "$@"', "sh", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode in (1, 64)
    assert "may open 16 files" in finished.stderr
    assert "ulimit -n" in finished.stderr
