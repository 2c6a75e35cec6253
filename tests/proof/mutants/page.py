"""docs/proof/planted-bugs.md: what each planted bug breaks, and what found it. Written by the command, read by a test.

hunts, the page as it was ──page──▶ the page as it is now      (a row whose mutant was not hunted stays)
the page ──read_page──▶ rows by name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.proof.mutants.hunt import Hunt
from tests.proof.mutants.hunters import BATCHES, EXPLORER
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.registry import ROOMS

__all__ = ["Row", "page", "read_page"]

_HEAD = """# Planted bugs

Who tests the tests? `tests/proof/mutants/` keeps {planted} bugs, each a few changed words in one or two functions
of the product, as a tired author might have written them. They are planted one at a time while the simulator runs, and
it has to find them as it has to find any other: seed after seed, until one breaks a promise. What takes a rare order of
a saga's messages is left to the [explorer](explorer.md), which looks at saga after saga: the order process, and small
ones of every shape. How SQLite writes large batches is left to tapes, which the memory store is given as well. A find
counts only if the same seed, saga or tape is clean without the bug. A mutant that no longer fits the product cannot be
planted, and fails the build.

```
python -m tests.proof mutants                      # all of them, up to 5,000 seeds each
python -m tests.proof mutants --only gap-forgotten
python -m tests.proof mutants --list
python -m tests.proof mutants --workload explorer           # each as the explorer alone sees it
python -m tests.proof mutants --page docs/proof/planted-bugs.md   # and write this page anew
```

**{found} of {planted} are found**; {early} of them within ten seeds, {explored} by the explorer. Those that are not
found say why. The column of seeds counts how many were looked at, from seed 0 on; a seed means something only for the
code it was found with. Where `{explorer}` found it, sagas of its list are counted; where `{batches}` did, tapes. The
invariants are those of [the simulator](simulation.md); `bug` is an exception that nobody handled, `livelock` a run
without an end.
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
    """One mutant as the page tells of it."""

    name: str
    breaks: str
    found_by: str  # a workload, or the explorer; empty: not found
    seeds: int  # looked at; or sagas
    invariants: str  # or why it is not found

    def line(self) -> str:
        seeds = str(self.seeds) if self.found_by else f"over {self.seeds:,}"
        return f"| `{self.name}` | {self.breaks} | {self.found_by or _NOBODY} | {seeds} | {self.invariants} |\n"


def page(hunts: Iterable[Hunt], before: str) -> str:
    """The page after these hunts; of mutants that were not hunted, the rows of the page as it was `before`."""
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
            yield known[mutant.name]


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
