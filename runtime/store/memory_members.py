"""The part of the store in memory that members keep: nodes, shards, subscriptions, definitions, names of kinds, lived
time, busy handlers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace as with_changes

from runtime.ports import Clock
from runtime.store.busy import BUSY_KEPT_S, says_something
from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.records import Busy, ClusterView, NodeRow, ShardRow, Subscription

__all__ = ["MemoryMembers"]


class MemoryMembers:
    """What `Store` says of membership, in dictionaries. Each method is atomic on its event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nodes: dict[str, NodeRow] = {}
        self._shards: dict[tuple[str, int], ShardRow] = {}  # by kind and shard
        self._subscriptions: dict[str, tuple[Subscription, ...]] = {}
        self._definitions: dict[tuple[str, str], DefinitionRow] = {}  # by kind and version
        self._kind_names: dict[str, str] = {}  # what the store calls the kind of each name
        self._lived = Lived()
        self._told: dict[tuple[str, str], Busy] = {}  # by name and incarnation
        self._left: frozenset[tuple[str, str]] = frozenset()

    async def now_s(self) -> float:
        return self._clock.now_s()

    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        now_s = self._clock.now_s()
        other = self._nodes.get(node.name)
        if other is not None and other.incarnation not in (node.incarnation, replace) and other.lease_until_s > now_s:
            return other
        self._nodes[node.name] = with_changes(node, lease_until_s=now_s + lease_s, lease_s=lease_s)
        return None

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        node = self._nodes.get(name)
        if node is None or node.incarnation != incarnation:
            return False
        if clock_off_s is not None:
            node = with_changes(node, lease_s=lease_s, clock_off_s=clock_off_s)
        self._nodes[name] = with_changes(node, lease_until_s=self._clock.now_s() + lease_s)
        return True

    async def leave(self, name: str, incarnation: str) -> None:
        self._left |= {(name, incarnation)}
        node = self._nodes.get(name)
        if node is not None and node.incarnation == incarnation:
            self._remove(name, died="")
            self._told.pop((name, incarnation), None)

    async def evict(self, name: str, incarnation: str) -> bool:
        node = self._nodes.get(name)
        if node is None or node.incarnation != incarnation or node.lease_until_s > self._clock.now_s():
            return False
        self._remove(name, died=f"{name}@{incarnation}")
        return True

    def _remove(self, name: str, *, died: str) -> None:
        del self._nodes[name]
        for slice_, row in self._shards.items():
            if row.owner == name:
                self._shards[slice_] = with_changes(row, owner="", epoch=row.epoch + 1, died=died)

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        row = self._shards.get((kind, shard))
        if (0 if row is None else row.epoch) != expected_epoch:
            return False
        died = row.died if row is not None and row.owner in ("", owner) else ""
        self._shards[kind, shard] = ShardRow(kind, shard, owner, expected_epoch + 1, died)
        return True

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        return [await self.assign(row.kind, row.shard, owner=row.owner, expected_epoch=row.epoch) for row in wanted]

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        self._subscriptions[kind] = tuple(subscriptions)

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        for row in definitions:
            self._definitions.setdefault((row.kind, row.version), row)

    async def definitions(self) -> list[DefinitionRow]:
        return sorted(self._definitions.values(), key=lambda row: (row.kind, row.kept_at_s, row.version))

    async def keep_kind_names(self, names: Mapping[str, str]) -> Mapping[str, str]:
        if all(self._kind_names.get(name, kind) == kind for name, kind in names.items()):
            self._kind_names = {**self._kind_names, **names}
        return dict(self._kind_names)

    async def cluster(self) -> ClusterView:
        subscriptions = itertools.chain.from_iterable(self._subscriptions.values())
        return ClusterView(
            now_s=self._clock.now_s(),
            nodes=tuple(sorted(self._nodes.values(), key=lambda node: node.name)),
            shards=tuple(sorted(self._shards.values(), key=lambda row: (row.kind, row.shard))),
            subscriptions=tuple(sorted(subscriptions, key=lambda one: (one.event_type, one.kind, one.process))),
            lived_until_s=self._lived.until_s,
        )

    async def mark_half_copied(self, is_half: bool) -> None:
        """Nothing: it ends with its process, and nobody opens it a second time."""

    async def lived(self) -> Lived:
        return self._lived

    async def put_lived(self, lived: Lived) -> None:
        self._lived = lived

    def tell_busy(self, busy: Busy) -> None:
        node = (busy.node, busy.incarnation)
        if node in self._left:
            return
        before_s = busy.told_at_s - BUSY_KEPT_S
        told = {one: busy for one, busy in self._told.items() if busy.until_s >= before_s and one != node}
        self._told = {**told, node: busy} if says_something(busy) else told

    async def busy(self) -> list[Busy]:
        return [busy for _, busy in sorted(self._told.items())]
