"""A participant that is killed with -9 pauses new sagas, and `amends admin pauses` says so until it is back."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.store.summaries import SummaryFilter
from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import ROOT, SHARDS, NodeShop

pytestmark = pytest.mark.timeout(300)

NODE = (sys.executable, str(ROOT / "tests" / "acceptance" / "pausing_node.py"))
FIRST = [f"ORD-{number}" for number in range(4)]
LATER = [f"LATE-{number}" for number in range(4)]


async def pauses(harness: Harness) -> list[dict[str, Any]]:
    """As an operator sees them, in another process."""
    command = (sys.executable, "-m", "runtime.admin", "--store", harness.store_url, "pauses", "--json")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    told: list[dict[str, Any]] = json.loads(said)
    return told


async def test_s139_a_killed_participant_pauses_new_sagas_and_the_operator_sees_it(tmp_path: Path) -> None:
    settings: dict[str, object] = {"log_format": "json", "shards_per_kind": SHARDS, "pause_after": 2, "sweep_s": 0.3}
    async with Harness(command=NODE, directory=tmp_path, settings=settings, start_timeout_s=90.0) as harness:
        shop = NodeShop(harness)
        await harness.start("shop", ["sales", "warehouse", "orchestration"])
        await harness.start("till", ["billing"])
        await shop.restock()
        harness.nodes["till"].kill()
        for key in FIRST:
            await shop.place(key, nodes=["shop"])

        async def is_paused() -> bool:
            return bool(await pauses(harness))

        await harness.eventually(is_paused, timeout_s=60, what="billing is paused", every_s=0.5)
        (told,) = await pauses(harness)
        assert (told["participant"], told["node"], told["sagas"]) == ("billing", "shop", ["order-process"])
        assert told["error"] == "no answer in time"
        for key in LATER:
            await shop.place(key, nodes=["shop"])
        await asyncio.sleep(2.0)
        begun = await shop.harness.store.summaries(SummaryFilter(kind="order-process", prefix="LATE-"), limit=9)
        assert len(begun) <= 1, f"but for one trial, new sagas wait: {begun}"
        await harness.restart("till")
        await shop.ended([*FIRST, *LATER], timeout_s=150.0)

        async def is_over() -> bool:
            return not await pauses(harness)

        await harness.eventually(is_over, timeout_s=30, what="no pause is told any more", every_s=0.5)
        await shop.close()
