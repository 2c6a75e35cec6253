"""What members of a cluster need of a store: leases, shards, subscriptions, and what each of them says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runtime.store.definitions import DefinitionRow
from runtime.store.records import Busy, NodeRow, ShardRow, Subscription
from runtime.store.roles.view import ViewStore

__all__ = ["MemberStore"]


class MemberStore(ViewStore, Protocol):
    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        """Write the node's row with a lease from now. None on success.

        When a row of that name and another incarnation has an unexpired lease, nothing is written and that row is
        given, unless `replace` is its incarnation.
        """
        ...

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        """Lengthen the lease; False when the row is gone or another incarnation's.

        `clock_off_s` goes into the row, and `lease_s` beside it.
        """
        ...

    async def leave(self, name: str, incarnation: str) -> None:
        """Remove the node's row and give up its shards, whose epochs rise."""
        ...

    async def evict(self, name: str, incarnation: str) -> bool:
        """Remove the row of a node whose lease has expired by the store's clock; give up its shards (epochs rise).

        The evicted owner stands in `died` of its shards, until an owner gives them up in order: by `leave` or `assign`.
        """
        ...

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        """Give a shard to a node (or to nobody, with an empty owner) if its epoch is still this one, which then rises.

        A shard without a row has epoch 0.
        """
        ...

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        """`assign` for many shards in one transaction, each on its own; one answer for each.

        A row's `owner` is the new one, its `epoch` the expected one. So a node that takes over dozens of shards pays
        for one commit.
        """
        ...

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        """Make these the subscriptions of a kind, in place of those it had."""
        ...

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        """Keep these. What is kept of a version already stays as it is."""
        ...

    async def mark_half_copied(self, is_half: bool) -> None:
        """While it is marked nobody can open it: StoreCorrupt says what to do. A store in memory has no such mark."""
        ...

    def tell_busy(self, busy: Busy) -> None:
        """Keep what this node is busy with, in place of what it told before. Without handlers and pauses, forget that.

        Any thread may call it, also while the event loop stands still. It returns at once, never raises, and may come
        to nothing. The store keeps what an evicted node has told, and forgets it when a node leaves. A node that has
        left tells nothing more. What has not counted for a day (`BUSY_KEPT_S`) goes when another node tells.
        """
        ...
