"""What README.md shows of the order system is what its commands print, but for ids and times."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from tests.acceptance.shop import NODE
from tests.tidy.source import ROOT

pytestmark = pytest.mark.timeout(120)

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOKS = ("get ORD", "runtime.admin")  # change nothing, and may be asked again
_NODES = {"sales-7650": "sales", "billing-7651": "billing", "warehouse-7652": "warehouse"} | {
    "orchestration-7653": "orchestration"
}


def shown() -> list[tuple[str, str]]:
    """Each command of the client and the operator, with what the page shows of it."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    parts = [part for block in blocks for part in f"\n{block}".split("\n$ ")[1:]]
    found = [part.partition("\n")[::2] for part in parts]
    return [(command, text) for command, text in found if command.startswith(("python -m actors", "python -m runtime"))]


def plain(text: str) -> str:
    """Without what differs from run to run: ids, times, and how wide a table is."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"\d+(\.\d+)? (ms|s|min) ago|(?<=undo for )\d+(\.\d+)? (ms|s|min)|\d+\.\d(?!\d)", "N", text)
    lines = [" ".join(line.replace("─", " ").split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


def seen(command: str, text: str) -> str:
    """An order that is watched may have ended before the client has its first look at it."""
    lines = plain(text).splitlines()
    is_sure = "--watch" not in command or len(lines) == 1
    return "\n".join(line for line in lines if is_sure or " PENDING " not in line)


async def printed(command: str, harness: Harness) -> str:
    env = {"AMENDS_NODE": harness.nodes["sales-7650"].address, "AMENDS_STORE": harness.store_url}
    words = (sys.executable, *command.split()[1:])
    return (await harness.run(words, env={**env, "PYTHONPATH": str(ROOT)})).output


async def test_the_commands_of_the_first_page_print_what_it_shows(tmp_path: Path) -> None:
    async with Harness(command=NODE, directory=tmp_path) as harness:
        for name, service in _NODES.items():
            await harness.start(name, [service])
        for command, text in shown():
            if "place --order-id ORD-4" in command:
                harness.nodes["billing-7651"].kill()
                await harness.eventually(partial(_billing_gone, harness), timeout_s=30, what="billing is gone")
            if "get ORD-4" in command:
                await harness.restart("billing-7651")
            if any(word in command for word in _LOOKS):
                await harness.eventually(partial(_agrees, command, text, harness), timeout_s=30, what=command)
            else:
                assert seen(command, await printed(command, harness)) == seen(command, text)


async def _agrees(command: str, text: str, harness: Harness) -> bool:
    assert plain(await printed(command, harness)) == plain(text)
    return True


async def _billing_gone(harness: Harness) -> bool:
    return "billing-7651" not in await printed("python -m runtime.admin nodes", harness)


def test_the_page_shows_the_client_and_the_operator() -> None:
    commands = [command for command, _ in shown()]
    assert len(commands) == 10 and sum("runtime.admin" in command for command in commands) == 2
