"""The membership tables as this node last read them, indexed for whoever routes messages.

membership ──learn(view)──▶ Roster ──owner_of, address_of──▶ router
                               └──facts of who came and went
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter

from runtime.cluster.facts import NodeEvicted, NodeJoined, NodeLeft, ShardsGivenUp
from runtime.cluster.placement import Placement, Slot, place
from runtime.errors import InvalidSettings
from runtime.ports import Fact
from runtime.store.records import ClusterView, NodeRow, ShardRow

__all__ = ["Roster", "check_shard_counts", "left_behind", "note_deaths"]


class Roster:
    """Constant time for each question of the router."""

    def __init__(self, shards_per_kind: int) -> None:
        self.view = ClusterView(now_s=0.0)
        self.placement: Placement = {}
        self._shards_per_kind = shards_per_kind
        self._owners: dict[Slot, str] = {}
        self._nodes: dict[str, NodeRow] = {}

    def owner_of(self, slot: Slot) -> str | None:
        return self._owners.get(slot) or None

    def node(self, name: str) -> NodeRow | None:
        return self._nodes.get(name)

    def learn(self, view: ClusterView) -> tuple[bool, list[Fact]]:
        """Take a newer view. Returns whether anything but leases is new, and the facts of who came and went."""
        before, self.view = self.view, view
        nodes_before, self._nodes = self._nodes, {node.name: node for node in view.nodes}
        moved = before.shards != view.shards
        if moved:
            self._owners = {(row.kind, row.shard): row.owner for row in view.shards}
        is_same = _timeless(before.nodes) == _timeless(view.nodes)  # Most reads find nothing but leases renewed.
        if moved or not self.placement or (not is_same and _hosting(before) != _hosting(view)):
            self.placement = place(view.nodes, view.shards, self._shards_per_kind)
        changed = moved or not is_same or before.subscriptions != view.subscriptions
        return changed, _arrivals(nodes_before, view) + _departures(nodes_before, self._nodes, view.now_s)

    def owns_any(self, name: str) -> bool:
        return name in self._owners.values()

    def assigned(self, rows: Sequence[ShardRow], *, by: str) -> list[Fact]:
        """Note the shards that the node `by` has just given to members, itself included; `rows` are as in the table.

        Returns the facts of the shards that were its own until now. The placement asked for these moves, so it stays.
        """
        parcels: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            if self._owners.get((row.kind, row.shard)) == by:
                parcels.setdefault((row.kind, row.owner), []).append(row.shard)
        table = {(row.kind, row.shard): row for row in self.view.shards}
        table.update({(row.kind, row.shard): row for row in rows})
        self.view = replace(self.view, shards=tuple(table[slot] for slot in sorted(table)))
        self._owners = {slot: row.owner for slot, row in table.items()}
        return [ShardsGivenUp(kind=kind, shards=tuple(shards), to=to) for (kind, to), shards in parcels.items()]


def check_shard_counts(view: ClusterView, shards_per_kind: int) -> None:
    """Refuse to spread kinds otherwise than the cluster does: keys would belong to other shards than their mail says.

    Raises InvalidSettings.
    """
    for kind, count in sorted(Counter(row.kind for row in view.shards).items()):
        if count != shards_per_kind:
            raise InvalidSettings(
                f"shards_per_kind is {shards_per_kind} here, but this store has {count} shards of {kind!r}; "
                f"set shards_per_kind to {count}: it can't be changed once a store is in use"
            )


def left_behind(view: ClusterView, now_s: float, successor_of: str = "") -> dict[Slot, str]:
    """Shards of nodes that ended without leaving, and which they were: a lease has run out, or a successor is here."""
    dead = {
        node.name: f"{node.name}@{node.incarnation}"
        for node in view.nodes
        if node.kinds and (node.lease_until_s <= now_s or node.name == successor_of)
    }
    return {(row.kind, row.shard): dead[row.owner] for row in view.shards if row.owner in dead}


def note_deaths(died: dict[Slot, str], before: ClusterView, view: ClusterView, name: str) -> None:
    """Keep in `died` which node ended without leaving, for each shard that is free or belongs to the node of this name.

    We have seen the member go, or the store has noted its eviction. Shards that another node has taken are left out.
    """
    members = {row.incarnation for row in view.nodes}
    gone = replace(before, nodes=tuple(row for row in before.nodes if row.incarnation not in members))
    died.update(left_behind(gone, view.now_s))
    died.update({(row.kind, row.shard): row.died for row in view.shards if row.died})
    for row in view.shards:
        if row.owner not in ("", name):
            died.pop((row.kind, row.shard), None)


def _hosting(view: ClusterView) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What a placement depends on, beside who owns what. Nodes say in `carries` which kinds live beside others."""
    return sorted((node.name, node.kinds, node.carries) for node in view.nodes)


_all_but_times = attrgetter(*(one.name for one in fields(NodeRow) if one.name not in ("lease_until_s", "clock_off_s")))


def _timeless(nodes: Iterable[NodeRow]) -> list[object]:
    """All of the members but what each of their renewals changes."""
    return [_all_but_times(node) for node in nodes]


def _arrivals(before: dict[str, NodeRow], view: ClusterView) -> list[Fact]:
    return [
        NodeJoined(member=node.name, incarnation=node.incarnation, address=node.address, kinds=node.kinds)
        for node in view.nodes
        if node.name not in before or before[node.name].incarnation != node.incarnation
    ]


def _departures(before: dict[str, NodeRow], after: dict[str, NodeRow], now_s: float) -> list[Fact]:
    """Who left in order still had a lease when last seen; who was evicted had let it run out."""
    return [
        (NodeEvicted if node.lease_until_s <= now_s else NodeLeft)(member=node.name, incarnation=node.incarnation)
        for node in before.values()
        if node.name not in after
    ]
