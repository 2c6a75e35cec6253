"""What a node does when it is told to end, wherever it is, and in whose company it runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
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
