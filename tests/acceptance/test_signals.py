"""What a node does when it is told to end, wherever it is, and in whose company it runs."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.freezing import freeze_between_commits
from tests.acceptance.shop import NODE

pytestmark = pytest.mark.timeout(120)


async def test_a_node_among_the_variables_of_an_orchestrator_starts_and_drains_on_sighup(tmp_path: Path) -> None:
    env = {"AMENDS_SERVICE_HOST": "10.0.0.1", "AMENDS_PORT": "tcp://10.0.0.1:7650", "AMENDS_CONTRACTS": "x"}
    async with Harness(command=NODE, directory=tmp_path, env=env) as harness:
        node = await harness.start("all")
        (warned,) = [one for one in node.log_records() if "no settings" in one["event"]]
        assert warned["variables"] == ["AMENDS_PORT", "AMENDS_SERVICE_HOST"]
        os.kill(node.pid, signal.SIGHUP)
        assert await node.exited() == 0
        assert node.log_records()[-1]["event"] == "node stopped"


async def test_a_node_that_was_told_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    async with Harness(command=("nohup", *NODE), directory=tmp_path) as harness:
        node = await harness.start("all")
        status = Path(f"/proc/{node.pid}/status").read_text(encoding="ascii")
        (ignored,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
        assert int(ignored, 16) & 1 << (signal.SIGHUP - 1)
        assert await node.stop() == 0


async def _waits(harness: Harness, node: NodeProcess, event: str) -> None:
    async def check() -> bool:
        assert any(one["event"] == event for one in node.log_records()), f"{node.name} does not say: {event}"
        return True

    await harness.eventually(check, timeout_s=30, what=f"{node.name} says what it waits for")


async def _ends(node: NodeProcess, number: signal.Signals, at_last: str = "node stopped before it had started") -> None:
    os.kill(node.pid, number)
    assert await node.exited() == 0
    events = [one["event"] for one in node.log_records()]
    assert "node was told to stop" in events
    assert events[-1] == at_last


def _another(harness: Harness, name: str, **settings: object) -> NodeProcess:
    """A node of the store that has not started when this returns."""
    told = {f"AMENDS_{key.upper()}": str(value) for key, value in settings.items()}
    told |= {"AMENDS_NAME": name, "AMENDS_LISTEN": "127.0.0.1:0", "AMENDS_STORE": harness.store_url}
    node = NodeProcess(f"waits-{name}", NODE, harness.directory, told)
    node.launch()
    return node


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_node_that_waits_for_the_lock_of_its_store_says_so_and_ends_on_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        with _locked(Path(tmp_path, "amends.db-lock")):
            node = _another(harness, "a")
            await _waits(harness, node, "start waits")
            await _ends(node, number)
    assert not Path(tmp_path, "amends.db").exists()


async def test_a_node_that_waits_for_a_foreign_writer_ends_on_a_signal(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        assert await (await harness.start("first")).stop() == 0
        with closing(sqlite3.connect(Path(tmp_path, "amends.db"), isolation_level=None)) as other:
            other.execute("begin immediate")
            node = _another(harness, "a")
            await _waits(harness, node, "start waits")
            await _ends(node, signal.SIGTERM, "node ends without having started")  # SQLite itself cannot be woken


async def test_a_node_that_waits_for_its_name_says_so_ends_on_a_signal_and_leaves_the_name_free(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path, settings={"lease_s": 60.0, "renew_s": 20.0}) as harness:
        holder = await harness.start("a")
        await freeze_between_commits(holder, tmp_path)
        node = _another(harness, "a", lease_s=60.0, renew_s=20.0)
        await _waits(harness, node, "name held")
        await _ends(node, signal.SIGTERM)
        holder.thaw()
        assert await holder.stop() == 0
        assert await (await harness.start("a")).stop() == 0


async def test_a_node_whose_log_nobody_reads_works_on_and_ends_on_a_signal(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"-" * 4096)  # it is full before the node says its first word
    os.set_blocking(writing, True)
    path = f"/proc/{os.getpid()}/fd/{writing}"
    async with Harness(command=("sh", "-c", f'exec 2>{path}; exec "$@"', "sh", *NODE), directory=tmp_path) as harness:
        node = await harness.start("all", settings={"log_level": "debug"})
        assert await node.stop() == 0
    os.close(reading)
    os.close(writing)
