"""A disk that turns read-only under running nodes, as Linux does with one that reports errors."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import NODE, NodeShop
from tests.acceptance.test_store_files import ended

pytestmark = pytest.mark.timeout(120)

Disk = tuple[Path, Callable[[], object]]


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk of its own here: {done.stderr.decode(errors='replace').strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of its own, and what turns it read-only whoever writes to it; one has to be root for that."""
    image, at = tmp_path / "disk.img", tmp_path / "disk"
    at.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    run("mkfs.ext4", "-q", "-F", image)
    run("mount", "-o", "loop,errors=remount-ro", image, at)
    device = at.stat().st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    trigger = Path(f"/sys/fs/ext4/{name}/trigger_fs_error")
    try:
        if not trigger.exists():
            pytest.skip("this kernel reports no errors on demand")
        yield at, partial(trigger.write_text, "broken by a test", encoding="ascii")
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


async def test_nodes_whose_disk_turns_read_only_end_with_3_and_say_so(tmp_path: Path, disk: Disk) -> None:
    folder, turn_read_only = disk
    url = f"sqlite:///{folder / 'amends.db'}"
    async with Harness(command=NODE, directory=tmp_path, store_url=url) as harness:
        shop = NodeShop(harness)
        nodes = [await harness.start(name) for name in ("one", "two")]
        await shop.restock("book")
        await shop.place("order-1", wait=True)
        await harness.store.close()
        turn_read_only()
        assert [await ended(node) for node in nodes] == [3, 3]
        for node in nodes:
            assert "node cannot go on" in node.output()
            assert "was mounted read-only" in node.output()
        await shop.close()
