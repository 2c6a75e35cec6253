"""The table of docs/proof/scenarios.md, made from the names of the tests.

python -m tests.tidy.scenarios     writes the page anew
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.source import ROOT, functions, modules, name

__all__ = ["PAGE", "Scenario", "page", "scenarios"]

PAGE = ROOT / "docs" / "proof" / "scenarios.md"
_NAMED = re.compile(r"test_((?:s\d+_)+)(\w+)$")
_HEAD = """# Behaviours and their tests

Each line is a promise about sagas, actors, time or the store, and names the test that holds it. The numbers are part of
the tests' names and do not change, so there are gaps. `make docs` updates this page from the names of the tests, and a
test fails when the page is out of date. Tests in `runtime/testing/` are the conformance suite that every store passes.

These parts of behaviours are not promised yet, because no code or no test holds them:

{open}

| behaviour | promise | test |
|---|---|---|
"""
_OPEN = {
    72: "an operator cannot have a stuck step left out, or noted as done",
    87: "the history keeps neither the state before and after a message nor the timers that it set and cancelled",
}


@dataclass(frozen=True, slots=True, order=True)
class Scenario:
    """One behaviour held by one test."""

    number: int
    sentence: str
    path: str
    test: str


def scenarios() -> list[Scenario]:
    """Every test that is named by the number of a behaviour, by number."""
    return sorted(one for path in modules("tests", "runtime/testing") for one in _of(path))


def page() -> str:
    """The page as it ought to be."""
    open_ = "\n".join(f"- S{number}: {what}." for number, what in _OPEN.items())
    return _HEAD.format(open=open_) + "".join(
        f"| S{one.number} | {one.sentence} | {_link(one)} |\n" for one in scenarios()
    )


def _of(path: Path) -> Iterator[Scenario]:
    for function in functions(path):
        match = _NAMED.match(function.name)
        if match:
            for number in re.findall(r"s(\d+)_", match[1]):
                yield Scenario(int(number), match[2].replace("_", " "), name(path), function.name)


def _link(scenario: Scenario) -> str:
    return f"[`{scenario.test}`](../../{scenario.path})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{name(PAGE)}: {len(scenarios())} tests")  # noqa: T201 # a command of its own
