"""The linter holds a service to its word that its handlers touch nothing outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.testing.determinism.sources import lint_paths

SERVICE = """
import asyncio, os.path, urllib.parse, urllib.request
import requests

class Bills(Base, kind="bills"{says}):
    async def bill(self, command):
        {line}

    async def help(self): ...
"""


def found(folder: Path, line: str, says: str) -> list[tuple[int, str]]:
    """Line and rule of what is found, each once."""
    (folder / "bills.py").write_text(SERVICE.format(line=line, says=says), encoding="utf-8")
    return sorted({(one.line, one.name) for one in lint_paths(folder).findings})


OUTSIDE = [
    "await bank.charge(command)",
    "await asyncio.sleep(1)",
    "requests.post(command.url)",
    "urllib.request.urlopen(command.url)",
    "open('bill.txt')",
    "print(command)",
    "return (await self.bank.charge(command)).id",
]


@pytest.mark.parametrize("line", OUTSIDE)
def test_what_reaches_outside_is_found_in_a_class_that_says_that_it_does_not(line: str, tmp_path: Path) -> None:
    assert found(tmp_path, line, ', effects="none"') == [(7, "effect")]


@pytest.mark.parametrize("line", OUTSIDE)
def test_it_is_no_fault_in_any_other_class(line: str, tmp_path: Path) -> None:
    assert [name for _, name in found(tmp_path, line, "")] in ([], ["task-results"])
    assert [name for _, name in found(tmp_path, line, ', effects="any"')] in ([], ["task-results"])


@pytest.mark.parametrize(
    "line",
    [
        "await self.help()",
        "self.state.count += 1",
        "return urllib.parse.quote(command.url)",
        "return os.path.basename(command.url)",
    ],
)
def test_what_stays_inside_is_none(line: str, tmp_path: Path) -> None:
    assert found(tmp_path, line, ', effects="none"') == []
