"""The table of docs/proof/scenarios.md, made from the names of the tests.

python -m tests.tidy.scenarios     writes the page anew
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.source import ROOT, functions, modules, name

__all__ = ["OPEN", "PAGE", "UNBROKEN", "Scenario", "page", "scenarios"]

PAGE = ROOT / "docs" / "proof" / "scenarios.md"
_NAMED = re.compile(r"test_((?:s\d+_)+)(\w+)$")
_HEAD = """# Behaviours and their tests

Each line is a promise about sagas, actors, time or the store, and names the test that holds it. The numbers are part of
the tests' names and do not change, so there are gaps. `make docs` updates this page from the tests, and a test fails
when the page is out of date. Tests in `runtime/testing/` are the conformance suite that every store passes.

Each behaviour is broken once on purpose, to see that its test fails. The last column names the bug that is planted for
that. It is one of [those that are hunted](planted-bugs.md), or of those that only this test has to see
(`tests/proof/mutants/claimed.py`). A marker beside the test names it (`@pytest.mark.broken_by`). This runs each such
test with its bug, and fails if one of them passes:

```
python -m tests.proof claims               # all of them
python -m tests.proof claims --only 105    # those of one behaviour
```

{broken} of {all} behaviours are broken so. The others, and parts of behaviours that nothing holds:

{open}

| behaviour | promise | test | planted bug |
|---|---|---|---|
"""
OPEN = {
    9: "the key of an event is one text field of it, nested or not, and each event may have another. A key that is "
    "made of several fields of one event is not read: routing runs no code of an author",
    26: "no event waits for a later state of its saga, unless the saga awaits it; then it is kept (S99)",
    79: "a plan is a list that is made once (`Each`); a step can neither add to it nor drop from it",
}
UNBROKEN = {
    131: "with its bug (`lent-and-nobody-told`, which the workload `upgrade` finds) it waits till its time is over",
}
"""Behaviours whose tests run without a planted bug, and why."""


@dataclass(frozen=True, slots=True, order=True)
class Scenario:
    """One behaviour held by one test."""

    number: int
    sentence: str
    path: str
    test: str
    bug: str  # The planted bug that the test has to see; empty if it names none.


def scenarios() -> list[Scenario]:
    """Every test that is named by the number of a behaviour, by number."""
    return sorted(one for path in modules("tests", "runtime/testing") for one in _of(path))


def page() -> str:
    """The page as it ought to be."""
    found = scenarios()
    numbers, broken = {one.number for one in found}, {one.number for one in found if one.bug}
    told = sorted([*OPEN.items(), *UNBROKEN.items()])
    open_ = "\n".join(f"- S{number}: {what}." for number, what in told)
    return _HEAD.format(open=open_, broken=len(broken), all=len(numbers)) + "".join(
        f"| S{one.number} | {one.sentence} | {_link(one)} | {f'`{one.bug}`' if one.bug else ''} |\n" for one in found
    )


def _of(path: Path) -> Iterator[Scenario]:
    for function in functions(path):
        match = _NAMED.match(function.name)
        if match:
            for number in re.findall(r"s(\d+)_", match[1]):
                yield Scenario(int(number), match[2].replace("_", " "), name(path), function.name, _bug(function))


def _bug(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    for one in function.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.broken_by":
            return str(ast.literal_eval(one.args[0]))
    return ""


def _link(scenario: Scenario) -> str:
    return f"[`{scenario.test}`](../../{scenario.path})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{name(PAGE)}: {len(scenarios())} tests")  # noqa: T201 # a command of its own
