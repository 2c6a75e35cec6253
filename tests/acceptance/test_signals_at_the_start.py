"""A node that is told to end while it starts ends at once, wherever that is, and leaves its name and its store free."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.shop import NODE

pytestmark = pytest.mark.timeout(120)

COMMAND = (sys.executable, str(Path(__file__).with_name("interrupted_node.py")))
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PLACES = (
    "STORE_OPENED",
    "FRONT_STARTED",
    "KINDS_STARTED",
    "SUBSCRIBED",
    "JOIN_ASKED",
    "JOINED",
    "ASSIGNED",
    "TAKE_BEGUN",
    "MEMBER_STARTED",
    "NODE_SERVES",
)


def launched(harness: Harness, place: str) -> NodeProcess:
    """A node of this name that does not come to its end by itself, and has not started when this returns."""
    told = {"AMENDS_NAME": "all", "AMENDS_LISTEN": "127.0.0.1:0", "AMENDS_STORE": harness.store_url}
    node = NodeProcess("interrupted", COMMAND, harness.directory, {**told, "INTERRUPTED": place})
    node.launch()
    return node


def events(node: NodeProcess) -> list[str]:
    return [one["event"] for one in node.log_records()]


async def goes_on(harness: Harness) -> None:
    """Nobody is in the way of the next node: it starts without a wait, alone."""
    node = await harness.start("all")
    assert "start waits" not in events(node)
    assert "name held" not in events(node)
    assert [row.name for row in (await harness.store.cluster()).nodes] == ["all"]
    assert await node.stop() == 0


@pytest.mark.parametrize(("place", "number"), list(zip(PLACES, itertools.cycle(SIGNALS), strict=False)))
async def test_a_signal_at_any_step_of_the_start_ends_the_node_with_0_and_frees_its_name(
    tmp_path: Path, place: str, number: signal.Signals
) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        node = launched(harness, f"{place}:{number.name}")
        assert await node.exited() == 0
        assert "node was told to stop" in events(node)
        assert events(node)[-1] in ("node stopped before it had started", "node stopped")
        await goes_on(harness)


@pytest.mark.parametrize("place", ["load_settings", "open_log", "_heeded"])
async def test_a_signal_before_anything_is_begun_ends_the_node_with_0(tmp_path: Path, place: str) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        node = launched(harness, f"{place}:SIGTERM")
        assert await node.exited() == 0
        assert not Path(tmp_path, "amends.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_during_a_migration_ends_the_node_and_leaves_nothing_of_the_step_that_had_begun(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        assert await (await harness.start("all")).stop() == 0
        node = launched(harness, "MIGRATION")
        await harness.eventually(lambda: "start waits" in events(node), timeout_s=30, what="it says that it waits")
        os.kill(node.pid, number)
        assert await node.exited() == 0
        assert "node was told to stop" in events(node)
        await goes_on(harness)  # which a half done, or a newer, schema would refuse


async def test_a_signal_while_the_port_is_bound_ends_the_node_which_says_so(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        node = launched(harness, "BINDING")
        await harness.eventually(lambda: "start waits" in events(node), timeout_s=30, what="it says that it waits")
        os.kill(node.pid, signal.SIGINT)
        assert await node.exited() == 0
        assert events(node)[-1] == "node stopped before it had started"
        await goes_on(harness)
