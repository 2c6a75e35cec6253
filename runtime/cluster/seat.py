"""This node's own row in the table of members: joined, renewed, marked as hosting nothing, left; and its lease.

membership ──join, renew──▶ Seat ──▶ Store     the lease counts from before the call was sent
membership ◀──lapsed──        "                no renewal has worked for as long as the lease lasts
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.cluster.cluster_time import ClusterTime
from runtime.cluster.join import WhoIsAt, join
from runtime.cluster.lease import ClusterSettings, Lease
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.port import MemberStore
from runtime.store.records import ClusterView, NodeRow

__all__ = ["Seat"]


class Seat:
    """`join` it first. Its methods raise StoreError, and `join` and `renew` NodeNameTaken as well."""

    def __init__(
        self,
        store: MemberStore,
        ports: Ports,
        row: NodeRow,
        settings: ClusterSettings,
        who_answers: WhoIsAt,
        lapsed: Callable[[], None],
    ) -> None:
        self.row = row
        self.lease = Lease(ports.clock, settings.lease_s, lapsed)
        self.renew_at_s = 0.0  # when a renewal is due next, by the monotonic clock
        self.must_announce = False  # the table does not say yet that this node hosts nothing any more
        self._store = store
        self._ports = ports
        self._clock = ports.clock
        self._settings = settings
        self._who_answers = who_answers
        self._time = ClusterTime(ports, settings, row)

    async def anchor(self) -> None:
        """Find out which time to go by, before anything is written."""
        await self._time.anchor(self._store)

    async def join(self, view: ClusterView) -> None:
        """Write the row. `view` is what was read last."""
        self._note_clock(self._time.news_s(self.row.clock_off_s))
        self._ports.failpoint(Failpoint.JOIN_ASKED)
        sent_s = await join(self._store, self._ports, self.row, self._settings, self._who_answers, view)
        self._ports.failpoint(Failpoint.JOINED)
        self._renewed(sent_s)

    async def renew(self) -> bool:
        """Prolong the lease. False: another node has evicted this one."""
        sent_s = self._clock.monotonic_s()
        self._ports.failpoint(Failpoint.RENEWAL_ASKED)
        if self.must_announce:
            alive = await self._store.join(self.row, lease_s=self._settings.lease_s) is None
            self.must_announce = not alive
        else:
            alive = await self._prolong()
        self._ports.failpoint(Failpoint.RENEWED)
        if alive:
            self._renewed(sent_s)
        return alive

    async def _prolong(self) -> bool:
        name, incarnation, off_s = self.row.name, self.row.incarnation, self._time.news_s(self.row.clock_off_s)
        alive = await self._store.renew(name, incarnation, lease_s=self._settings.lease_s, clock_off_s=off_s)
        self._note_clock(off_s)
        return alive

    def _note_clock(self, off_s: float | None) -> None:
        if off_s is not None:
            self.row = replace(self.row, clock_off_s=off_s)

    def _renewed(self, sent_s: float) -> None:
        self.lease.renewed(sent_s)
        self._time.look()
        self.renew_at_s = sent_s + self._settings.renew_s * (0.8 + 0.2 * self._ports.randomness.fraction())

    def host_nothing(self) -> None:
        """The next renewal says that this node takes no shards any more."""
        self.row = replace(self.row, kinds=())
        self.must_announce = True

    async def leave(self) -> None:
        """Take the row away; it expires by itself if the store cannot be reached."""
        self._ports.failpoint(Failpoint.LEAVE_ASKED)
        await self._store.leave(self.row.name, self.row.incarnation)
        self._ports.failpoint(Failpoint.LEAVE_WRITTEN)
