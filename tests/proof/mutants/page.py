"""docs/proof/planted-bugs.md: what each planted bug breaks, and what found it. Written by the command, read by a test.

hunts, the page as it was ──page──▶ the page as it is now      (a mutant that was not hunted keeps its result)
the page ──read_page──▶ rows by name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tests.proof.mutants.hunt import Hunt
from tests.proof.mutants.hunters import BATCHES, EXPLORER
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.registry import ROOMS

__all__ = ["Row", "page", "read_page"]

_HEAD = """# Planted bugs

Planted bugs test the tests. `tests/proof/mutants/` keeps {planted} of them. Each changes a few words in one or two
functions of the product, as a tired author might have written them. One bug is planted at a time, and the simulator has
to find it like any other bug: it runs seed after seed, until one breaks a promise. Two other tools hunt as well. The
[explorer](explorer.md) hunts bugs that need a rare order of a saga's messages; it tries the order process, and small
sagas of every shape. Tapes of large batches, which SQLite and the memory store both run, hunt bugs in how SQLite writes
batches. A find counts only if the same seed, saga or tape is clean without the bug. A mutant that no longer fits the
product cannot be planted, and fails the build.

Bugs that only the test of one behaviour has to see are not hunted. The page of [behaviours](scenarios.md) names
them, and `python -m tests.proof claims` plants each for its test. Nor are bugs in what no workload has, such as
reminders and pauses. `tests/proof/mutants/registry.py` lists them, and every build plants each for its own tests.

```
python -m tests.proof mutants                                      # hunt all of them, up to 5,000 seeds each
python -m tests.proof mutants --only gap-forgotten                 # hunt this one
python -m tests.proof mutants --list                               # only name them
python -m tests.proof mutants --workload explorer                  # hunt with the explorer alone
python -m tests.proof mutants --page docs/proof/planted-bugs.md    # hunt, and update this page
```

**{found} of {planted} are found**: {early} of them within ten seeds, {explored} by the explorer. For the others the
last column says why they are not found. The column `seeds` counts the seeds that were tried, from seed 0 on. For
`{explorer}` it counts sagas, for `{batches}` tapes. A seed means something only for the code with which it was found.
The invariants are those of [the simulator](simulation.md). `bug` means an unhandled exception, `livelock` a run without
an end.
"""
_TABLE = """
## {room}

| planted bug | what it breaks | found by | seeds | invariants |
|---|---|---|---|---|
"""
_NOBODY = "-"
_EARLY = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One mutant as it stands on the page."""

    name: str
    breaks: str
    found_by: str  # The workload, the explorer or the tapes; empty if it was not found.
    seeds: int  # How many seeds, sagas or tapes were tried.
    invariants: str  # The broken invariants, or why the mutant is not found.

    def line(self) -> str:
        seeds = str(self.seeds) if self.found_by else f"over {self.seeds:,}"
        return f"| `{self.name}` | {self.breaks} | {self.found_by or _NOBODY} | {seeds} | {self.invariants} |\n"


def page(hunts: Iterable[Hunt], before: str) -> str:
    """The page after these hunts. A mutant that was not hunted keeps its result of the page `before`."""
    hunted = {one.name: one for one in hunts}
    known = read_page(before)
    rows = {room: list(_rows(mutants, hunted, known)) for room, mutants in ROOMS.items()}
    every = [row for some in rows.values() for row in some]
    found = [row for row in every if row.found_by]
    explored = sum(row.found_by == EXPLORER for row in found)
    early = sum(row.seeds <= _EARLY and row.found_by != EXPLORER for row in found)
    planted = sum(len(mutants) for mutants in ROOMS.values())
    tables = [_TABLE.format(room=room.capitalize()) + "".join(row.line() for row in rows[room]) for room in rows]
    head = _HEAD.format(
        planted=planted, found=len(found), early=early, explored=explored, explorer=EXPLORER, batches=BATCHES
    )
    return head + "".join(tables)


def _rows(mutants: Iterable[Mutant], hunted: Mapping[str, Hunt], known: Mapping[str, Row]) -> Iterator[Row]:
    for mutant in mutants:
        hunt = hunted.get(mutant.name)
        if hunt is not None:
            broken = ", ".join(hunt.invariants) if hunt.found else mutant.excuse
            yield Row(mutant.name, mutant.breaks, hunt.workload if hunt.found else "", hunt.seeds, broken)
        elif mutant.name in known:
            row = known[mutant.name]
            yield replace(row, breaks=mutant.breaks, invariants=row.invariants if row.found_by else mutant.excuse)


def read_page(text: str) -> dict[str, Row]:
    """The rows of a page."""
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            name, breaks, found_by, seeds, invariants = [cell.strip() for cell in line.strip("|").split(" | ")]
            count = int(seeds.removeprefix("over ").replace(",", ""))
            name = name.strip("`")
            rows[name] = Row(name, breaks, found_by.replace(_NOBODY, ""), count, invariants)
    return rows
