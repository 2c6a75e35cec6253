"""Where each shard belongs, and what one node must do to bring that about. Pure functions of what was read.

    place(nodes, shards, shards_per_kind)       who should run what: the same answer on every node
    plan(view, placement, me, phases)           what this node does next: claim, take up, hand over, give up

Every host of a kind gets an equal share of its shards, give or take one. A host keeps what it runs up to its share;
only what is more than that moves, and what nobody runs. So a node that comes takes its share and nothing else moves.

Nodes agree, since all compute from the same tables, and also while shards move: each move that the placement asks for
leaves the placement as it is. Whoever reads the tables before a move and whoever reads them after it want the same.
This is why a host's surplus is what comes last in a fixed order, and why the hosts with room are filled one after the
other in that order: to take away a shard and the room that it fills changes nothing for the others.

A kind may live beside another one (`beside.py`). Then each of its shards belongs to the node that the same shard of
its partner belongs to, if that node hosts the kind. It goes by where the partner's shard belongs, and not by who runs
that now, so that a move changes nothing here either. The other shards are shared, so that hosts come out as equal as
they can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from itertools import islice

from runtime.cluster.beside import heeded
from runtime.cluster.shares import shares
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


def place(nodes: Iterable[NodeRow], shards: Iterable[ShardRow], shards_per_kind: int) -> Placement:
    """Give every shard of every hosted kind to a node that hosts the kind.

    `shards` says who runs what now; the order of rows does not matter. A row whose owner is no host of the kind (it is
    gone, or leaves) counts like a row without an owner.
    """
    nodes = list(nodes)
    owners = {(row.kind, row.shard): row.owner for row in shards}
    hosts: dict[str, list[str]] = {}
    for node in nodes:
        for kind in node.kinds:
            hosts.setdefault(kind, []).append(node.name)
    partners = heeded(nodes)
    loads: Counter[str] = Counter()  # by node: its shares of the kinds that were placed already
    placement: dict[Slot, str] = {}
    for kind, names in sorted(hosts.items(), key=lambda hosted: (hosted[0] in partners, len(hosted[1]), hosted[0])):
        beside = {}
        if kind in partners:
            beside = {shard: placement.get((partners[kind], shard), "") for shard in range(shards_per_kind)}
        for name, own in _place_kind(kind, names, owners, loads, shards_per_kind, beside).items():
            loads[name] += len(own)
            placement.update(((kind, shard), name) for shard in own)
    return placement


def _place_kind(
    kind: str,
    names: Iterable[str],
    owners: Mapping[Slot, str],
    loads: Mapping[str, int],
    count: int,
    beside: Mapping[int, str],
) -> dict[str, list[int]]:
    """The shards of one kind by host. No order of names or numbers favours a host or a shard: a hash decides.

    `beside`: by shard, the node of the partner's shard, of a kind that has a partner.
    """
    ranked = sorted(names, key=lambda name: _rank(kind, name))
    follow: dict[str, list[int]] = {name: [] for name in ranked}
    placed: dict[str, list[int]] = {name: [] for name in ranked}
    free: list[int] = []
    for shard in range(count):
        following = follow.get(beside.get(shard, ""))
        (placed.get(owners.get((kind, shard), ""), free) if following is None else following).append(shard)
    room = count - sum(map(len, follow.values()))
    due = shares(ranked, _counts(placed), loads, room, _counts(follow))
    for name, own in placed.items():
        if len(own) > due[name]:
            own.sort(key=lambda shard: _rank(kind, shard))
            free += own[due[name] :]
            del own[due[name] :]
    rest = iter(sorted(free, key=lambda shard: _rank(kind, shard)))
    for name, own in placed.items():
        own += islice(rest, due[name] - len(own))
        own += follow[name]
    return placed


def _counts(shards: Mapping[str, list[int]]) -> dict[str, int]:
    return {name: len(own) for name, own in shards.items()}


def _rank(kind: str, what: str | int) -> bytes:
    """The place of a host, or of a shard, in the order of a kind. No two have the same."""
    own = str(what).encode()
    return blake2b(kind.encode() + b"\0" + own, digest_size=8).digest() + own


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
    for slot in sorted(_concerns(table, placement, me) | phases.keys()):
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


def _concerns(table: Mapping[Slot, ShardRow], placement: Placement, me: str) -> set[Slot]:
    """The slots about which a node may have something to do, beside those that it runs: few of many."""
    ours = {slot for slot, row in table.items() if row.owner == me or row.epoch == 0}
    return ours | {slot for slot, target in placement.items() if target == me} | (placement.keys() - table.keys())
