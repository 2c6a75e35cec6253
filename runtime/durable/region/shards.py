"""The shards that this node runs, of all its kinds: taken over, released and lost as membership tells.

    membership ──take_over, release, on_lease_lost──▶ Shards ──▶ Ownership of a kind, Residents
    membership ──on_view─────────────────────────▶    "    ──▶ Router, and who else learns of it

Shards only say who should try. Taking a shard begins with a sweep; until it is complete, pushes for it are declined,
so that no newer message overtakes one that waits in the store. A push may have gone to a former owner, or its sender
may have died before it pushed: whenever a shard has moved, whoever may be pushed to next is told to look first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from runtime.durable.region.router import Router
from runtime.ports import Ports
from runtime.store.records import ClusterView

__all__ = ["Shards"]


class Shards:
    """`learners` are told of each view before anybody is routed to or watched by it."""

    def __init__(self, router: Router, ports: Ports, learners: Sequence[Callable[[ClusterView], None]] = ()) -> None:
        self._router = router
        self._ports = ports
        self._learners = learners
        self._moves: dict[tuple[str, int], tuple[str, int]] = {}  # by shard: its owner and epoch, as last read
        self._reading = asyncio.Lock()
        self._readings = 0  # how many readings of all mail have begun
        self.died: dict[tuple[str, int], str] = {}  # by shard: the node that had it and ended without leaving
        self.sweepers = router.sweepers  # by kind, of those that this node hosts

    def may_commit(self) -> bool:
        """False when another node may have the shards of this one by now, as after a freeze."""
        shard_map = self._router.shard_map
        return shard_map is None or shard_map.lease_is_sure()

    async def read_again(self) -> None:
        """Read all mail that waits, here and on every other node, before anything is sent or taken that comes later.

        Others may have committed something that they did not push. All callers that come during one reading share the
        next.
        """
        before = self._readings
        async with self._reading:
            if self._readings > before:
                return
            self._readings += 1
            if self._router.links is not None:
                self._router.links.request_resync_everywhere()
            await self._router.sweep_all()

    # --- told by membership ---

    async def take_over(self, kind: str, shards: frozenset[int]) -> None:
        """Run these shards: read what waits for them, then take pushes for them. Raises StoreError."""
        if kind not in self.sweepers:
            return
        # The node that ran these actors before may not have pushed what they committed last.
        await self.read_again()
        sweeper = self.sweepers[kind]
        died = {one: self.died.pop((kind, one), "") for one in sorted(shards)}
        await sweeper.ownership.take_over(shards, sweeper.read_everything, died)

    async def release(self, kind: str, shards: frozenset[int]) -> None:
        """Take nothing more in for these shards, and return when none of their turns runs any more."""
        if kind not in self.sweepers:
            return
        self.sweepers[kind].ownership.give_up(shards)
        idle: asyncio.Future[None] = self._ports.tasks.new_future()
        self.sweepers[kind].residents.when_idle(shards, lambda: _finish(idle))
        await idle
        self._router.watches.release(partial(self._is_in, kind, shards))

    def _is_in(self, kind: str, shards: frozenset[int], address: str) -> bool:
        of_kind, _, key = address.partition("/")
        return of_kind == kind and self._router.shard_of(key) in shards

    def on_lease_lost(self, reason: str) -> None:
        """Others may have these shards: begin no turn, and forget every actor."""
        for sweeper in self.sweepers.values():
            sweeper.ownership.give_up_all()
            sweeper.residents.drop_all()

    def on_view(self, view: ClusterView) -> None:
        for learn in self._learners:
            learn(view)
        self._tell_new_owners(view)
        self._router.remote_watches.on_view(view)

    def _tell_new_owners(self, view: ClusterView) -> None:
        """What this node pushed to a former owner is lost, and must not be overtaken by what it pushes to the new."""
        moves = {(row.kind, row.shard): (row.owner, row.epoch) for row in view.shards}
        before, self._moves = self._moves, moves
        links = self._router.links
        if links is not None and moves != before:
            gained = {owner for slot, (owner, epoch) in moves.items() if before.get(slot) != (owner, epoch)}
            for owner in sorted(gained - {"", self._router.node}):
                links.request_resync(owner)

    def purges(self, kind: str) -> bool:
        """Whether the sweeper of this kind, here, is the one in the cluster: that of the first shard with an owner."""
        if self._router.shard_map is None:
            return kind == min(self.sweepers)
        owners = ((slot, owner) for slot, (owner, _) in self._moves.items() if owner)
        (first, shard), owner = min(owners, default=(("", 0), ""))
        return first == kind and owner == self._router.node and shard in self.sweepers[kind].ownership.live


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
