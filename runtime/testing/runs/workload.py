"""What a simulation runs: a deployment, and its clients. Users write their own.

    Workload ──deploy, once for each seed──▶ Deployment ──begin, once its cluster is there──▶ Play

A workload whose deployment is the same for every seed is its own deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from runtime.saga.catalogue import Catalogue
from runtime.testing.rules.rest import AtRest
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["Deployment", "Hazardous", "Play", "Upgradable", "Workload"]


class Play(AtRest, Protocol):
    """The clients of one run."""

    async def run(self) -> None:
        """Acts as all clients, and returns when each has got what it wanted, however often it asked."""
        ...

    def figures(self) -> dict[str, int]:
        """Counts for the statistics of many runs; `started` and `completed` are among them."""
        ...


class Deployment(Protocol):
    """What the nodes of one run host, and who their clients are."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of every node; a run draws only those that are not here."""
        ...

    def begin(self, world: World, dice: Dice) -> Play: ...


@runtime_checkable
class Hazardous(Protocol):
    """A deployment whose runs meet more than others do."""

    @property
    def hazards(self) -> Iterable[str]:
        """Names of acts in `runtime.testing.storm.acts`, which each storm may choose beside those of its plan."""
        ...


@runtime_checkable
class Upgradable(Protocol):
    """A deployment with a next version, which its runs roll out and take back."""

    def next_catalogue(self) -> Catalogue:
        """The next version, with the same services. A run asks for it once, when it is first rolled out."""
        ...


class Workload(Protocol):
    """Makes a deployment for each seed."""

    def deploy(self, dice: Dice) -> Deployment:
        """The deployment of one seed."""
        ...
