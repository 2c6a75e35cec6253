"""What is done now and then: old history is forgotten, and idle actors leave memory.

    clocks ──▶ Lived, kept in the store ──what is older than the retention, by time lived through──▶ Store.purge

History is forgotten no faster than time is lived through: what a clock says once forgets nothing. Time in which no
node ran is not lived through, and does not count for the retention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from runtime.durable.kind import Kind
from runtime.failpoints import Failpoint
from runtime.ports import Fact
from runtime.store.lived import Lived
from runtime.store.port import Store

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

    def __init__(self, purges: Callable[[str], bool]) -> None:
        self._purges = purges
        self._after = b""
        self._next_at_s = float("-inf")  # by the monotonic clock
        self._written = Lived(), 0.0  # what this node wrote last, and when by the monotonic clock
        self._passivate_at_s: dict[str, float] = {}  # by kind, by the monotonic clock

    def passivate(self, kind: Kind, passivate: Callable[[], None]) -> None:
        """Have idle actors of a kind leave memory, if it is time to."""
        steady_s = kind.ports.clock.monotonic_s()
        if steady_s >= self._passivate_at_s.get(kind.name, float("-inf")):
            passivate()
            self._passivate_at_s[kind.name] = steady_s + kind.limits.idle_s / 2

    async def purge(self, kind: Kind) -> None:
        """Forget some of what is old, if it is time to. Raises StoreError."""
        steady_s = kind.ports.clock.monotonic_s()
        if steady_s < self._next_at_s or not self._purges(kind.name):
            return
        age_s = kind.limits.retention_s + _LATER_S
        kind.ports.failpoint(Failpoint.PURGE_ASKED)
        lived = await self._live_on(kind, steady_s, age_s)
        before_s = lived.before_s(age_s)
        _, self._after = await kind.store.purge(handled_before_s=before_s, limit=_ROWS, after=self._after)
        kind.ports.failpoint(Failpoint.PURGED)
        self._next_at_s = steady_s + (kind.limits.sweep_s if self._after else _EVERY_S)

    async def _live_on(self, kind: Kind, steady_s: float, age_s: float) -> Lived:
        """Count what has passed since this node counted last, unless others have counted since."""
        store: Store = kind.store
        now_s = kind.ports.clock.now_s()
        lived, (written, at_s) = await store.lived(), self._written
        by_s = steady_s - at_s if lived == written and lived.stretches else 0.0
        ahead_s = lived.ahead_s(now_s) - by_s
        if not -_SAID_BEHIND_S <= ahead_s <= _SAID_AHEAD_S:
            kind.ports.report(ClockOffPace(ahead_s=ahead_s))
        lived = lived.on(by_s, now_s).without(age_s)
        await store.put_lived(lived)
        self._written = lived, steady_s
        return lived
