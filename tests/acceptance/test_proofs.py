"""From a real exploration to the operator's page: a node tells a definition, a run proves it, and the page says so."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest

from actors.orchestration import OrderProcess
from tests.acceptance.page_process import page_of
from tests.acceptance.shop import NODE, ROOT

pytestmark = pytest.mark.timeout(120)

FEW = ("--faults", "1", "--silences", "0", "--poisons", "0", "--replays", "0", "--workings", "0", "--cancels", "0")
VERSION = OrderProcess.definition.fingerprint.hex()


async def said_by(*command: str) -> str:
    """What a command of Python says; it has to end well."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=pipe, stderr=pipe)
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode()


async def test_what_a_run_has_proven_is_shown_by_the_fingerprint_that_a_node_has_told(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/orders.db", tmp_path / "orders.proofs.json"
    admin = ("-m", "runtime.admin", "--store", url, "proofs")
    arguments = ("--store", url, "--listen", "127.0.0.1:0", "--log-format", "json", "--name", "one")
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(
        *NODE, *arguments, cwd=ROOT, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    assert node.stdout is not None
    try:
        while "node started" not in (line := (await node.stdout.readline()).decode()):
            assert line, "the node has ended"
        async with page_of(url) as address, httpx.AsyncClient(base_url=address, timeout=30.0) as browser:
            before = (await browser.get("proof", params={"version": VERSION})).text
            assert "not proven" in before and "Nothing was proven of this version." in before
            explore = ("-m", "runtime.testing", "explore", "actors.orchestration:OrderProcess", *FEW, "--json")
            told = json.loads((await said_by(*explore, "--proof", str(file))).splitlines()[-1])
            assert "1 added" in await said_by(*admin, "add", str(file))
            after = (await browser.get("proof", params={"version": VERSION})).text
            assert "not proven" not in after and f"{told['states']:,} states" in after
        [listed] = json.loads(await said_by(*admin, "--json"))
        assert (listed["version"], listed["standing"], listed["in_store"]) == (VERSION, "passed", True)
    finally:
        node.terminate()
        await node.communicate()
