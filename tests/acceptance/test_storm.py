"""A short storm over real processes adds up; one whose participants are cheated does not, and says so."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path

import pytest

from examples.storm.chaos import Pace
from examples.storm.customers import wish
from examples.storm.run import StormFailed, StormPlan, StormRun
from tests.acceptance.shop import ROOT

pytestmark = pytest.mark.timeout(600)

FIGURES = (
    "seconds",
    "kills",
    "freezes",
    "cuts",
    "orders",
    "ready",
    "cancelled",
    "cents_off",
    "units_off",
    "unfinished",
)


async def storm(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.storm", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_after_a_storm_not_a_cent_and_not_a_unit_is_off() -> None:
    seed = str(random.randrange(10**6))
    few = ("--open", "48")  # at a time, so that a slow machine has answered each of them before its customer gives up
    code, output, errors = await storm("--seconds", "10", "--seed", seed, *few, "--json")
    assert code == 0, f"{output}\n{errors}"
    figures = json.loads(output.splitlines()[-1])
    assert set(figures) > set(FIGURES)
    assert (figures["cents_off"], figures["units_off"], figures["unfinished"], figures["faults"]) == (0, 0, 0, [])
    assert figures["seed"] == int(seed)
    assert figures["orders"] == figures["ready"] + figures["cancelled"] > 0
    assert min(figures[name] for name in ("kills", "ready", "cancelled", "charged_cents", "refunded_cents")) > 0
    assert f"seed {seed}" in errors


def cheats_both(seed: int, orders: int) -> bool:
    """Whether the forgetful node keeps money and gives goods away in the first so many orders of a storm."""
    wishes = [wish(seed, number) for number in range(orders)]
    kept = [one.request for one in wishes if one.cancelled_after_s is None and one.request.amount_cents < 1_000_000]
    return any(one.sku == "none" and one.amount_cents % 2 for one in kept) and any(
        one.sku.startswith("plenty") and one.order_id.endswith("7") for one in kept
    )


async def test_participants_that_are_cheated_are_found_and_everything_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    calm = Pace(kill_every_s=1e6, trouble_every_s=1e6)
    node = (sys.executable, "-m", "tests.acceptance.forgetful_node")
    open_max = 48  # placed at once, so that they are all there however few follow them in the time of the storm
    seed = next(seed for seed in range(1_000) if cheats_both(seed, open_max))
    with pytest.raises(StormFailed) as caught:
        await StormRun(StormPlan(3.0, seed, open_max=open_max, pace=calm, node=node)).run()
    report = caught.value.report
    assert not report.is_clean
    assert report.cents_off > 0
    assert report.units_off > 0
    assert report.unfinished == 0
    assert any("CANCELLED, and +" in fault for fault in report.faults)
    assert any("had 2 of label" in fault for fault in report.faults)
    (kept,) = tmp_path.glob("amends-*")
    assert (kept / "bank.log").exists()
    assert (kept / "amends.db").exists()


@pytest.mark.parametrize("arguments", [("--seconds", "0"), ("--seed", "one"), ("--open", "0"), ("--hail",)], ids=str)
async def test_bad_input_is_refused_with_2_and_named(arguments: tuple[str, ...]) -> None:
    code, _, errors = await storm(*arguments)
    assert code == 2
    assert arguments[0] in errors
