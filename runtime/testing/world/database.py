"""The one database of a simulated cluster: a memory store that all nodes share, and a ledger of its commits.

FaultyStore (one for each life of a node) ──▶ Database ──▶ MemoryStore
                                                 └──▶ Ledger
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any, TypeVar

from runtime.durable.kind import Limits
from runtime.ports import Ports
from runtime.store.another_history import AnotherHistory
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import ClusterView, Verdict
from runtime.testing.rules.ledger import Ledger
from runtime.testing.rules.purge_rule import old_before_s
from runtime.testing.rules.saved_tables import SavedTables
from runtime.testing.virtual.clock import EPOCH_S
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.virtual.machine import SimClock

__all__ = ["Database"]

_T = TypeVar("_T")


class Database:
    """Acts at once, and wholly or not at all. Delays and faults come on the way to it. It belongs to no process."""

    def __init__(self, loop: SimLoop, ports: Ports, ledger: Ledger, wrote: Callable[[str, int, str], object]) -> None:
        assert isinstance(ports.clock, SimClock)
        self.clock = ports.clock  # Leases run out by this clock.
        self.rows = MemoryStore(ports)
        self.ledger = ledger
        self._loop = loop
        self.clock_has_jumped = False  # From then on leases are no measure.
        self.retention_s = Limits().retention_s  # All nodes have the same.
        self.failovers = 0  # The number of times that a standby has taken over.
        self._standby: tuple[SavedTables, SavedTables] | None = None
        self._standby_since_s = 0.0  # Commits after this instant are lost when it takes over, by this clock.
        self._hear_of_failover: list[Callable[[], object]] = []
        self._locked_until_s = 0.0
        self._wrote = wrote  # It hears of each commit: by whom, how many, the verdicts.

    def commit(self, who: str, batch: Sequence[Unit]) -> list[Verdict]:
        verdicts = self.act(self.rows.commit(batch))
        self._wrote(who, len(batch), " ".join(verdicts))
        self.ledger.true_s = self._loop.time() + EPOCH_S
        self.ledger.wrote(batch, verdicts)
        self.ledger.last_commit_at_s = self._loop.time()
        return verdicts

    def purge(self, *, handled_before_s: float, limit: int, after: bytes) -> Coroutine[Any, Any, tuple[int, bytes]]:
        """Forgets old conversations, and has the ledger check them."""

        async def purged() -> tuple[int, bytes]:
            before = self.rows.conversations
            done = await self.rows.purge(handled_before_s=handled_before_s, limit=limit, after=after)
            true_s = self._loop.time() + EPOCH_S
            self.ledger.forgets_before_s = old_before_s(true_s, self.retention_s, self.ledger.clocks_wrong_s)
            self.ledger.forgot(before - self.rows.conversations)
            return done

        return purged()

    @property
    def leases_count(self) -> bool:
        """Says whether leases are a measure: until the clock has jumped, or the newest commits were lost."""
        return not (self.clock_has_jumped or self.failovers)

    def members(self) -> ClusterView:
        """All members, and the time by this clock."""
        return self.act(self.rows.cluster())

    def lock(self, lasts_s: float) -> None:
        """Has somebody hold the lock that writers need."""
        self._locked_until_s = max(self._locked_until_s, self._loop.time() + lasts_s)

    def unlock(self) -> None:
        self._locked_until_s = 0.0

    def heal(self) -> None:
        """Frees the lock, and sets the clock right."""
        self.unlock()
        self.clock.jump(-self.clock.wrong_by_s)

    @property
    def is_locked(self) -> bool:
        return self._loop.time() < self._locked_until_s

    def keep(self) -> bool:
        """Sets up a standby with all that is committed by now, and nothing later. False if there is one already."""
        if self._standby is not None:
            return False
        self._standby = SavedTables(self.rows), self.ledger.keep()
        self._standby_since_s = self.clock.now_s()
        return True

    def fail_over(self) -> None:
        """Has the standby take over. Confirmed commits since `keep` are lost, and all connections break."""
        if self._standby is not None:
            rows, known = self._standby
            self._standby = None
            self.failovers += 1
            rows.turn_back()
            self.ledger.turn_back(known)
            for told in self._hear_of_failover:
                told()

    def at_failover(self, told: Callable[[], object]) -> None:
        """Calls at each failover."""
        self._hear_of_failover.append(told)

    @property
    def another_history(self) -> AnotherHistory:
        """What the last failover has done."""
        return AnotherHistory(f"standby {self.failovers} has taken over", True, self._standby_since_s)

    def act(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Runs a call of the memory store to its end; it never suspends."""
        try:
            call.send(None)
        except StopIteration as end:
            answer: _T = end.value
            return answer
        raise AssertionError("the memory store never waits")

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Calls back later by the database's time, whether or not the caller still lives."""
        self._loop.call_later(delay_s, callback, *arguments, context=Context())
