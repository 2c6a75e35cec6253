"""What goes wrong in one run: a random subset of all faults, for a while, and then nothing any more.

    Plan ──drawn from the seed──▶ Storm.run ──acts on──▶ nodes, network, database, clocks
                                      └──heal──▶ all is well, and everything has to end

Each seed switches about half of the faults off, so that those which hide others do not hide them in every run (swarm
testing, Groce et al., 2012).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.failpoints import Failpoint
from runtime.testing.simulation.ambush import Ambush
from runtime.testing.simulation.cluster import SimCluster, SimNode
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.faulty_store import StoreFaults

__all__ = ["Plan", "Storm", "draw_plan"]

_CHANCES = ("slow", "refused", "reply_lost", "unknown_applied", "unknown_missing", "unknown_late", "hang", "dies")


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one run. `acts` are names of Storm's methods."""

    acts: tuple[str, ...]
    every_s: float  # between two acts, on average
    lasts_s: float
    store: StoreFaults
    handler_fails: float = 0.0  # chance for each run of a handler
    forsakes: bool = False  # one node that others can stand in for does not come back when all is healed


def draw_plan(dice: Dice, *, calm: bool = False) -> Plan:
    """A plan for one seed; a calm one has no faults at all."""
    acts = tuple(dice.some(sorted(_ACTS), dice.choose((0.5, 0.5, 0.15))))  # many kinds, or a few and many of them
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
        forsakes=not calm and dice.chance(0.4),
    )


