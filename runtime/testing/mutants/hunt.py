"""Looks for a planted bug as for any other: seed after seed, until one breaks a promise.

    hunt(mutant, workloads, seeds) ──planted──▶ simulate_seed ... ──violation──▶ the same seed without it ──▶ Hunt

A find counts only if the same seed is clean without the bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtime.testing.mutants.mutant import Mutant
from runtime.testing.mutants.switchboard import planted
from runtime.testing.simulation.ledger import Violation
from runtime.testing.simulation.run import simulate_seed
from runtime.testing.simulation.workload import Workload

__all__ = ["Hunt", "hunt"]


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of the search for one mutant."""

    name: str
    seeds: int  # looked at, the one that found it included
    workload: str = ""  # that found it; empty: nothing did
    seed: int = 0
    invariants: tuple[str, ...] = ()  # that it broke there, in the order they were seen
    what: str = ""  # the first violation
    control: tuple[str, ...] = ()  # what the seed breaks without the mutant: a bug of the product, or of the harness

    @property
    def found(self) -> bool:
        return bool(self.workload) and not self.control


def hunt(mutant: Mutant, workloads: Mapping[str, Workload], seeds: Iterable[int]) -> Hunt:
    """Try each seed with each workload until one of them shows the mutant."""
    looked = 0
    for seed in seeds:
        looked += 1
        for name, workload in workloads.items():
            with planted(mutant):
                violations = _violations(seed, workload)
            if violations:
                control = tuple(f"{one.invariant}: {one.what}" for one in _violations(seed, workload))
                invariants = tuple(dict.fromkeys(one.invariant for one in violations))
                return Hunt(mutant.name, looked, name, seed, invariants, violations[0].what, control)
    return Hunt(mutant.name, looked)


def _violations(seed: int, workload: Workload) -> tuple[Violation, ...]:
    try:
        return simulate_seed(seed, workload, brief=True).violations
    except Exception as error:  # noqa: BLE001 - a planted bug may break anything, also what looks for it
        return (Violation("crash", f"the run ended with {error!r}"),)
