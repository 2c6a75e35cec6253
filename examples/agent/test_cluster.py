"""Real files in virtual time: all are written, or all are as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.agent.agent_pb2 import PlanStarted, StartPlan
from examples.agent.catalogue import catalogue
from examples.agent.test_saga import CALLS
from runtime.testing.fixtures import MakeCluster


def files_of(folder: Path) -> dict[str, str]:
    return {one.name: one.read_text("utf-8") for one in folder.glob("[!.]*.txt")}


@pytest.mark.parametrize(
    ("budget_cents", "status", "files"),
    [(6, "completed", {"a.txt": "new", "b.txt": "new"}), (5, "compensated", {"a.txt": "old"})],
)
async def test_a_plan_is_carried_out_whole_or_its_effects_are_taken_back(
    make_cluster: MakeCluster, tmp_path: Path, budget_cents: int, status: str, files: dict[str, str]
) -> None:
    (tmp_path / "a.txt").write_text("old", "utf-8")
    cluster = await make_cluster(catalogue(tmp_path), nodes=2)
    await cluster.send(StartPlan(plan_id="P-1", budget_cents=budget_cents, calls=CALLS), PlanStarted)
    await cluster.at_rest()
    assert await cluster.status("carry-out", "P-1") == status
    assert files_of(tmp_path) == files
