"""Old history is forgotten, now and then.

    clocks ──▶ Lived, kept in the store ──what is older than the retention, by time lived through──▶ Store.purge

History is forgotten no faster than time is lived through: what a clock says once forgets nothing. Time in which no
node ran is not lived through, and does not count for the retention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from runtime.failpoints import Failpoint
from runtime.ports import Fact, Ports
from runtime.store.lived import Lived
from runtime.store.port import SweepStore

__all__ = ["ClockOffPace", "Upkeep"]

_EVERY_S = 30.0
_ROWS = 500
# History is purged 60 s after its retention ends: a post that was let in just before its id expired is written by then.
_LATER_S = 60.0
_SAID_BEHIND_S, _SAID_AHEAD_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class ClockOffPace(Fact):
    """The clock is so far ahead of the time that nodes have lived through: it jumped, or none ran for so long.

    History is kept until it has been lived through for the whole retention.
    """

    level: ClassVar[str] = "warning"
    ahead_s: float


class Upkeep:
    """Shared by the sweepers of a node. `purges` says for which kind, here, history is purged for the whole cluster."""

    def __init__(
        self, store: SweepStore, ports: Ports, purges: Callable[[str], bool], *, retention_s: float, sweep_s: float
    ) -> None:
        self._store = store
        self._ports = ports
        self._purges = purges
        self._age_s = retention_s + _LATER_S
        self._sweep_s = sweep_s
        self._after = b""
        self._next_at_s = float("-inf")  # by the monotonic clock
        self._written = Lived(), 0.0  # what this node wrote last, and when by the monotonic clock

    async def purge(self, kind: str) -> None:
        """Forget some of what is old, if it is time to, and if the sweeper of this kind is to. Raises StoreError."""
        steady_s = self._ports.clock.monotonic_s()
        if steady_s < self._next_at_s or not self._purges(kind):
            return
        self._ports.failpoint(Failpoint.PURGE_ASKED)
        lived = await self._live_on(steady_s)
        before_s = lived.before_s(self._age_s)
        _, self._after = await self._store.purge(handled_before_s=before_s, limit=_ROWS, after=self._after)
        self._ports.failpoint(Failpoint.PURGED)
        self._next_at_s = steady_s + (self._sweep_s if self._after else _EVERY_S)

    async def _live_on(self, steady_s: float) -> Lived:
        """Count what has passed since this node counted last, unless others have counted since."""
        now_s = self._ports.clock.now_s()
        lived, (written, at_s) = await self._store.lived(), self._written
        by_s = steady_s - at_s if lived == written and lived.stretches else 0.0
        ahead_s = lived.ahead_s(now_s) - by_s
        if not -_SAID_BEHIND_S <= ahead_s <= _SAID_AHEAD_S:
            self._ports.report(ClockOffPace(ahead_s=ahead_s))
        lived = lived.on(by_s, now_s).without(self._age_s)
        await self._store.put_lived(lived)
        self._written = lived, steady_s
        return lived
