"""Viewers of a bench fetch what a browser would, over a real page."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.viewers import SCREENS, Totals, viewers
from runtime.adapters import system_ports
from runtime.store.sqlite import SqliteStore
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import fill


async def beyond(totals: Totals, screens: float) -> dict[str, float]:
    while (now := await totals())["screens"] <= screens:
        await asyncio.sleep(0.05)
    return now


@pytest.mark.timeout(120)
async def test_each_viewer_loads_its_screen_and_fetches_what_has_changed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db", system_ports())
    await store.open()
    async with viewers(f"sqlite:///{tmp_path}/a.db", len(SCREENS)) as totals:
        first = await totals()
        assert first["screens"] == len(SCREENS)
        await fill(store, stuck_row())
        then = await beyond(totals, first["screens"])
        assert then["page_cpu_s"] >= first["page_cpu_s"] > 0
    await store.close()
