"""Where each shard belongs, and what one node must do to bring that about. Pure functions of what was read.

    place(nodes, kinds, shards_per_kind)        who should run what: the same answer on every node
    plan(view, placement, me, phases)           what this node does next: claim, take up, hand over, give up

Rendezvous (highest random weight) hashing, after Thaler and Ravishankar 1998: a node that comes takes only the
shards it now scores highest for, a node that goes gives away only its own, and nobody needs to agree on anything
but the list of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b

from runtime.store.records import ClusterView, NodeRow, ShardRow

__all__ = ["Placement", "ShardPhase", "ShardPlan", "Slot", "place", "plan"]

Slot = tuple[str, int]
"""(kind, shard)."""

Placement = Mapping[Slot, str]
"""Which node each slot belongs to; slots of kinds that nobody hosts are missing."""


class ShardPhase(Enum):
    """How far a node is with a shard that it runs; a shard it does not run has none."""

    TAKING = "taking"  # the owner is being told; turns may start
    HELD = "held"
    RELEASING = "releasing"  # no new turns; the running ones finish
    LAPSED = "lapsed"  # the lease ran out while the owner was being told; nothing is done until that call returns


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What a node does next. Rows in `assign` are wishes: the new owner, and the epoch expected."""

    take: tuple[Slot, ...] = ()  # the table says that they are ours, and this node does not run them yet
    assign: tuple[ShardRow, ...] = ()  # shards that nobody runs, and shards of ours that belong elsewhere
    release: tuple[Slot, ...] = ()  # this node runs them and they belong elsewhere: stop, then give up
    waits: bool = False  # a shard that belongs here is still another live node's


def place(nodes: Iterable[NodeRow], shards_per_kind: int) -> Placement:
    """Give every shard of every hosted kind to the hosting node that scores highest for it."""
    hosts: dict[str, list[str]] = {}
    for node in sorted(nodes, key=lambda row: row.name):
        for kind in node.kinds:
            hosts.setdefault(kind, []).append(node.name)
    return {
        (kind, shard): max(names, key=lambda name: _score(name, kind, shard))
        for kind, names in sorted(hosts.items())
        for shard in range(shards_per_kind)
    }


def _score(node: str, kind: str, shard: int) -> tuple[bytes, str]:
    """The weight of a node for a shard; the name decides between equal ones."""
    return blake2b(f"{shard}\0{kind}\0{node}".encode(), digest_size=8).digest(), node


def plan(view: ClusterView, placement: Placement, me: str, phases: Mapping[Slot, ShardPhase]) -> ShardPlan:
    """Compare the table with the placement, for one node. Safe on a stale view: each wish is a compare-and-set.

    Whoever first sees a new kind gives out all its shards, its own and others': so a kind's rows appear all at once,
    and their number tells how finely this cluster spreads a kind. If the table has
    lost the rows of shards that a node still runs, the node lays those shards down first.
    """
    lost = {kind for kind, _ in phases} - {row.kind for row in view.shards}
    table = {(row.kind, row.shard): row for row in view.shards}
    live = {node.name for node in view.nodes}
    take: list[Slot] = []
    assign: list[ShardRow] = []
    release: list[Slot] = []
    waits = False
    for slot in sorted(table.keys() | placement.keys()):
        row = table.get(slot) or ShardRow(kind=slot[0], shard=slot[1], owner="", epoch=0)
        target = placement.get(slot, "")
        phase = phases.get(slot)
        if row.owner == me and target == me:
            if phase is None:
                take.append(slot)
        elif row.owner == me:
            if phase is None:
                assign.append(ShardRow(kind=slot[0], shard=slot[1], owner=target, epoch=row.epoch))
            elif phase is ShardPhase.HELD:
                release.append(slot)
        elif phase is ShardPhase.HELD:
            release.append(slot)  # Somebody else has changed the table, and the table counts.
        elif target == me and row.owner in live:
            waits = True
        elif phase is None and slot[0] not in lost and (target == me or row.epoch == 0):
            assign.append(ShardRow(kind=slot[0], shard=slot[1], owner=target, epoch=row.epoch))
    return ShardPlan(tuple(take), tuple(assign), tuple(release), waits)
