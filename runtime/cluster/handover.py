"""The shards that this node runs, and the two slow acts on them: taking one up and laying it down.

    membership ──take──▶    Handover ──take_over──▶ ShardOwner    turns may start
    membership ──release──▶          ──release────▶               intake stops, the running turn ends
    membership ──lapse──▶                                         everything stops now
                       ◀──settled──                               a phase has changed: look at the table again

Both acts run beside membership, which must go on renewing while a long turn ends. Each shard is released by itself,
so one long turn holds up nobody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any, Protocol

from runtime.cluster.facts import ShardsTaken
from runtime.cluster.placement import ShardPhase, Slot
from runtime.errors import StoreError
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.records import ClusterView

__all__ = ["Handover", "ShardOwner"]


class ShardOwner(Protocol):
    """Who runs the turns of the shards of this node."""

    async def take_over(self, kind: str, shards: frozenset[int]) -> None:
        """These shards are ours: turns may start, and what waits for them must be swept up now.

        Membership asks again later if this raises StoreError. A call that is still under way at `on_lease_lost` is
        followed by `release`. No turn relies on it: each asks `Membership.lease_is_sure` before its commit, and the
        store compares the actor's row.
        """
        ...

    async def release(self, kind: str, shards: frozenset[int]) -> None:
        """Take nothing in any more and let the running turns finish; return when none runs."""
        ...

    def on_lease_lost(self, reason: str) -> None:
        """The lease may have run out, so others may own our shards: stop taking turns now, drop every activation.

        Shards that are still ours when the lease is sure again come back through `take_over`.
        """
        ...

    def on_view(self, view: ClusterView) -> None:
        """Nodes, shards or subscriptions are not what they were."""
        ...


class Handover:
    """Phases of the shards of one node. At most one act per shard at a time."""

    def __init__(
        self, ports: Ports, owner: ShardOwner, settled: Callable[[], None], crashed: Callable[[BaseException], None]
    ) -> None:
        self._ports = ports
        self._owner = owner
        self._settled = settled
        self._crashed = crashed
        self._phases: dict[Slot, ShardPhase] = {}

    @property
    def phases(self) -> Mapping[Slot, ShardPhase]:
        return self._phases

    def take(self, slots: Iterable[Slot]) -> None:
        """Start to run shards that the table says are ours."""
        for kind, group in groupby(sorted(slots), key=lambda slot: slot[0]):
            taken = tuple(group)
            for slot in taken:
                self._phases[slot] = ShardPhase.TAKING
            self._start(self._take(kind, taken), f"take {kind}")

    def release(self, slots: Iterable[Slot]) -> None:
        """Stop running shards; when one is at rest it has no phase any more and can be given away."""
        for slot in slots:
            self._phases[slot] = ShardPhase.RELEASING
            self._start(self._release(slot), f"release {slot[0]} {slot[1]}")

    def lapse(self) -> None:
        """Nothing is ours for sure. Acts under way are left to end: a turn's commit is never cut short."""
        lapsed = {slot: ShardPhase.LAPSED for slot, phase in self._phases.items() if phase is not ShardPhase.HELD}
        self._phases = lapsed

    async def _take(self, kind: str, slots: tuple[Slot, ...]) -> None:
        shards = tuple(shard for _, shard in slots)
        self._ports.report(ShardsTaken(kind=kind, shards=shards))
        self._ports.failpoint(Failpoint.TAKE_BEGUN)
        try:
            await self._owner.take_over(kind, frozenset(shards))
            self._ports.failpoint(Failpoint.TAKE_ENDED)
            told = True
        except StoreError:
            told = False
        lapsed = frozenset(slot[1] for slot in slots if self._phases.get(slot) is not ShardPhase.TAKING)
        if lapsed:
            await self._give_back(kind, lapsed)
        for slot in slots:
            if told and self._phases.get(slot) is ShardPhase.TAKING:
                self._phases[slot] = ShardPhase.HELD
            else:
                self._phases.pop(slot, None)

    async def _give_back(self, kind: str, shards: frozenset[int]) -> None:
        """The lease was lost while these were taken: what the owner began for them after that has to end."""
        with suppress(StoreError):
            await self._owner.release(kind, shards)

    async def _release(self, slot: Slot) -> None:
        self._ports.failpoint(Failpoint.RELEASE_BEGUN)
        try:
            await self._owner.release(slot[0], frozenset((slot[1],)))
            self._ports.failpoint(Failpoint.RELEASE_ENDED)
        except StoreError:
            pass  # The turn has ended all the same, and compare-and-set decides about its commit.
        self._phases.pop(slot, None)

    def _start(self, act: Any, name: str) -> None:
        self._ports.tasks.start(act, name=name).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._crashed(error)
        else:
            self._settled()
