"""The hunters, which look for a planted bug. Each numbers its runs, and says what is broken in the run of a number.

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

# With the usual bounds most sagas have several times as many states. With these each saga takes a second or two.
# States beyond states_max are not looked at, but the shortest schedules come first.
_BOUNDS = Bounds(faults_max=1, silences_max=1, states_max=40_000)


class Hunter(Protocol):
    counts: str  # What the numbers count, in the singular: seeds, sagas, tapes.

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        """The numbers to look at, in this order, and at most as many as there are seeds."""

    def look(self, number: int) -> tuple[Violation, ...]:
        """All violations in the run of this number, in the order in which they occurred."""


class Simulated:
    """Seed after seed of one workload."""

    counts = "seed"

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return seeds

    def look(self, number: int) -> tuple[Violation, ...]:
        return _crash_counts(lambda: simulate_seed(number, self._workload, brief=True).violations)


class Explored:
    """Saga after saga. Each look is a new exploration, so that nothing remains of a look with another bug."""

    counts = "saga"

    def __init__(self, sagas: Mapping[str, type[Saga[Any]]]) -> None:
        self._sagas = tuple(sagas.items())

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        """The sagas from the first one on, whatever the first seed is."""
        return range(min(len(self._sagas), len(seeds)))

    def look(self, number: int) -> tuple[Violation, ...]:
        name, saga = self._sagas[number]
        return _crash_counts(lambda: _broken(name, saga))


class Batched:
    """Batch after batch of hundreds of rows, on SQLite as in memory."""

    counts = "tape"

    def numbers(self, seeds: Sequence[int]) -> Sequence[int]:
        return seeds

    def look(self, number: int) -> tuple[Violation, ...]:
        return _crash_counts(lambda: _differing(number))


class Until:
    """Another hunter, which stops when `check` raises."""

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


def _differing(number: int) -> tuple[Violation, ...]:
    size, wrong = drawn(Dice(number, "large batches"))
    with TemporaryDirectory() as folder:
        found = asyncio.run(differences(size, wrong, Path(folder) / "amends.db"))
        return tuple(Violation("I15", one) for one in found)


def _crash_counts(look: Callable[[], tuple[Violation, ...]]) -> tuple[Violation, ...]:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a planted bug may break anything, the hunter included
        return (Violation("crash", f"the run ended with {error!r}"),)
