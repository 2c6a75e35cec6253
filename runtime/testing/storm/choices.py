"""The choices of a storm's acts: a node, a pair of nodes, how long something lasts, and at which step it comes.

Acts ──▶ Choices ──▶ Dice, SimCluster
"""

from __future__ import annotations

from collections.abc import Callable, Container

from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import SimNode

__all__ = ["Choices"]


class Choices:
    """They come from `dice`. The storm takes fresh dice for each act."""

    def __init__(self, cluster: SimCluster, dice: Dice, lasts_s: float, pinned: Container[str] = ()) -> None:
        """`pinned` names the settings of the workload, which no act changes."""
        self._cluster = cluster
        self._pinned = pinned
        self._dice = dice
        self._storm_s = lasts_s  # The whole storm lasts so long.
        self._is_over = False

    def _node(self) -> SimNode:
        return self._dice.choose(self._cluster.nodes)

    def _pair(self) -> tuple[str, str]:
        source = self._dice.below(len(self._cluster.nodes))
        step = 1 + self._dice.below(max(1, len(self._cluster.nodes) - 1))
        target = (source + step) % len(self._cluster.nodes)
        return self._cluster.nodes[source].address, self._cluster.nodes[target].address

    def _lasts_s(self) -> float:
        return self._dice.choose((0.05, 0.5, 2.0, 6.0)) * self._dice.between(0.5, 1.0)

    def _at_step(self, act: Callable[[], object]) -> None:
        loop = self._cluster.loop
        loop.at_step(loop.steps + self._dice.below(400), lambda: None if self._is_over else act())
