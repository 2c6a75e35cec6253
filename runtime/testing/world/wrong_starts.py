"""Machines whose clocks are wrong as a process starts on them, and what the process has to make of that.

    SimNode.start ──begin──▶ the clock is off, by dice of its own
    before it joins ──judge──▶ it goes by its live peers, or by what the store has seen; else that is a bug

That a clock is ahead, nobody can know where no peer lives: there it is made one that is behind. Where a peer that could
have told was hit by a fault meanwhile, the clock is set right from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.testing.rules.ledger import Violation
from runtime.testing.world.node import SimNode
from runtime.testing.world.surroundings import Surroundings

__all__ = ["WrongStarts"]

_OFF_S = (-86_400.0, -3_600.0, -40.0, -5.0, 5.0, 40.0, 3_600.0, 86_400.0)
_ALLOWED_S = 3.0  # the bound, and how old an answer of the store may be
_Witnesses = dict[str, int]  # lives of nodes that can tell the time, by name


class WrongStarts:
    def __init__(self, surroundings: Surroundings, nodes: Callable[[], Sequence[SimNode]]) -> None:
        """`nodes` gives all that there are, the twins of others last."""
        self.chance = 0.0  # for each start of a process but the first of its name
        self._run = surroundings
        self._nodes = nodes
        self._begun: dict[str, tuple[_Witnesses, int]] = {}  # with how many faults there had been

    def begin(self, node: SimNode) -> None:
        """A process has been launched, and has not run yet."""
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
        """It is about to join."""
        witnesses, faults = self._begun.pop(node.name, ({}, -1))
        if faults < 0 or node.clock is None:
            return
        run = self._run
        wrong_s = node.clock.wrong_by_s
        is_calm = faults == run.happened.total() and not run.database.is_locked and not run.healed
        could_tell = is_calm and bool(witnesses) and witnesses == self._witnesses(node)
        if could_tell and abs(wrong_s) > _ALLOWED_S:
            run.crashes.append(Violation("I16", f"{node.name} joins {wrong_s:.1f} s ahead of its live peers"))
        if is_calm and node.clock.now_s() < self._seen_s(node) - _ALLOWED_S:
            run.crashes.append(Violation("I16", f"{node.name} joins {wrong_s:.1f} s ahead, behind its store"))
        if wrong_s > _ALLOWED_S or (run.healed and abs(wrong_s) > _ALLOWED_S):
            node.clock.heal()  # when all was healed, it was set right from outside while it asked how far it is off

    def _seen_s(self, node: SimNode) -> float:
        """The latest instant in the store, where nobody else runs who says otherwise."""
        database = self._run.database
        if any(other.alive for other in self._nodes() if other is not node):
            return 0.0
        view = database.act(database.rows.cluster())
        peers = [row.lease_until_s - row.lease_s for row in view.nodes if row.name != node.spec.name and row.lease_s]
        if node.clock is None or any(abs(at_s - node.clock.now_s()) <= _ALLOWED_S for at_s in peers):
            return 0.0  # one that is gone looks as if it lived, and as if our time were right
        return max([view.lived_until_s, *(row.lease_until_s - row.lease_s for row in view.nodes)])

    def _witnesses(self, of: SimNode) -> _Witnesses:
        """Nodes of other names that run, renew, and whose clocks are right."""
        database = self._run.database
        members = {row.incarnation for row in database.act(database.rows.cluster()).nodes}  # others may be evicted
        others = [node for node in self._nodes() if node.spec.name != of.spec.name and _tells(node)]
        nodes = [node for node in others if node.node is not None and node.node.incarnation in members]
        return {node.name: node.lives for node in nodes}


def _tells(node: SimNode) -> bool:
    if node.clock is None or node.store is None or node.store.way.cut:
        return False
    return node.serves and not node.frozen and abs(node.clock.wrong_by_s) < 1.0
