"""`node.py --page`: a real node serves the page of its cluster, and stops although somebody looks."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.acceptance.shop import ROOT

pytestmark = pytest.mark.timeout(120)


async def test_a_node_serves_the_page_and_drains_while_somebody_looks(tmp_path: Path) -> None:
    arguments = ("--store", f"sqlite:///{tmp_path}/page.db", "--listen", "127.0.0.1:0", "--log-format", "json")
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "node.py", *arguments, "--page", "127.0.0.1:0", "--name", "one"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert node.stdout is not None
    url, said = "", list[str]()
    try:
        while "node started" not in (line := (await node.stdout.readline()).decode()):
            assert line, "\n".join(said)
            said.append(line)
            url = url or json.loads(line).get("url", "")
        async with httpx.AsyncClient(base_url=url, timeout=30.0) as browser:
            assert "1 of 1 node has a lease" in (await browser.get("/cluster")).text
            assert "billing" in (await browser.get("/flows")).text
            async with browser.stream("GET", "/live", params={"of": "/cluster", "seen": "nodes.0"}) as stream:
                lines = stream.aiter_lines()
                while not (await anext(lines)).startswith("event: changed-nodes"):
                    pass
                node.send_signal(signal.SIGTERM)
                async for _ in lines:  # until the page ends it
                    pass
        await node.stdout.read()
        assert await node.wait() == 0
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
