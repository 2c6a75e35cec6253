"""Machines with wrong clocks: some processes start on one, and must notice if a peer or the store can tell.

    SimNode.start ──begin──▶ the clock is off, by dice of its own
    before it joins ──judge──▶ the node goes by its live peers, or by what the store has seen; else that is a bug

Without a live peer nobody can know that a clock is ahead: only clocks that are behind are tried there. If a fault hit a
peer that could have told, the clock is set right from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.testing.rules.ledger import Violation
from runtime.testing.world.node import SimNode
from runtime.testing.world.surroundings import Surroundings

__all__ = ["WrongStarts"]

_OFF_S = (-86_400.0, -3_600.0, -40.0, -5.0, 5.0, 40.0, 3_600.0, 86_400.0)
_ALLOWED_S = 3.0  # The setting's bound, and the age that a store's answer may have.
_Witnesses = dict[str, int]  # The lives of the nodes that can tell the time, by name.


class WrongStarts:
    def __init__(self, surroundings: Surroundings, nodes: Callable[[], Sequence[SimNode]]) -> None:
        """`nodes` gives all nodes; the twins of others come last."""
        self.chance = 0.0  # The chance for each start of a process, except a node's first.
        self._run = surroundings
        self._nodes = nodes
        self._begun: dict[str, tuple[_Witnesses, int]] = {}  # With the number of faults until then.

    def begin(self, node: SimNode) -> None:
        """Sets the clock wrong, by chance, for a process that was launched and has not run yet."""
        run = self._run
        dice = run.dice.named(f"clock of {node.name}@{node.lives}")
        if run.healed or run.database.clock_has_jumped or node.lives == 1 or not dice.chance(self.chance):
            return
        assert node.clock is not None
        witnesses = self._witnesses(node)
        off_s = dice.choose(_OFF_S)
        node.clock.begin_wrong(off_s if witnesses else -abs(off_s))
        run.fault("clock wrong at the start", node.name)
        self._begun[node.name] = witnesses, run.happened.total()

    def judge(self, node: SimNode) -> None:
        """Judges the clock of a process that is about to join."""
        witnesses, faults = self._begun.pop(node.name, ({}, -1))
        if faults < 0 or node.clock is None:
            return
        run = self._run
        wrong_s = node.clock.wrong_by_s
        is_calm = faults == run.happened.total() and not run.database.is_locked and not run.healed
        could_tell = is_calm and bool(witnesses) and witnesses == self._witnesses(node)
        if could_tell and abs(wrong_s) > _ALLOWED_S:
            run.crashes.append(Violation("I16", f"{node.name} joins {wrong_s:+.1f} s off, though live peers can tell"))
        if is_calm and node.clock.now_s() < self._seen_s(node) - _ALLOWED_S:
            run.crashes.append(
                Violation("I16", f"{node.name} joins {wrong_s:+.1f} s off, with a clock behind its store")
            )
        if wrong_s > _ALLOWED_S or (run.healed and abs(wrong_s) > _ALLOWED_S):
            node.clock.heal()  # Healing may have moved it while the node asked how far off it is.
        elif wrong_s < -_ALLOWED_S:
            run.ledger.clocks_wrong_s -= wrong_s  # Nobody could tell, so its timers are due too early.

    def _seen_s(self, node: SimNode) -> float:
        """The latest instant in the store, or 0 if some other node runs or seems to."""
        database = self._run.database
        if any(other.alive for other in self._nodes() if other is not node):
            return 0.0
        view = database.act(database.rows.cluster())
        peers = [row.lease_until_s - row.lease_s for row in view.nodes if row.name != node.spec.name and row.lease_s]
        if node.clock is None or any(abs(at_s - node.clock.now_s()) <= _ALLOWED_S for at_s in peers):
            return 0.0  # A dead peer seems to live, and to agree with our time.
        return max([view.lived_until_s, *(row.lease_until_s - row.lease_s for row in view.nodes)])

    def _witnesses(self, of: SimNode) -> _Witnesses:
        """The nodes of other names that run, renew their leases and have the right time."""
        database = self._run.database
        members = {row.incarnation for row in database.act(database.rows.cluster()).nodes}  # The others may be evicted.
        others = [node for node in self._nodes() if node.spec.name != of.spec.name and _tells(node)]
        nodes = [node for node in others if node.node is not None and node.node.incarnation in members]
        return {node.name: node.lives for node in nodes}


def _tells(node: SimNode) -> bool:
    if node.clock is None or node.store is None or node.store.way.cut:
        return False
    return node.serves and not node.frozen and abs(node.clock.wrong_by_s) < 1.0
