"""Mutants of placement: which shards a node should run.

An order is safe wherever it is worked on, so none of them can harm one. They cost moves, or leave one node with more
work than another, which no workload judges.
"""

from __future__ import annotations

from runtime.cluster.placement import _place_kind
from runtime.cluster.roster import Roster
from runtime.cluster.shares import shares
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["PLACEMENTS"]

_UNSEEN = "It costs moves, or is unfair, and breaks no promise to an order"

PLACEMENTS = (
    Mutant(
        "who-runs-what-is-forgotten",
        "Shards are placed as if nobody ran any, so that many more move than have to when a node comes or goes.",
        (Edit(Roster.learn, "place(view.nodes, view.shards, ", "place(view.nodes, (), "),),
        unseen=_UNSEEN,
        held_by="tests/unit/cluster/test_rebalancing.py",
    ),
    Mutant(
        "the-one-more-wanders",
        "Where the division leaves a rest, a host does not keep the one more that it runs already.",
        (Edit(shares, "held[name] <= base[name], ", ""),),
        unseen=_UNSEEN,
        held_by="tests/unit/cluster/test_shares.py",
    ),
    Mutant(
        "first-come-first-served",
        "Who ran all kinds of a single shard first keeps them all, and those that come later get nothing.",
        (Edit(shares, "loads[name] > most, held[name] <= base[name], loads[name]", "held[name] <= base[name]"),),
        unseen=_UNSEEN,
        held_by="tests/unit/cluster/test_shares.py",
    ),
    Mutant(
        "the-emptiest-is-filled-first",
        "Hosts are filled in an order that changes with each move, so that nodes want different things meanwhile.",
        (
            Edit(
                _place_kind,
                "rest = iter(sorted(free, key=lambda shard: _rank(kind, shard)))\n    for name, own in placed.items():",
                "rest = iter(sorted(free, key=lambda shard: _rank(kind, shard)))\n"
                "    for name, own in sorted(placed.items(), key=lambda one: len(one[1])):",
            ),
        ),
        unseen=_UNSEEN,
        held_by="tests/unit/cluster/test_shares.py",
    ),
)
