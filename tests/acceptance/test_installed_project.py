"""A project that was begun by `amends new`, in an environment that has nothing but the wheel and what it needs."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from tests.acceptance.installed import build_wheel, install, run
from tests.tidy.source import ROOT

pytestmark = pytest.mark.timeout(600)

USES = """
from protos import journeys_pb2, sales_pb2
from stays.catalogue import catalogue
print(sales_pb2.__file__, catalogue().service_names)
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs that are installed."""
    folder = tmp_path_factory.mktemp("installed")
    return install(build_wheel(folder), folder / "environment")


@pytest.fixture(autouse=True)
def _without_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")


@pytest.fixture
def project(programs: Path, tmp_path: Path) -> Path:
    run(str(programs / "amends"), "new", "stays", cwd=tmp_path)
    return tmp_path / "stays"


def test_it_uses_the_library_that_is_installed(programs: Path, project: Path) -> None:
    where = run(str(programs / "python"), "-c", "import runtime; print(runtime.__file__)", cwd=project)
    assert Path(where.strip()).is_relative_to(programs.parent)


def test_its_tests_pass_as_written_and_its_code_is_up_to_date(programs: Path, project: Path) -> None:
    assert " passed" in run("make", "test", cwd=project, programs=programs)
    assert "10 seeds" in run("make", "seeds", "SEEDS=10", cwd=project, programs=programs)


def test_its_types_are_checked_against_those_of_the_library(programs: Path, project: Path) -> None:
    mypy = (sys.executable, "-m", "mypy", "--cache-dir", str(project / ".mypy_cache"))
    assert "Success" in run(*mypy, "--python-executable", str(programs / "python"), ".", cwd=project)


async def test_its_saga_runs_on_two_nodes_to_its_end(programs: Path, project: Path) -> None:
    amends = str(programs / "amends")
    async with Harness(command=(amends, "node"), directory=project) as harness:

        async def said(*arguments: str) -> str:
            finished = await harness.run((amends, *arguments), env={"AMENDS_STORE": harness.store_url})
            assert finished.code == 0, finished.output
            return finished.output

        one, _ = await asyncio.gather(harness.start("one", ["hotels"]), harness.start("two", ["journeys"]))
        client = ("client", "--node", one.address)
        for hotel in ("Ritz", "Adlon"):
            await said(*client, "ask", "OpenHotel", json.dumps({"hotel": hotel, "rooms": 1}))
        for journey, status in (("J-1", "completed"), ("J-2", "compensated")):
            plan = {"journey_id": journey, "first": "Ritz" if journey == "J-1" else "Sacher", "second": "Adlon"}
            if journey == "J-2":
                await said(*client, "ask", "OpenHotel", json.dumps({"hotel": "Sacher", "rooms": 1}))
            await said(*client, "ask", "PlanJourney", json.dumps(plan))
            await said(*client, "watch", f"journey/{journey}")
            (saga,) = json.loads(await said("admin", "sagas", "--key", journey, "--json"))
            assert saga["status"] == status
        told = await said("admin", "conversation", "J-2")
    assert "FullyBooked" in told and "ReleaseRoom" in told


def test_a_contract_named_like_one_of_the_order_system_collides_with_nothing(programs: Path, project: Path) -> None:
    shutil.copy(ROOT / "protos" / "sales.proto", project / "protos" / "sales.proto")
    run(str(programs / "amends"), "protos", "protos", cwd=project)
    used = run(str(programs / "python"), "-c", USES, cwd=project)
    assert str(project / "protos" / "sales_pb2.py") in used
