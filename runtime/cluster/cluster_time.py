"""Which time a node goes by: its own wall clock as read once, unless its live peers or the store show that it is off.

    start ──anchor──▶ read the members; one that looks far ahead or long gone is watched until it renews, or is dead
                      live peers agree that our clock is off ──set_right──▶ SteadyClock
                      nobody lives, and the store has seen a later instant ──set_right──▶ our time goes on from there
    each renewal ──look──▶ has the machine's clock jumped? Operators are told, and nothing goes by that clock
                 ──news_s──▶ how far that clock is off stands in our row, where operators see it

The end of a lease that was just renewed, less the length of the lease, is the time that its owner goes by. The length
stands in the row, since a peer's setting may differ from ours. A peer whose version does not say it is not asked.
"""

from __future__ import annotations

from statistics import median_low

from runtime.cluster.facts import ClockBehindStore, ClockJumped, ClockSetRight
from runtime.cluster.lease import ClusterSettings
from runtime.ports import Ports, SteadyClock
from runtime.store.port import MemberStore
from runtime.store.records import ClusterView, NodeRow

__all__ = ["ClusterTime"]

_LOOKS = 12  # A starting node reads the members so often, a quarter of `renew_s` apart: a peer renews thrice meanwhile.


class ClusterTime:
    """Compares a steady clock with the peers' and the machine's; any other clock is left as it is."""

    def __init__(self, ports: Ports, settings: ClusterSettings, node: NodeRow) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._steady = ports.clock if isinstance(ports.clock, SteadyClock) else None
        self._settings = settings
        self._name = node.name
        self._said_s = 0.0

    async def anchor(self, store: MemberStore) -> None:
        """Take the time of live peers if our own clock is off, before we join and judge anybody. Raises StoreError."""
        if self._steady is None:
            return
        view = await store.cluster()
        first = self._peers(view)
        ahead = [ahead_s for _, ahead_s in first.values()]
        if ahead and all(abs(ahead_s) <= self._settings.clock_skew_max_s for ahead_s in ahead):
            return
        heard = await self._heard(store, first) if first else {}
        if heard:
            self._go_by(heard)
        elif not any(abs(ahead_s) <= self._settings.clock_skew_max_s for ahead_s in ahead):
            self._go_on_from(view)
        self._said_s = self._steady.off_s()

    async def _heard(self, store: MemberStore, first: dict[str, tuple[float, float]]) -> dict[str, float]:
        """Of the peers that are seen to renew, how far each is ahead of us."""
        heard: dict[str, float] = {}
        for _ in range(_LOOKS):
            await self._clock.sleep(self._settings.renew_s / 4)
            for name, (until_s, ahead_s) in self._peers(await store.cluster()).items():
                if name in first and until_s != first[name][0]:
                    heard.setdefault(name, ahead_s)
            if len(heard) == len(first):
                break
        return heard

    def _go_by(self, heard: dict[str, float]) -> None:
        by_s = median_low(sorted(heard.values()))
        if abs(by_s) > self._settings.clock_skew_max_s:
            self._set_right(by_s)
            self._ports.report(ClockSetRight(member=self._name, by_s=by_s, peers=tuple(sorted(heard))))

    def _go_on_from(self, view: ClusterView) -> None:
        """It cannot be earlier than what was written last. That it is later than we think, only peers can tell."""
        # Rows of the dead count as well, our own former one among them.
        renewed = [row.lease_until_s - row.lease_s for row in view.nodes if row.lease_s]
        by_s = max([view.lived_until_s, *renewed]) - self._clock.now_s()
        if by_s > self._settings.clock_skew_max_s:
            self._set_right(by_s)
            self._ports.report(ClockBehindStore(member=self._name, by_s=by_s))

    def _set_right(self, by_s: float) -> None:
        if self._steady is not None:
            self._steady.set_right(by_s)

    def news_s(self, told_s: float) -> float | None:
        """How many seconds the machine's clock is ahead of ours; None if that was hardly another when last written."""
        off_s = 0.0 if self._steady is None else round(self._steady.off_s(), 1)
        return off_s if abs(off_s - told_s) > self._settings.clock_skew_max_s / 4 else None

    def look(self) -> None:
        """Say so, once for each jump, when the machine's clock has gone another way than ours."""
        if self._steady is None:
            return
        off_s = self._steady.off_s()
        if abs(off_s - self._said_s) > self._settings.clock_skew_max_s:
            self._said_s = off_s
            self._ports.report(ClockJumped(member=self._name, off_s=off_s))

    def _peers(self, view: ClusterView) -> dict[str, tuple[float, float]]:
        """Of each other member, when its lease ends, and how far its time then seems to be ahead of ours."""
        return {
            row.name: (row.lease_until_s, row.lease_until_s - row.lease_s - self._clock.now_s())
            for row in view.nodes
            if row.name != self._name and row.lease_s
        }
