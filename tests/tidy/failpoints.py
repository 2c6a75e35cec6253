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

A failpoint names a durable boundary. It is a place just before or just after a step whose effect outlives the process,
or a step that decides about such an effect. In production nothing happens there (`runtime/failpoints.py`). The
simulator kills a node there.

```
python -m tests.proof failpoints --workload crash       # kill at each failpoint, each time; then at each ordered pair
python -m tests.proof failpoints --list                 # only show the names
```

These runs have no random part. Each has a few orders in both styles (`tests/proof/workloads/crash_workload.py`), two
nodes, one order of callbacks, and the same faults of store, handlers and nodes. Only the place of the crash differs,
and how soon the node is back. In the run of a pair, the node that reaches the second point after the first crash dies
there. This is a crash in the middle of recovery, which must cost only time (I12). The promises that must hold are in
[simulation.md](simulation.md). An order cannot reach some points: `MESSAGE_PARKED`, for example, needs a poisoned
message. Random programs reach them. In one pair of five the second point is not reached after the first crash.

With `--proof FILE` the runs write what they have shown of each saga, for
[operators to see](../howto/test-your-own-saga.md#proofs-what-operators-see-of-it).

The last full run tried LAST_RUN

| failpoint | what has happened when it is reached | in |
|---|---|---|
"""
_LAST_RUN = "67 failpoints with 1,585 hits in all, and all 4,489 ordered pairs. No promise was broken."


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
