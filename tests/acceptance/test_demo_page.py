"""The demo that goes on: a page with orders on it, a button that kills a node, and nothing left when it ends."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from examples.demo_page import demo_page
from tests.acceptance.shop import ROOT


class RunningDemo:
    """A demo as people start it, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def until(self, pattern: str) -> re.Match[str]:
        """Wait until it says so."""
        assert self.process.stdout is not None
        while (found := re.search(pattern, self.said)) is None:
            line = await self.process.stdout.readline()
            assert line, f"it ended without saying {pattern}:\n{self.said}"
            self.said += line.decode()
        return found


@asynccontextmanager
async def demo_in(folder: Path, *arguments: str) -> AsyncIterator[RunningDemo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.demo_page", "--listen", "127.0.0.1:0", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield RunningDemo(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.timeout(120)
async def test_a_node_is_killed_from_the_page_comes_back_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    async with demo_in(tmp_path, "--dead-s", "1") as demo:
        url = (await demo.until(r"http://[\d.:]+/"))[0]
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30.0) as browser:
            page = await browser.get("/")
            assert page.status_code == 200 and page.text.count('action="/demo/kill/') == 4
            while "demo-000" not in (await browser.get("/sagas")).text:
                await asyncio.sleep(0.05)
            assert (await browser.get("/static/page.css")).headers["content-type"].startswith("text/css")
            own, others = ({"Sec-Fetch-Site": site} for site in ("same-origin", "cross-site"))
            assert (await browser.post("/demo/kill/sales", headers=others)).status_code == 403
            assert (await browser.post("/demo/kill/nothing", headers=own)).status_code == 404
            killed = await browser.post("/demo/kill/billing", headers=own)
            assert (killed.status_code, killed.headers["location"]) == (303, "/")
            dead = int((await demo.until(r"kill -9 (\d+): billing is dead"))[1])
            back = int((await demo.until(r"billing is back as process (\d+)"))[1])
            assert dead != back and "sales is dead" not in demo.said
        demo.process.send_signal(signal.SIGINT)
        await demo.until("the demo has ended")
        assert await demo.process.wait() == 0
    assert [*tmp_path.iterdir()] == [], "something was left behind"
    with pytest.raises(ProcessLookupError):
        os.kill(back, 0)


async def test_the_demo_ends_by_itself_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    console = Console(record=True, width=120, file=io.StringIO())
    assert await demo_page(console, "127.0.0.1:0", minutes=0.0, dead_s=1.0) == 0
    assert "0 minutes are over" in console.export_text()
    assert [*tmp_path.iterdir()] == []
