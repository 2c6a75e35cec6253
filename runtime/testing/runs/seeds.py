"""`simulate(catalogue, clients, seeds=200).check()`: hostile runs of a user's deployment, in a test.

catalogue, clients ──▶ Standing, a workload ──simulate_seed, once for each seed──▶ SeedBatch ──check──▶ the story
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.adapters import SystemClock
from runtime.saga.catalogue import Catalogue
from runtime.testing.determinism.sources import check_catalogue
from runtime.testing.runs.batch import RunBatch
from runtime.testing.runs.run import simulate_seed
from runtime.testing.runs.story import story
from runtime.testing.runs.workload import Play
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["MakeClients", "SeedBatch", "Standing", "simulate"]

MakeClients = Callable[[World, Dice], Play]
"""Makes the clients of one run. Usually it is a class that derives from Clients."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A workload whose deployment is the same for every seed."""

    catalogue: Catalogue
    clients: MakeClients
    settings: Mapping[str, Any] = field(default_factory=dict)  # Every node has them; a seed draws the others.

    def deploy(self, dice: Dice) -> Standing:
        return self

    def begin(self, world: World, dice: Dice) -> Play:
        return self.clients(world, dice)


@dataclass(slots=True)
class SeedBatch(RunBatch):
    """The totals of many seeds, and a judgement of them."""

    def check(self) -> None:
        """Raises AssertionError with the story of the first seed that broke a promise, and the command to replay it."""
        if self.failed:
            told = "\n".join(story(min(self.failed, key=lambda one: one.seed), again=self._again))
            raise AssertionError(f"{self.failures} of {self.seeds} seeds broke {self.violations} promises\n{told}")

    @property
    def _again(self) -> str:
        if self.workload:
            return self.again
        return f"{self.again}; to name it, give simulate a function and a class that a module names"


def simulate(
    catalogue: Catalogue | Callable[[], Catalogue],
    clients: MakeClients,
    *,
    seeds: int | Iterable[int] = 100,
    settings: Mapping[str, Any] | None = None,
    calm: bool = False,
) -> SeedBatch:
    """Runs so many seeds from 0 on, or the given ones; `calm` leaves all faults out. The result's `check` judges them.

    If you give the function that makes the catalogue, and not a catalogue, a failure names the command that replays it.
    Raises InvalidDefinition before the first seed if the catalogue's code uses what no replay could repeat.
    """
    made = catalogue if isinstance(catalogue, Catalogue) else catalogue()
    check_catalogue(made)
    workload = Standing(made, clients, settings or {})
    name = "" if settings else _name_of(catalogue, clients)
    batch = SeedBatch(SystemClock(), workload=name, calm=calm)
    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        batch.add(simulate_seed(seed, workload, calm=calm))
    return batch


def _name_of(catalogue: object, clients: object) -> str:
    """The name for the command line, MODULE:CLIENTS@MODULE:CATALOGUE; empty if a part has none."""
    parts = [(getattr(one, "__module__", ""), getattr(one, "__qualname__", "")) for one in (clients, catalogue)]
    named = all(module and name.isidentifier() for module, name in parts)
    return "@".join(f"{module}:{name}" for module, name in parts) if named else ""
