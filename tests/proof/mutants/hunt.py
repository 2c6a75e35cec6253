"""Looks for a planted bug as for any other bug: number after number, until a promise is broken.

    hunt(mutant, hunters, seeds) ──planted──▶ Hunter.look ... ──violation──▶ the same number without it ──▶ Hunt

A find counts only if the same seed, or the same saga, is clean without the bug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tests.proof.mutants.hunters import Hunter
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.switchboard import planted

__all__ = ["Hunt", "hunt"]


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of the search for one mutant."""

    name: str
    seeds: int  # How many were looked at, the finding one included. For the explorer these are sagas.
    workload: str = ""  # The workload, or the explorer, that found the mutant; empty if nothing did.
    seed: int = 0  # The seed that found it, or the place of the saga in the explorer's list.
    invariants: tuple[str, ...] = ()  # The broken invariants, in the order in which they were seen.
    what: str = ""  # The first violation.
    control: tuple[str, ...] = ()  # What the seed breaks without the mutant: a bug of product or harness.
    counts: str = "seed"  # What was counted, in the singular.

    @property
    def found(self) -> bool:
        return bool(self.workload) and not self.control


def hunt(mutant: Mutant, hunters: Mapping[str, Hunter], seeds: Sequence[int]) -> Hunt:
    """One look of each hunter after another, as many rounds as there are seeds, until one of them shows the mutant."""
    looked = 0
    for numbers in zip_longest(*(hunter.numbers(seeds) for hunter in hunters.values())):
        looked += 1
        for (name, hunter), number in zip(hunters.items(), numbers, strict=True):
            if number is None:
                continue  # This hunter has nothing left to look at.
            with planted(mutant):
                violations = hunter.look(number)
            if violations:
                control = tuple(f"{one.invariant}: {one.what}" for one in hunter.look(number))
                invariants = tuple(dict.fromkeys(one.invariant for one in violations))
                what = violations[0].what
                return Hunt(mutant.name, looked, name, number, invariants, what, control, hunter.counts)
    return Hunt(mutant.name, looked, counts=_counted(hunters))


def _counted(hunters: Mapping[str, Hunter]) -> str:
    """What the numbers of these hunters count. Of several hunters, the seeds count, since there are more of them."""
    counts = dict.fromkeys(hunter.counts for hunter in hunters.values())
    return next(iter(counts)) if len(counts) == 1 else "seed"