class Storm:
    """Acts at random instants, on random nodes."""

    def __init__(self, cluster: SimCluster, plan: Plan, dice: Dice) -> None:
        self._cluster = cluster
        self._plan = plan
        self._dice = dice
        self._is_over = False

    async def run(self) -> None:
        """Rage, then heal everything."""
        cluster, plan, dice = self._cluster, self._plan, self._dice
        end_s = cluster.loop.time() + plan.lasts_s
        acts = 0
        while cluster.loop.time() < end_s:
            await cluster.sleep(dice.between(0.1 * plan.every_s, 1.9 * plan.every_s))
            acts += 1
            self._dice = dice.named(f"act {acts}")  # of its own, so that one can be left out and the others stay
            if plan.acts and self._dice.keeps():
                _ACTS[self._dice.choose(plan.acts)](self)
        self.heal()

    def heal(self) -> None:
        """No fault lasts on, and none that was arranged for later still comes. One node may be gone for good."""
        self._is_over = True
        cluster = self._cluster
        cluster.note("healed")
        cluster.faults.heal()
        cluster.network.heal()
        cluster.ambushes.clear()
        cluster.handler_fails = 0.0
        forsaken = self._forsaken()
        for node in cluster.nodes:
            if node is forsaken:
                node.forsake(frozen=self._dice.chance(0.5))
                continue
            node.thaw()
            if node.store is not None and node.clock is not None:
                node.store.cut = False
                node.clock.drift(1.0)
                node.clock.jump(-node.clock.wrong_by_s)
            node.start()

    def _forsaken(self) -> SimNode | None:
        """A node whose every service others host as well, if this plan gives one up."""
        if not self._plan.forsakes:
            return None
        everything = self._cluster.catalogue.service_names
        hosts = [(node, node.spec.services or everything) for node in self._cluster.nodes]
        spare = [
            node
            for node, services in hosts
            if all(any(one in other for at, other in hosts if at is not node) for one in services)
        ]
        return self._dice.choose(spare) if spare else None

    # --- nodes ---

    def kill(self) -> None:
        self._node().kill("killed", restart_s=self._dice.between(0.05, 4.0))

    def kill_for_long(self) -> None:
        """Until steps run into their timeouts, if the storm lasts so long."""
        self._node().kill("killed for long", restart_s=self._dice.between(4.0, 60.0))

    def kill_at_failpoint(self) -> None:
        point = self._dice.choose(tuple(Failpoint))
        self._cluster.ambushes.arm(Ambush(point, hits=1 + self._dice.below(12)))

    def power_off(self) -> None:
        self._node().kill("powered off", dark=True, restart_s=self._dice.between(0.05, 4.0))

    def kill_between_steps(self) -> None:
        """In the midst of whatever it does, not only when nothing is going on."""
        node, restart_s = self._node(), self._dice.between(0.05, 2.0)
        self._at_step(lambda: node.kill("killed between steps", restart_s=restart_s))

    def freeze(self) -> None:
        """As SIGSTOP does, and in the midst of things too."""
        node, lasts_s = self._node(), self._lasts_s()

        def now() -> None:
            node.freeze()
            self._cluster.database.later(lasts_s, node.thaw)

        self._at_step(now)

    def drain(self) -> None:
        self._node().drain()

    # --- the network ---

    def tear(self) -> None:
        streams = self._cluster.network.streams
        if streams:
            source, target = self._dice.choose(streams)
            self._cluster.fault("stream torn", f"{source} {target}")
            self._cluster.network.tear(source, target)

    def cut_one_way(self) -> None:
        source, target = self._pair()
        self._cluster.fault("cut one way", f"{source} {target}")
        self._cluster.network.hold((source, target))
        self._cluster.database.later(self._lasts_s(), self._rejoin, source, target)

    def cut(self) -> None:
        source, target = self._pair()
        self._cluster.fault("cut", f"{source} {target}")
        for lane in ((source, target), (target, source)):
            self._cluster.network.hold(lane)
        self._cluster.database.later(self._lasts_s(), self._rejoin, source, target)

    def _rejoin(self, source: str, target: str) -> None:
        """What was kept arrives after all, or the streams turn out to be broken."""
        network = self._cluster.network
        if self._dice.chance(0.5):
            network.tear(source, target)
        network.release((source, target))
        network.release((target, source))

    def clog(self) -> None:
        lane = self._pair()
        self._cluster.fault("clogged", " ".join(lane))
        self._cluster.network.slow(lane, self._dice.between(20.0, 500.0))
        self._cluster.database.later(self._lasts_s(), self._cluster.network.slow, lane, 1.0)

    def deafen(self) -> None:
        """Its machine takes connections, and the process never answers."""
        node = self._node()
        self._cluster.fault("deaf", node.name)
        self._cluster.network.deafen(node.address)
        for other in self._cluster.nodes:
            self._cluster.network.tear(node.address, other.address)
        self._cluster.database.later(self._lasts_s(), self._cluster.network.undeafen, node.address)

    # --- clocks ---

    def jump_clock(self) -> None:
        node = self._node()
        if node.clock is not None:
            self._cluster.fault("clock jumps", node.name)
            by_s = self._dice.choose((-40.0, -3.0, -0.5, 0.5, 3.0, 40.0))
            self._cluster.ledger.clocks_wrong_s += abs(by_s)
            node.clock.jump(by_s)

    def drift_clock(self) -> None:
        node = self._node()
        if node.clock is not None:
            self._cluster.fault("clock drifts", node.name)
            self._cluster.ledger.clocks_wrong_s += 0.02 * self._plan.lasts_s
            node.clock.drift(self._dice.between(0.98, 1.02))

    # --- the database ---

    def cut_from_store(self) -> None:
        node = self._node()
        store = node.store
        if store is not None:
            self._cluster.fault("cut from the store", node.name)
            store.cut = True
            self._cluster.database.later(self._lasts_s(), setattr, store, "cut", False)

    def stop_database(self) -> None:
        self._cluster.fault("database down")
        lasts_s = self._lasts_s()
        for node in self._cluster.nodes:
            if node.store is not None:
                node.store.cut = True
                self._cluster.database.later(lasts_s, setattr, node.store, "cut", False)

    def seize(self) -> None:
        """Two owners: a shard is given to another member, and the table is all that the former one hears of it."""
        rows = self._cluster.database.rows
        view = self._cluster.database.act(rows.cluster())
        moves = [
            (row, node.name)
            for row in view.shards
            for node in view.nodes
            if row.owner and node.name != row.owner and row.kind in node.kinds
        ]
        if moves:
            row, owner = self._dice.choose(moves)
            self._cluster.fault("shard seized", f"{row.kind} {row.shard} {row.owner} {owner}")
            self._cluster.database.act(rows.assign(row.kind, row.shard, owner=owner, expected_epoch=row.epoch))

    # --- choices ---

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


_ACTS: dict[str, Callable[[Storm], None]] = {
    "kill": Storm.kill,
    "kill for long": Storm.kill_for_long,
    "kill at failpoint": Storm.kill_at_failpoint,
    "power off": Storm.power_off,
    "kill between steps": Storm.kill_between_steps,
    "freeze": Storm.freeze,
    "drain": Storm.drain,
    "tear": Storm.tear,
    "cut one way": Storm.cut_one_way,
    "cut": Storm.cut,
    "clog": Storm.clog,
    "deafen": Storm.deafen,
    "jump clock": Storm.jump_clock,
    "drift clock": Storm.drift_clock,
    "cut from store": Storm.cut_from_store,
    "stop database": Storm.stop_database,
    "seize": Storm.seize,
}
