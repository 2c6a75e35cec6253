"""One node's part in the cluster: it joins, keeps its lease, evicts the dead, and runs the shards that belong to it.

    host ──start, leave──▶  Membership ──join, renew, evict, assign_many, cluster──▶ Store
    router ──owner_of────▶       │ Seat keeps the own row; plan (pure) says what to do next, Handover does it
                                 └──take_over, release, on_lease_lost, on_view──▶ ShardOwner

A round renews if that is due, reads the tables, evicts who has expired, and compares the shards with their placement.
There is no leader and no message between nodes: each node claims what belongs to it and gives away what does not, by
compare-and-set on the shard's epoch. None of this guards the actors' state, which their own compare-and-set does;
it only decides who should try.

A node that was evicted joins again under the same incarnation: `on_lease_lost` has dropped what it had in memory, so
nothing could be mistaken for an earlier life. A node that leaves first hosts nothing, so that nobody gives its shards
back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from runtime.cluster.facts import LeaseLost, LeaseRegained, StoreUnreachable
from runtime.cluster.handover import Handover, ShardOwner
from runtime.cluster.join import WhoIsAt
from runtime.cluster.lease import ClusterSettings, StoreWatch
from runtime.cluster.placement import Slot, plan
from runtime.cluster.roster import Roster, check_shard_counts, left_behind, note_deaths
from runtime.cluster.round_pace import RoundPace
from runtime.cluster.seat import Seat
from runtime.cluster.waits import said_if_long
from runtime.errors import NodeNameTaken, StoreError
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.port import MemberStore
from runtime.store.records import ClusterView, NodeRow, ShardRow

__all__ = ["Membership"]


class Membership:
    """Start it once; after `leave` it is done for good."""

    def __init__(
        self, store: MemberStore, ports: Ports, node: NodeRow, owner: ShardOwner, timing: ClusterSettings, who: WhoIsAt
    ) -> None:
        self._store = store
        self._ports = ports
        self._clock = ports.clock
        self._name, self._owner = node.name, owner
        self._settings = timing
        self._roster = Roster(timing.shards_per_kind)
        no_answer = f"no renewal has worked for {timing.lease_s} s"
        self._seat = Seat(store, ports, node, timing, who, lambda: self._lapse(no_answer))
        self.lease = self._seat.lease
        self._watch = StoreWatch(ports.clock, timing)
        self._handover = Handover(ports, owner, self.refresh_soon, self.fail)
        self._loop: asyncio.Task[None] | None = None
        self._pace = RoundPace(ports.clock, timing.renew_s / 20)
        self._failure: asyncio.Future[BaseException] | None = None
        self._rested: asyncio.Future[None] | None = None  # done when a leaving node has no shard left
        self.died: dict[Slot, str] = {}  # by shard: the node (name@incarnation) that had it and ended without leaving
        self._lapsed = self._done = self._waits = False
        self._reachable = True
        self._read_at_s = 0.0

    # --- for whoever routes: no awaits, constant time ---

    def owner_of(self, kind: str, shard: int) -> str | None:
        """The name of the node that runs a shard, as last read; None when nobody does."""
        return self._roster.owner_of((kind, shard))

    def lease_is_sure(self) -> bool:
        """Whether others can't have evicted us yet, by our own monotonic clock."""
        return self._seat.lease.is_sure

    @property
    def view(self) -> ClusterView:
        return self._roster.view

    # --- for the host ---

    async def start(self) -> None:
        """Join, read the tables and claim what belongs here. Raises NodeNameTaken, InvalidSettings, StoreError.

        Cancelled, it takes back what it may have written: nobody has to wait for the lease of a node that never was.
        """
        self._failure = asyncio.get_running_loop().create_future()
        with said_if_long(self._ports, "the store, to read who is in the cluster"):
            await self._seat.anchor()
            before = await self._store.cluster()
        check_shard_counts(before, self._settings.shards_per_kind)
        note_deaths(self.died, before, before, self._name)
        self.died.update(left_behind(before, before.now_s, self._name))
        try:
            with said_if_long(self._ports, f"its place in the cluster as {self._name}"):
                await self._seat.join(before)
                self._confirmed()
                await self._guarded_round()
        except asyncio.CancelledError:
            self._done = True
            await self._go()
            raise
        self._loop = self._ports.tasks.start(self._run(), name=f"membership of {self._name}")
        self._loop.add_done_callback(self._ended)

    async def failed(self) -> BaseException:
        """Wait until membership can't go on: NodeNameTaken when a successor has our name, else a bug's exception."""
        assert self._failure is not None, "start first"
        return await asyncio.shield(self._failure)

    def refresh_soon(self) -> None:
        """Ask for a round now, e.g. because a peer says that a shard has moved. Cheap; asking twice is asking once."""
        self._pace.hurry()

    def start_over(self, reason: str) -> None:
        """The store is another history now, so what it has told may not be true. Join, and take the shards, anew."""
        self._lapse(reason)
        self._watch.failed()  # Leases may be those of long ago: every member gets a full one before it is judged.
        self._seat.renew_at_s = self._clock.monotonic_s()
        self.refresh_soon()

    async def leave(self, *, within_s: float | None = None) -> bool:
        """Give all shards up, each when its running turn has ended, and go; whether it came to that.

        After `within_s` seconds what is left is given up as it is; its turns can no longer start, and a turn still
        running commits or conflicts like any other.
        """
        if self._loop is None:
            return True
        self._seat.host_nothing()
        rested = self._rested = asyncio.get_running_loop().create_future()
        if within_s is not None:
            self._clock.call_later(within_s, self._rest)
        if self._done:
            self._rest()
        self.refresh_soon()
        await rested
        self._done = True
        self.refresh_soon()
        if not self._loop.done():
            await self._loop
        return await self._go()

    async def _go(self) -> bool:
        self._seat.lease.drop()
        at_rest = not self._handover.phases and not self._lapsed
        if self._handover.phases:
            self._handover.lapse()
            self._owner.on_lease_lost("this node has left")
        try:
            await self._seat.leave()
        except StoreError as error:
            self._unreachable(error)
            return False
        return at_rest

    # --- rounds ---

    async def _run(self) -> None:
        while not self._done:
            await self._pace.rest(self._next_s())
            if not self._done:
                await self._guarded_round()

    async def _guarded_round(self) -> None:
        try:
            await self._round()
            self._reachable = True
        except StoreError as error:
            self._watch.failed()
            self._unreachable(error)
        except NodeNameTaken as error:
            self.fail(error)
        if not self._handover.phases and (self._lapsed or not self._roster.owns_any(self._name)):
            self._rest()

    async def _round(self) -> None:
        if self._pace.begin() >= self._seat.renew_at_s or self._seat.must_announce:
            await self._renew()
        await self._read()
        if await self._evict():
            await self._read()
        if self._seat.lease.is_sure:
            await self._act()

    async def _renew(self) -> None:
        if await self._seat.renew():
            self._confirmed()
        else:
            self._lapse("another node has evicted this one")
            await self._seat.join(self._roster.view)
            self._confirmed(evicted=True)

    def _confirmed(self, *, evicted: bool = False) -> None:
        self._watch.answered()
        if self._lapsed and self._seat.lease.is_sure:
            self._lapsed = False
            self._ports.report(LeaseRegained(evicted=evicted))

    async def _read(self) -> None:
        self._read_at_s = self._clock.monotonic_s()
        view = await self._store.cluster()
        self._ports.failpoint(Failpoint.VIEW_READ)
        self._watch.read(view, sent_s=self._read_at_s)
        before = self._roster.view
        changed, facts = self._roster.learn(view)
        if changed:
            note_deaths(self.died, before, view, self._name)
        for fact in facts:
            self._ports.report(fact)
        if changed:
            self._owner.on_view(view)
        own = self._roster.node(self._name)
        if own is None or own.incarnation != self._seat.row.incarnation:
            self._lapse("another node has evicted this one")
            self._seat.renew_at_s = self._clock.monotonic_s()

    async def _evict(self) -> bool:
        """Remove members whose lease has run out, if we may judge that. Returns whether there was one."""
        view = self._roster.view
        others = [row for row in view.nodes if row.name != self._name]
        expired = [row for row in others if row.lease_until_s < view.now_s and not self._watch.silent_in_s(row)]
        if not expired or not self._watch.may_evict:
            return False
        for row in expired:
            self._ports.failpoint(Failpoint.EVICTION_ASKED)
            await self._store.evict(row.name, row.incarnation)
            self._ports.failpoint(Failpoint.EVICTED)
        return True

    async def _act(self) -> None:
        todo = plan(self._roster.view, self._roster.placement, self._name, self._handover.phases)
        self._waits = todo.waits
        self._handover.take(todo.take)
        self._handover.release(todo.release)
        if todo.assign:
            await self._assign(todo.assign)

    async def _assign(self, wishes: Sequence[ShardRow]) -> None:
        self._ports.failpoint(Failpoint.ASSIGNMENT_ASKED)
        granted = await self._store.assign_many(wishes)
        self._ports.failpoint(Failpoint.ASSIGNED)
        rows = [replace(row, epoch=row.epoch + 1) for row, ok in zip(wishes, granted, strict=True) if ok]
        if len(rows) < len(wishes):
            self.refresh_soon()  # Our view was stale: read the tables again.
        if not rows:
            return
        gifts = self._roster.assigned(rows, by=self._name)
        self._owner.on_view(self._roster.view)
        if self._seat.lease.is_sure:
            self._handover.take([(row.kind, row.shard) for row in rows if row.owner == self._name])
        for gift in gifts:
            self._ports.report(gift)

    def _next_s(self) -> float:
        """When a round is due: to renew, to see a wanted shard come free, or just after the next lease runs out."""
        soon_s = self._pace.begun_s + self._settings.renew_s / 4
        if not self._reachable:
            return soon_s
        due_s = min(self._seat.renew_at_s, soon_s) if self._waits else self._seat.renew_at_s
        view = self._roster.view
        for row in view.nodes:
            left_s = max(row.lease_until_s - view.now_s, self._watch.silent_in_s(row) or float("-inf"))
            if row.name != self._name and left_s >= 0:
                due_s = min(due_s, self._read_at_s + left_s + self._settings.renew_s / 40)
        return due_s

    # --- the ends ---

    def _lapse(self, reason: str) -> None:
        self._seat.lease.drop()
        if self._lapsed or self._done:
            return
        self._lapsed = True
        self._handover.lapse()
        self._ports.report(LeaseLost(reason=reason))
        self._owner.on_lease_lost(reason)

    def _unreachable(self, error: StoreError) -> None:
        if self._reachable:
            self._reachable = False
            self._ports.report(StoreUnreachable(reason=str(error)))

    def fail(self, error: BaseException) -> None:
        """A part of the node cannot go on, and so the node cannot: it gives up what it owns, and `failed` says why."""
        self._lapse(str(error))
        self._done = True
        self._rest()
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(error)

    def _rest(self) -> None:
        if self._rested is not None and not self._rested.done():
            self._rested.set_result(None)
