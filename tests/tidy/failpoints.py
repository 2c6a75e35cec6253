"""The table of docs/proof/failpoints.md, made from the list of failpoints and from where the product reaches them.

python -m tests.tidy.failpoints     writes the page anew
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

from runtime.failpoints import Failpoint
from tests.tidy.source import ROOT, functions, modules, name, tree

__all__ = ["PAGE", "page", "places"]

PAGE = ROOT / "docs" / "proof" / "failpoints.md"
_HEAD = """# Failpoints

A failpoint is a name for a durable boundary: a place just before or just after something that outlives the process, or
that decides what will. In production reaching one does nothing (`runtime/failpoints.py`); the simulator kills a node
there.

```
python -m tests.proof failpoints --workload crash       # at each of them, each time; then at each ordered pair
python -m tests.proof failpoints --list                 # the names alone
```

Nothing is left to chance in these runs: a few orders in both styles (`tests/proof/workloads/crash_workload.py`), two
nodes, one order of callbacks, the same faults of store, handlers and nodes in each; only the place of the crash
differs, and how soon the node is back. In a pair, whoever reaches the second point after the first crash dies there:
a crash in the midst of recovery, which must cost time and nothing else (I12). What must hold is in
[simulation.md](simulation.md). An order cannot reach `MESSAGE_PARKED`, which takes a poisoned message; random
programs do. Where the second point is not reached after the first crash a pair does not meet; four of five do.

Last full run: LAST_RUN

| failpoint | what has happened when it is reached | in |
|---|---|---|
"""
_LAST_RUN = "67 failpoints, each of the 1,585 times that one is reached, all 4,489 ordered pairs: no promise broken."


def page() -> str:
    """The page as it ought to be."""
    found = places()
    rows = (f"| `{point.name}` | {point.value} | {', '.join(found.get(point.name, []))} |\n" for point in Failpoint)
    return _HEAD.replace("LAST_RUN", _LAST_RUN) + "".join(rows)


@cache
def places() -> dict[str, list[str]]:
    """Links to the files that reach each point, by its name."""
    found: dict[str, list[str]] = {}
    for path in modules("runtime"):
        if "testing" not in path.parts:
            for point in dict.fromkeys(_reached_in(path)):
                found.setdefault(point, []).append(f"[`{path.name}`](../../{name(path)})")
    return found


def _reached_in(path: Path) -> Iterator[str]:
    """By the functions of a file: named there, or by a name that the file has given them."""
    named = _named_in(path)
    for function in functions(path):
        for node in ast.walk(function):
            if _is_point(node):
                yield node.attr
            elif isinstance(node, ast.Name) and node.id in named:
                yield named[node.id]


def _named_in(path: Path) -> dict[str, str]:
    """Points by the names that a file gives them, for those that are reached with every message."""
    named: dict[str, str] = {}
    for statement in tree(path).body:
        if isinstance(statement, ast.Assign):
            names = [node.id for node in ast.walk(statement.targets[0]) if isinstance(node, ast.Name)]
            named |= dict(
                zip(names, (node.attr for node in ast.walk(statement.value) if _is_point(node)), strict=False)
            )
    return named


def _is_point(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Failpoint"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{name(PAGE)}: {len(Failpoint)} failpoints")  # noqa: T201 # a command of its own
