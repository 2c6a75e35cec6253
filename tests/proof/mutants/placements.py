"""Mutants of placement: which shards a node should run.

An order is safe wherever it is worked on, so none of them can harm one. They cost moves, or leave one node with more
work than another, which no workload judges.
"""

from __future__ import annotations

from runtime.cluster.beside import heeded
from runtime.cluster.placement import _place_kind, place
from runtime.cluster.roster import Roster, _hosting
from runtime.cluster.shares import shares
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["BESIDE", "PLACEMENTS"]

_UNSEEN = "It costs moves, or is unfair, and breaks no promise to an order"

_BESIDE_TESTS = "tests/unit/cluster/test_beside.py"

BESIDE = (
    Mutant(
        "beside-whoever-lacks-the-saga",
        "A saga's shard follows its service to a node that does not host the saga, and nobody runs it there.",
        (Edit(_place_kind, "sorted(names, key", 'sorted({*names, *beside.values()} - {""}, key'),),
    ),
)
"""These keep a saga from being run at all."""

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
    Mutant(
        "a-wish-that-an-older-build-ignores",
        "Sagas live beside their service although a node of an older build places them, and others, without that.",
        (Edit(heeded, "all(_HEEDS in node.carries for node in nodes)", "True"),),
        unseen=_UNSEEN,
        held_by=_BESIDE_TESTS,
    ),
    Mutant(
        "a-wish-of-one-host",
        "A saga lives beside the service that one of its hosts wishes for, whatever the catalogues of the others say.",
        (Edit(heeded, "if len(partners) == 1", "if partners"),),
        unseen=_UNSEEN,
        held_by=_BESIDE_TESTS,
    ),
    Mutant(
        "beside-who-runs-it-now",
        "A saga follows who runs the shard of its service, and not where that belongs; nodes differ while it moves.",
        (Edit(place, "placement.get((partners[kind], shard)", "owners.get((partners[kind], shard)"),),
        unseen=_UNSEEN,
        held_by=_BESIDE_TESTS,
    ),
    Mutant(
        "what-follows-is-not-counted",
        "What cannot follow is shared as if nothing followed, so that hosts of both get more than the others.",
        (Edit(_place_kind, "room, _counts(follow))", "room, dict.fromkeys(ranked, 0))"),),
        unseen=_UNSEEN,
        held_by=_BESIDE_TESTS,
    ),
    Mutant(
        "a-new-wish-is-not-noticed",
        "A node that comes back with another catalogue leaves everybody's placement as it was, but not its own.",
        (Edit(_hosting, "(node.name, node.kinds, node.carries)", "(node.name, node.kinds, ())"),),
        unseen=_UNSEEN,
        held_by=_BESIDE_TESTS,
    ),
)
