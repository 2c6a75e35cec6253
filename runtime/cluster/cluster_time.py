"""Which time a node goes by: its own wall clock as read once, unless its live peers show that it is off.

    start ──anchor──▶ read the members; who looks far ahead or long gone is watched until it renews, or is dead
                      live peers agree that our clock is off ──set_right──▶ SteadyClock
    each renewal ──look──▶ has the machine's clock jumped? It is said, and nothing goes by it
                 ──news_s──▶ how far it is off stands in our row, where operators see it

A lease that was just renewed, less what it lasts, says what time it is for whoever renewed it. How long that is may be
another setting than ours, and stands in the row; a peer of an older version, which does not say so, is not asked.
"""

from __future__ import annotations

from statistics import median_low

from runtime.cluster.facts import ClockJumped, ClockSetRight
from runtime.cluster.lease import ClusterSettings
from runtime.ports import Ports, SteadyClock
from runtime.store.port import Store
from runtime.store.records import ClusterView, NodeRow

__all__ = ["ClusterTime"]

_LOOKS = 12  # at the members, a quarter of `renew_s` apart: three renewals of a peer


class ClusterTime:
    """Compares a steady clock with the peers' and the machine's; any other clock is left as it is."""

    def __init__(self, ports: Ports, settings: ClusterSettings, node: NodeRow) -> None:
        self._ports = ports
        self._clock = ports.clock
        self._settings = settings
        self._name = node.name
        self._said_s = 0.0

    async def anchor(self, store: Store) -> None:
        """Go by the time of live peers if our own is off. Before we join, and judge anybody. Raises StoreError."""
        if not isinstance(self._clock, SteadyClock):
            return
        first = self._peers(await store.cluster())
        if all(abs(ahead_s) <= self._settings.clock_skew_max_s for _, ahead_s in first.values()):
            return
        heard: dict[str, float] = {}
        for _ in range(_LOOKS):
            await self._clock.sleep(self._settings.renew_s / 4)
            for name, (until_s, ahead_s) in self._peers(await store.cluster()).items():
                if name in first and until_s != first[name][0]:
                    heard.setdefault(name, ahead_s)
            if len(heard) == len(first):
                break
        by_s = median_low(sorted(heard.values())) if heard else 0.0
        if abs(by_s) > self._settings.clock_skew_max_s:
            self._clock.set_right(by_s)
            self._ports.report(ClockSetRight(member=self._name, by_s=by_s, peers=tuple(sorted(heard))))
        self._said_s = self._clock.off_s()

    def news_s(self, told_s: float) -> float | None:
        """How far the machine's clock is ahead of ours, if that is worth writing, after this was written last."""
        off_s = round(self._clock.off_s(), 1) if isinstance(self._clock, SteadyClock) else 0.0
        return off_s if abs(off_s - told_s) > self._settings.clock_skew_max_s / 4 else None

    def look(self) -> None:
        """Say so, once for each jump, when the machine's clock has gone another way than ours."""
        if not isinstance(self._clock, SteadyClock):
            return
        off_s = self._clock.off_s()
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
