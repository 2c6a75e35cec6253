"""The pytest plugin in a project of somebody else: either mode of pytest-asyncio, warnings as errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.source import ROOT

CONFTEST = 'pytest_plugins = ["runtime.testing.fixtures"]\n'
TEST = """
import asyncio

import pytest

from examples.trip.catalogue import catalogue
from examples.trip.trip_pb2 import StartTrip
from runtime.testing import ClusterLoop

pytestmark = pytest.mark.asyncio


@pytest.fixture
def indirect(make_cluster):
    return make_cluster


async def test_a_cluster(indirect):
    cluster = await indirect(catalogue(), nodes=2)
    await cluster.send(StartTrip(trip_id="T-1", flight="LX1", hotel="Ritz", rental="Wheels", price_cents=1))
    cluster.kill("node-1")
    await cluster.at_rest()
    assert await cluster.status("book-trip", "T-1") == "compensated"


async def test_another_loop_is_left_alone():
    assert not isinstance(asyncio.get_running_loop(), ClusterLoop)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    server.close()


async def test_a_failure_shows_and_is_the_only_one(make_cluster):
    cluster = await make_cluster(catalogue(), nodes=1)
    cluster.kill("node-1")
    assert cluster.now_s < 0
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_fixture_serves_a_project_of_its_own(tmp_path: Path, mode: str) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_trip.py").write_text(TEST, encoding="utf-8")
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-o", f"asyncio_mode={mode}", f"--rootdir={tmp_path}"]
    options += ["-o", "asyncio_default_fixture_loop_scope=function", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "assert cluster.now_s < 0" in done.stdout
