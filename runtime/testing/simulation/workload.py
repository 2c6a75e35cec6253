"""What a simulation runs: a deployment and its clients. Users write their own; `actors/workload.py` is an example."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from runtime.saga.catalogue import Catalogue
from runtime.testing.simulation.cluster import SimCluster
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.ledger import Violation

__all__ = ["Play", "Workload"]


class Play(Protocol):
    """What clients do in one run."""

    async def run(self) -> None:
        """Act as all clients; return when each has got what it wanted, however often it had to ask."""
        ...

    def check(self) -> Iterable[Violation]:
        """At rest: what is not as it should be by the business's own rules."""
        ...

    def figures(self) -> dict[str, int]:
        """What came of it, for the statistics of many runs; `started` and `completed` are among them."""
        ...


class Workload(Protocol):
    """A deployment and its clients."""

    @property
    def catalogue(self) -> Catalogue: ...

    def begin(self, cluster: SimCluster, dice: Dice) -> Play: ...
