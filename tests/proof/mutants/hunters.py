"""Who looks for a planted bug: each has numbers, and says what is broken in the run, or the saga, of one of them.

hunt ──number──▶ Simulated: one seed of a workload, whole clusters
              ├▶ Explored:  one saga of a list, every schedule of it to a bound
              └▶ Batched:   one large batch, on SQLite as in memory
     ◀──violations──
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from runtime.saga.saga import Saga
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.rules.ledger import Violation
from runtime.testing.runs.run import simulate_seed
from runtime.testing.runs.workload import Workload
from runtime.testing.virtual.dice import Dice
from tests.contract.large_batches import differences, drawn

__all__ = ["BATCHES", "EXPLORER", "Batched", "Explored", "Hunter", "Simulated", "Until"]

EXPLORER = "explorer"
BATCHES = "batches"
"""The names of the hunters that need no workload."""

# With the usual faults and silences most sagas have several times the states; with these each takes a second or two.
# What lies beyond states_max is not looked at: the shortest schedules come first.
_BOUNDS = Bounds(faults_max=1, silences_max=1, states_max=40_000)


class Hunter(Protocol):
    counts: str  # what its numbers are those of, in the singular

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        """What to look at, in this order: no more than there are seeds."""

    def look(self, number: int) -> tuple[Violation, ...]:
        """Everything that is broken there, the first thing first."""


class Simulated:
    """Seed after seed of one workload."""

    counts = "seed"

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return seeds

    def look(self, number: int) -> tuple[Violation, ...]:
        return _survived(lambda: simulate_seed(number, self._workload, brief=True).violations)


class Explored:
    """Saga after saga. Each look is an exploration of its own, so that none knows what another saw with another bug."""

    counts = "saga"

    def __init__(self, sagas: Mapping[str, type[Saga[Any]]]) -> None:
        self._sagas = tuple(sagas.items())

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        """From the first saga on, whatever the first seed is: there are always the same ones."""
        return range(min(len(self._sagas), len(seeds)))

    def look(self, number: int) -> tuple[Violation, ...]:
        name, saga = self._sagas[number]
        return _survived(lambda: _broken(name, saga))


class Batched:
    """Batch after batch of hundreds of rows, on SQLite as in memory."""

    counts = "tape"

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return seeds

    def look(self, number: int) -> tuple[Violation, ...]:
        return _survived(lambda: _written_otherwise(number))


class Until:
    """As another hunter, until `check` raises instead of letting it look."""

    def __init__(self, hunter: Hunter, check: Callable[[], None]) -> None:
        self._hunter = hunter
        self._check = check
        self.counts = hunter.counts

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return self._hunter.numbers(seeds)

    def look(self, number: int) -> tuple[Violation, ...]:
        """Raises what `check` raises."""
        self._check()
        return self._hunter.look(number)


def _broken(name: str, saga: type[Saga[Any]]) -> tuple[Violation, ...]:
    return tuple(Violation(one.check, f"{name}: {one.what}") for one in explore(saga, bounds=_BOUNDS).violations)


def _written_otherwise(number: int) -> tuple[Violation, ...]:
    size, wrong = drawn(Dice(number, "large batches"))
    with TemporaryDirectory() as folder:
        found = asyncio.run(differences(size, wrong, Path(folder) / "amends.db"))
        return tuple(Violation("I15", one) for one in found)


def _survived(look: Callable[[], tuple[Violation, ...]]) -> tuple[Violation, ...]:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a planted bug may break anything, also what looks for it
        return (Violation("crash", f"the run ended with {error!r}"),)
