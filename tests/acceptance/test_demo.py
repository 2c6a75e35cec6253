"""The demo is the first thing that people run: it must end well, and say so when it does not."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from examples.demo import orders_of, perform
from runtime.testing.processes.throwaway import THROWAWAY_STORES
from tests.acceptance.shop import ROOT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", THROWAWAY_STORES)
async def test_the_demo_shows_every_order_and_one_conversation_of_each_style(store: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo", "--store", store),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    for part in ("before", "during", "after"):
        for placed in orders_of(part):
            assert placed.order_id in output
    for words in ("kill -9", "billing is back", "by orchestration", "by choreography", "all adds up", "make demo-page"):
        assert words in output


async def test_the_demo_exits_with_1_and_says_what_is_wrong_when_a_node_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("examples.demo.NODE", (sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # keeps what the failed run leaves behind
    console = Console(record=True, width=120, file=io.StringIO())
    assert await perform(console) == 1
    text = console.export_text()
    assert "this does not add up" in text
    assert "no such luck" in text
