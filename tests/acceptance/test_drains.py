"""What a drain came to is what the node's exit code says, and no drain lasts for ever."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.launching import CUT_SHORT
from runtime.store.records import Transition, Verdict
from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.test_exits_beside_handlers import mail

pytestmark = pytest.mark.timeout(120)

COMMAND = (sys.executable, str(Path(__file__).with_name("lingering_node.py")))


async def at_work(harness: Harness, order_id: str) -> NodeProcess:
    """A node whose handler has begun with this order."""
    node = await harness.start("alone")
    assert await harness.store.commit([Transition(mail=(mail(1, order_id),))]) == [Verdict.COMMITTED]
    await harness.eventually(lambda: "at work" in node.output(), timeout_s=30, what="the handler runs")
    return node


def events(node: NodeProcess) -> list[str]:
    return [one["event"] for one in node.log_records()]


@contextmanager
def held(path: Path) -> Iterator[None]:
    with path.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def drained(node: NodeProcess) -> int:
    os.kill(node.pid, signal.SIGTERM)
    return await node.exited(timeout_s=60)


async def test_a_turn_that_outlasts_the_drain_is_cut_runs_anew_and_the_exit_code_says_so(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path, settings={"drain_s": 0.5}) as harness:
        node = await at_work(harness, "slow")
        assert await drained(node) == CUT_SHORT
        assert events(node)[-2:] == ["drain cut short", "node stopped"]
        assert not (await harness.store.cluster()).nodes  # it has left, and its name is free
        again = await harness.restart("alone")
        await harness.eventually(lambda: "at work" in again.output(), timeout_s=30, what="the handler runs anew")


async def test_a_handler_that_heeds_nothing_does_not_keep_its_node_from_ending(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path, settings={"drain_s": 0.5}) as harness:
        node = await at_work(harness, "deaf")
        assert await drained(node) == CUT_SHORT
        assert events(node)[-1] == "node ends without a drain"


async def test_a_store_that_does_not_take_the_leave_of_a_node_makes_no_full_drain(tmp_path: Path) -> None:
    async with Harness(command=COMMAND, directory=tmp_path, settings={"drain_s": 0.5}) as harness:
        node = await harness.start("alone")
        with held(Path(tmp_path, "amends.db-lock")):
            assert await drained(node) == CUT_SHORT
        assert [row.name for row in (await harness.store.cluster()).nodes] == ["alone"]  # until its lease runs out


@pytest.mark.parametrize("begun", ["nothing", "task", "thread"])
async def test_a_drain_that_is_complete_is_one_whatever_a_handler_has_begun_beside_it(
    tmp_path: Path, begun: str
) -> None:
    async with Harness(command=COMMAND, directory=tmp_path) as harness:
        node = await at_work(harness, begun)
        assert await drained(node) == 0
        assert events(node)[-1] == "node stopped"
