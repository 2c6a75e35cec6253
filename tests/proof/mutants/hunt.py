"""Looks for a planted bug as for any other: number after number, until something breaks a promise.

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
    seeds: int  # looked at, the one that found it included; sagas, where the explorer looked
    workload: str = ""  # that found it, or the explorer; empty: nothing did
    seed: int = 0  # or the place of the saga in the explorer's list
    invariants: tuple[str, ...] = ()  # that it broke there, in the order they were seen
    what: str = ""  # the first violation
    control: tuple[str, ...] = ()  # what the seed breaks without the mutant: a bug of the product, or of the harness
    counts: str = "seed"  # what was counted, in the singular

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
                continue  # this one has nothing left to look at
            with planted(mutant):
                violations = hunter.look(number)
            if violations:
                control = tuple(f"{one.invariant}: {one.what}" for one in hunter.look(number))
                invariants = tuple(dict.fromkeys(one.invariant for one in violations))
                what = violations[0].what
                return Hunt(mutant.name, looked, name, number, invariants, what, control, hunter.counts)
    return Hunt(mutant.name, looked, counts=_counted(hunters))


def _counted(hunters: Mapping[str, Hunter]) -> str:
    """Of several, those count that go on longest: there are more seeds than sagas."""
    counts = dict.fromkeys(hunter.counts for hunter in hunters.values())
    return next(iter(counts)) if len(counts) == 1 else "seed"
