"""What goes wrong in one run: a random subset of all faults, for a while. Then everything is healed.

    Plan ──drawn from the seed──▶ Storm.run ──acts on──▶ nodes, network, database, clocks
                                      └──heal──▶ all is well, and everything has to end

Each seed switches about half of the faults off, since some faults hide others (swarm testing, Groce et al., 2012).
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from runtime.testing.storm.acts import ACTS, HAZARDS, Acts
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import SimNode
from runtime.testing.world.store_faults import StoreFaults

__all__ = ["Plan", "Storm", "draw_plan"]

_ALL = {**ACTS, **HAZARDS}
_WRONG_STARTS = 0.3  # The share of processes that start on a wrong clock, if clocks jump in this run.
_CHANCES = ("slow", "refused", "reply_lost", "unknown_applied", "unknown_missing", "unknown_late", "hang", "dies")


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one run. `acts` are names in ACTS."""

    acts: tuple[str, ...]
    every_s: float  # The mean time between two acts.
    lasts_s: float
    store: StoreFaults
    handler_fails: float = 0.0  # The chance that one run of a handler fails.
    one_fails_for_good: bool = False  # One node stays away at the end, if others host all it hosts.


def draw_plan(dice: Dice, *, calm: bool = False) -> Plan:
    """Draws the plan of one seed. A calm plan has no faults at all."""
    acts = tuple(dice.some(sorted(ACTS), dice.choose((0.5, 0.5, 0.15))))  # Many kinds of acts, or few.
    store = StoreFaults(delay_s=dice.choose(((0.0, 0.0001), (0.0002, 0.003), (0.001, 0.05))))
    if not calm:
        for name in dice.some(_CHANCES):
            setattr(store, name, dice.choose((0.003, 0.02, 0.1)) * (0.3 if name == "dies" else 1.0))
        store.settle_fails = dice.choose((0.0, 0.5))
    return Plan(
        acts=() if calm else acts,
        every_s=dice.choose((1.5, 0.4, 0.1)),
        lasts_s=dice.choose((1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 10.0, 10.0, 10.0, 45.0)),
        store=store,
        handler_fails=0.0 if calm else dice.choose((0.0, 0.0, 0.01, 0.1)),
        one_fails_for_good=not calm and dice.chance(0.4),
    )


class Storm(Acts):
    """Acts at random instants, on random nodes."""

    def __init__(
        self, cluster: SimCluster, plan: Plan, dice: Dice, pinned: Container[str] = (), hazards: Iterable[str] = ()
    ) -> None:
        """`hazards` names acts that the workload wants beside those of the plan."""
        super().__init__(cluster, dice, plan.lasts_s, pinned)
        self._plan = plan
        self._choices = (*plan.acts, *hazards) if plan.acts else ()
        if "jump clock" in plan.acts:
            cluster.wrong_starts.chance = _WRONG_STARTS

    async def run(self) -> None:
        """Rages for a while, and then heals everything."""
        cluster, plan, dice = self._cluster, self._plan, self._dice
        end_s = cluster.loop.time() + plan.lasts_s
        acts = 0
        while cluster.loop.time() < end_s:
            await cluster.sleep(dice.between(0.1 * plan.every_s, 1.9 * plan.every_s))
            acts += 1
            self._dice = dice.named(f"act {acts}")  # Each act has its own dice: leaving one out changes no other.
            if self._choices and self._dice.keeps():
                _ALL[self._dice.choose(self._choices)](self)
        self.heal()

    def heal(self) -> None:
        """Ends every fault, those that were to come later too. One node may stay away for good."""
        self._is_over = True
        cluster = self._cluster
        cluster.healed = True
        cluster.note("healed")
        cluster.faults.heal()
        cluster.network.heal()
        cluster.ambushes.clear()
        cluster.database.heal()
        for twin in cluster.twins:
            twin.retire()
        cluster.handler_fails = 0.0
        failing = self._to_fail_for_good()
        for node in cluster.nodes:
            if node is failing:
                node.fail_for_good(frozen=self._dice.chance(0.5))
                continue
            node.thaw()
            node.resume()
            if node.store is not None and node.clock is not None:
                node.store.way.cut = False
                node.clock.heal()
            node.start()

    def _to_fail_for_good(self) -> SimNode | None:
        """The node that stays away, if this plan has one: other nodes host all its services."""
        if not self._plan.one_fails_for_good:
            return None
        everything = self._cluster.catalogue.service_names
        hosts = [(node, node.spec.services or everything) for node in self._cluster.nodes]
        spare = [
            node
            for node, services in hosts
            if all(any(one in other for at, other in hosts if at is not node) for one in services)
        ]
        return self._dice.choose(spare) if spare else None
