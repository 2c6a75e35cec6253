"""What a storm does, one act at a time, to a random node, a link between two, a clock or the database.

Storm ──act──▶ Acts ──▶ SimNode, SimNetwork, Database, SimClock
                └──▶ database.later   what undoes it after a while
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.durable.region.kind_actor import PauseKind, ResumeKind
from runtime.failpoints import Failpoint
from runtime.testing.rules.limits import draw_limits
from runtime.testing.storm.choices import Choices
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.ambush import Ambush
from runtime.testing.world.node import SimNode

__all__ = ["ACTS", "HAZARDS", "Acts"]

_LEASE_POINTS = (Failpoint.RENEWAL_ASKED, Failpoint.RENEWED, Failpoint.VIEW_READ, Failpoint.TURN_BEGUN)


class Acts(Choices):
    """All acts of storms."""

    # --- nodes ---

    def kill(self) -> None:
        self._node().kill("killed", restart_s=self._dice.between(0.05, 4.0))

    def kill_for_long(self) -> None:
        """The node stays down until steps run into their timeouts, if the storm lasts so long."""
        self._node().kill("killed for long", restart_s=self._dice.between(4.0, 60.0))

    def kill_at_failpoint(self) -> None:
        point = self._dice.choose(tuple(Failpoint))
        self._cluster.ambushes.arm(Ambush(point, hits=1 + self._dice.below(12)))

    def freeze_at_failpoint(self) -> None:
        """Freezes a node at a durable boundary, say between a question to the store and its answer."""
        of_leases = self._dice.chance(0.4)  # There a node renews its lease, or relies on it.
        point = self._dice.choose(_LEASE_POINTS if of_leases else tuple(Failpoint))
        lasts_s = self._dice.between(1.0, 2.0) if of_leases else self._lasts_s()  # About as long as a lease.
        self._cluster.ambushes.arm(Ambush(point, hits=1 + self._dice.below(12), freeze_s=lasts_s))

    def power_off(self) -> None:
        self._node().kill("powered off", dark=True, restart_s=self._dice.between(0.05, 4.0))

    def kill_between_steps(self) -> None:
        """Kills a node in the midst of its work."""
        node, restart_s = self._node(), self._dice.between(0.05, 2.0)
        self._at_step(lambda: node.kill("killed between steps", restart_s=restart_s))

    def freeze(self) -> None:
        """Freezes a node in the midst of its work, as SIGSTOP does."""
        node, lasts_s = self._node(), self._lasts_s()

        def now() -> None:
            node.freeze()
            self._cluster.database.later(lasts_s, node.thaw)

        self._at_step(now)

    def drain(self) -> None:
        self._node().drain()

    def twin(self) -> None:
        """Launches a second process of one name. An orchestrator does so that takes a live process for dead."""
        node = self._node()
        self._cluster.fault("two of one name", node.name)
        twin = self._cluster.twin(node)
        twin.start()
        self._cluster.database.later(self._lasts_s() + 2.0, twin.retire)

    def roll_out(self) -> None:
        """Drains one node after another. Each comes back with other limits, and of the other version if there is one.

        Some roll-outs stop half way. Then nodes of both versions go on side by side.
        """
        cluster = self._cluster
        cluster.fault("rolled out")
        limits = {name: value for name, value in draw_limits(self._dice).items() if name not in self._pinned}
        stays = 0.0
        if cluster.has_versions:
            cluster.version = 1 - cluster.version
            stays = self._dice.choose((0.0, 0.5))
            cluster.fault("version rolled out in part" if stays else "version rolled out", str(cluster.version))
        for number, node in enumerate(cluster.nodes):
            version = node.version if stays and self._dice.chance(stays) else cluster.version
            cluster.database.later(number * 1.5, self._replace, node, limits, version)

    def _replace(self, node: SimNode, limits: dict[str, Any], version: int) -> None:
        if not self._is_over:
            node.limits, node.version = limits, version
            node.drain()

    def pause(self) -> None:
        """Pauses one kind on a node, as an operator does, and lets it go on after a while."""
        node = self._node()
        running = node.node
        if node.serves and running is not None:
            kind = self._dice.choose(sorted(running.roots))
            self._cluster.fault("kind paused", f"{node.name} {kind}")
            running.roots[kind].try_tell(PauseKind())
            self._cluster.database.later(self._lasts_s(), running.roots[kind].try_tell, ResumeKind())

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
        self._rejoin_later(source, target)

    def cut(self) -> None:
        source, target = self._pair()
        self._cluster.fault("cut", f"{source} {target}")
        for lane in ((source, target), (target, source)):
            self._cluster.network.hold(lane)
        self._rejoin_later(source, target)

    def _rejoin_later(self, source: str, target: str) -> None:
        """Ends a hold later: held frames arrive after all, or the streams turn out to be broken."""
        network = self._cluster.network
        breaks = self._dice.chance(0.5)  # The dice of this act choose, not those of the act at its end.

        def rejoin() -> None:
            if breaks:
                network.tear(source, target)
            network.release((source, target))
            network.release((target, source))

        self._cluster.database.later(self._lasts_s(), rejoin)

    def clog(self) -> None:
        lane = self._pair()
        self._cluster.fault("clogged", " ".join(lane))
        self._cluster.network.slow(lane, self._dice.between(20.0, 500.0))
        self._cluster.database.later(self._lasts_s(), self._cluster.network.slow, lane, 1.0)

    def deafen(self) -> None:
        """Makes a node deaf: its machine takes connections, and the process never answers."""
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
            node.clock.jump(self._dice.choose((-86_400.0, -40.0, -5.0, 5.0, 40.0, 3_600.0, 86_400.0)))

    def drift_clock(self) -> None:
        node = self._node()
        if node.clock is not None:
            self._cluster.fault("clock drifts", node.name)
            self._cluster.ledger.clocks_wrong_s += 0.02 * self._storm_s
            node.clock.drift(self._dice.between(0.98, 1.02))

    # --- the database ---

    def cut_from_store(self) -> None:
        node = self._node()
        store = node.store
        if store is not None:
            self._cluster.fault("cut from the store", node.name)
            store.way.cut = True
            self._cluster.database.later(self._lasts_s(), setattr, store.way, "cut", False)

    def stop_database(self) -> None:
        self._cluster.fault("database down")
        self._stop_database(self._lasts_s())

    def _stop_database(self, lasts_s: float) -> None:
        for node in self._cluster.nodes:
            if node.store is not None:
                node.store.way.cut = True
                self._cluster.database.later(lasts_s, setattr, node.store.way, "cut", False)

    def jump_database_clock(self) -> None:
        """Moves the store's clock. Leases of live holders seem to run out, or leases last longer than meant."""
        self._cluster.fault("clock of the store jumps")
        clock = self._cluster.database.clock
        self._cluster.database.clock_has_jumped = True
        by_s = self._dice.choose((-3.0, 3.0, 40.0)) - clock.wrong_by_s
        self._cluster.ledger.clocks_wrong_s += abs(by_s)  # Nodes that start from now on go by this time.
        clock.jump(by_s)

    def lock_database(self) -> None:
        """Has a frozen session hold the lock. Writers wait for it, and give up."""
        self._cluster.fault("store locked")
        self._cluster.database.lock(self._lasts_s())

    def fail_over(self) -> None:
        """Has a standby take over that lacks the newest commits. Sometimes the database is down first.

        Shards move just before, and these moves may be lost. Shards move just after, so two nodes believe in the same
        one. A push from the lost history may still arrive in the new one.
        """
        cluster, dice = self._cluster, self._dice
        if not cluster.database.keep():
            return  # A standby is about to take over already.
        moves = dice.choose((0, 4, 16))
        for _ in range(moves):
            self.seize()
        for _ in range(dice.choose((0, 2, 6))):
            self.cut_one_way()
        lost_s = dice.choose((0.02, 0.2, 1.0, 3.0)) * dice.between(0.5, 1.0)
        down_s = dice.choose((0.0, self._lasts_s()))
        cluster.database.later(lost_s, self._take_over, down_s, moves, dice.named("take over"))

    def _take_over(self, down_s: float, moves: int, dice: Dice) -> None:
        if not self._is_over:
            self._cluster.fault("failed over")
            self._cluster.database.fail_over()
            self._stop_database(down_s)
            for _ in range(moves):
                self._seize(dice)

    def seize(self) -> None:
        """Gives a shard to another member. The former owner hears so by the table alone: for a while both own it."""
        self._seize(self._dice)

    def _seize(self, dice: Dice) -> None:
        rows = self._cluster.database.rows
        view = self._cluster.database.act(rows.cluster())
        moves = [
            (row, node.name)
            for row in view.shards
            for node in view.nodes
            if row.owner and node.name != row.owner and row.kind in node.kinds
        ]
        if moves:
            row, owner = dice.choose(moves)
            self._cluster.fault("shard seized", f"{row.kind} {row.shard} {row.owner} {owner}")
            self._cluster.database.act(rows.assign(row.kind, row.shard, owner=owner, expected_epoch=row.epoch))


ACTS: dict[str, Callable[[Acts], None]] = {
    "kill": Acts.kill,
    "kill for long": Acts.kill_for_long,
    "kill at failpoint": Acts.kill_at_failpoint,
    "freeze at failpoint": Acts.freeze_at_failpoint,
    "power off": Acts.power_off,
    "kill between steps": Acts.kill_between_steps,
    "freeze": Acts.freeze,
    "drain": Acts.drain,
    "tear": Acts.tear,
    "cut one way": Acts.cut_one_way,
    "cut": Acts.cut,
    "clog": Acts.clog,
    "deafen": Acts.deafen,
    "jump clock": Acts.jump_clock,
    "drift clock": Acts.drift_clock,
    "cut from store": Acts.cut_from_store,
    "stop database": Acts.stop_database,
    "jump database clock": Acts.jump_database_clock,
    "lock database": Acts.lock_database,
    "pause": Acts.pause,
    "roll out": Acts.roll_out,
    "seize": Acts.seize,
    "twin": Acts.twin,
}
"""The acts by name. Each run draws from these."""

HAZARDS: dict[str, Callable[[Acts], None]] = {"fail over": Acts.fail_over}
"""Acts that break the store's own promises, by name. Only workloads ask for these."""
