"""What a simulation runs: deployments and their clients. Users write their own.

    Workload ──deploy, once for each seed──▶ Deployment ──begin, once its cluster is there──▶ Play

A workload whose deployment is the same for every seed is its own deployment, and costs nothing to deploy.
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
    """What clients do in one run."""

    async def run(self) -> None:
        """Act as all clients; return when each has got what it wanted, however often it had to ask."""
        ...

    def figures(self) -> dict[str, int]:
        """What came of it, for the statistics of many runs; `started` and `completed` are among them."""
        ...


class Deployment(Protocol):
    """What the nodes of one run host."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of every node, beside those that the run draws and instead of them."""
        ...

    def begin(self, world: World, dice: Dice) -> Play: ...


@runtime_checkable
class Hazardous(Protocol):
    """A deployment whose runs meet more than others do."""

    @property
    def hazards(self) -> Iterable[str]:
        """Names from `runtime.testing.storm.acts`, to be chosen beside those of the plan in each stormy run."""
        ...


@runtime_checkable
class Upgradable(Protocol):
    """A deployment of which there is a next version, that is rolled out during its runs, and taken back."""

    def next_catalogue(self) -> Catalogue:
        """Of the same services. Asked for once in a run, when it is first rolled out."""
        ...


class Workload(Protocol):
    """Deployments and their clients."""

    def deploy(self, dice: Dice) -> Deployment:
        """The deployment of one seed."""
        ...
