"""Lets time leap to the next event. Whatever only waits for its next round waits through the leap.

    Cluster.advance, at_rest ──▶ Leaper ──is the cluster settled, and what is due next?──▶ the store
                                        ──leap──▶ ClusterLoop: all clocks go on, and rounds are put off by as much
                                        ──renew──▶ the leases, since no round renews them meanwhile

A round is left out only if it would have found nothing to do. All nodes serve and know each other, nobody waits for an
answer, no mail is due, and the tables of the cluster have not changed for a while. The leap ends some seconds before
anything else is due: a timer in the store, a callback of a node or of the test. In these seconds rounds run again,
renew the nodes' own leases, and find the timer. Times that nodes measure by their clocks, such as the retention of
history, have passed when the leap is over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from runtime.config import Settings
from runtime.durations import in_seconds, shown
from runtime.store.port import Store
from runtime.store.records import ClusterView
from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.virtual.machine import SimClock
from runtime.testing.world.cluster import SimCluster

__all__ = ["ROUNDS", "Leaper", "forward_s"]

_DAY_S = 86_400.0

ROUNDS = frozenset(
    (
        "Sweeper.run",
        "RoundPace.hurry",
        "Lease._expire",
        "Mesh._tick",
        "ActorWatch._look_again",
        "FileKeeper.failed",
    )
)
"""The rounds of a node, by the name of the callback, or of the coroutine that sleeps until the next one."""

_ROWS_MAX = 1_000  # With more rows, nothing is said of what is due.
_TRIES = 200  # So many tries to find an instant without a round under way.
_BETWEEN_S = 0.003
_OFF_S = 0.5  # With a clock further off, a sweep might see a timer too late.


class Leaper:
    """Lets the time of one cluster go by. Its nodes share `store`."""

    def __init__(
        self, cluster: SimCluster, loop: ClusterLoop, store: Store, kinds: Sequence[str], settings: Settings
    ) -> None:
        self._cluster = cluster
        self._loop = loop
        self._store = store
        self._kinds = kinds
        self._shards = range(settings.shards_per_kind)
        self._lease_s = settings.lease_s
        self._settle_s = settings.lease_s + 3 * settings.sweep_s  # No round waits so long for the next.

    async def until(self, until_s: float) -> None:
        """Returns at this instant of the loop."""
        while until_s - self._loop.time() > 2 * self._settle_s:
            await self.some(until_s)
        await self._cluster.sleep(until_s - self._loop.time())

    async def some(self, until_s: float) -> None:
        """Lets some seconds go by with all rounds, and then all the time without events; never past `until_s`.

        Rounds always run in the last seconds before anything is due, so it finds a cluster at work.
        """
        before = await self._tables()
        await self._cluster.sleep(min(self._settle_s, until_s - self._loop.time()))
        if before is not None and await self._tables() == before:
            await self._leap(until_s)

    async def _leap(self, limit_s: float) -> None:
        for _ in range(_TRIES):
            due_s = await self._due_s()
            to_s = min(limit_s, due_s, self._loop.next_beside(ROUNDS)) - self._settle_s
            if self._loop.is_idle and to_s - self._loop.time() > self._settle_s:
                self._loop.leap(to_s, ROUNDS)
                await self._renew()
                return
            await self._cluster.sleep(_BETWEEN_S)

    async def _renew(self) -> None:
        for row in (await self._store.cluster()).nodes:
            await self._store.renew(row.name, row.incarnation, lease_s=row.lease_s or self._lease_s)

    async def _tables(self) -> tuple[object, ...] | None:
        """The members and their shards; None while these are about to change."""
        nodes = [node for node in self._cluster.nodes if node.alive]
        if any(node.frozen or not node.serves or not _is_right(node.clock) for node in nodes) or self._cluster.twins:
            return None
        view = await self._store.cluster()
        if sorted(row.name for row in view.nodes) != sorted(node.name for node in nodes):
            return None
        return _lasting(view)

    async def _due_s(self) -> float:
        """The loop's time at which the next mail or timer is due; 0 if that is not known."""
        due_s = math.inf
        for kind in self._kinds:
            mail = await self._store.waiting(
                kind, self._shards, due_before_s=math.inf, sent_before_s=math.inf, limit=_ROWS_MAX
            )
            if len(mail) == _ROWS_MAX:
                return 0.0
            timed = await self._store.due(kind, self._shards, before_s=math.inf, limit=1)
            instants = (*(row.due_at_s for row in mail), *(row.due_at_s for row in timed if row.due_at_s is not None))
            due_s = min(due_s, *instants, math.inf)
        return due_s - self._cluster.ports.clock.now_s() + self._loop.time()


def _is_right(clock: SimClock | None) -> bool:
    return clock is not None and abs(clock.wrong_by_s) < _OFF_S


def _lasting(view: ClusterView) -> tuple[object, ...]:
    """The part of a view that renewals do not change."""
    nodes = [(row.name, row.incarnation, row.kinds) for row in view.nodes]
    return (nodes, view.shards, view.subscriptions)


def forward_s(delay: float | timedelta, days: float) -> float:
    """The seconds in all. Raises ValueError for what is no time, or goes back."""
    seconds = in_seconds(delay)
    are_numbers = isinstance(seconds, int | float) and isinstance(days, int | float)
    if are_numbers and min(seconds, days) >= 0 and math.isfinite(seconds + days):
        return float(seconds + days * _DAY_S)
    raise ValueError(f"advance({shown(delay)}, days={shown(days)}): time goes forward, by seconds, a timedelta or days")
