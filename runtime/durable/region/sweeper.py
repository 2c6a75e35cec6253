"""Mail that nobody pushed: it waits in the store until a sweep finds it.

    Sweeper ──waiting──▶ Store ──rows──▶ Residents       one sweeper for each kind on a node
       └──each pass──▶ DueTimers, Upkeep; now and then idle actors leave memory

Each pass reads what is there now; nothing is remembered from one pass to the next, since rows may become visible out of
order. A push makes all this needless in the normal case, a lost one costs a pass.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runtime.backoff import spread
from runtime.durable.region.ownership import Ownership
from runtime.durable.region.timers import DueTimers
from runtime.durable.residence.residents import Residents
from runtime.envelope import Address
from runtime.errors import StoreError
from runtime.failpoints import Failpoint
from runtime.store.records import MailRow

__all__ = ["Sweeper"]

_ROWS_MAX = 1000  # rows of one pass
_REACH_MAX = 8000  # rows of one pass, while what passes found first could not all be delivered
_FULL_EVERY = 10  # One pass in ten reads recent mail as well, whatever the clock of its sender said.
_AGAIN_S = 0.05  # pause after a pass that found more than it could read; twice as long as that took, if that is more
_EVER_S = 1e18


class Sweeper:
    """Finds the mail of one kind's owned shards, and makes the rounds of its timers and its upkeep.

    `purge` forgets old history, if the sweeper of this kind is the one that has to. `found` is told how much mail that
    could be handled now a look has found.
    """

    def __init__(
        self,
        residents: Residents,
        purge: Callable[[str], Awaitable[None]],
        found: Callable[[str, int], object] = lambda kind, count: None,
    ) -> None:
        self.residents = residents
        self.ownership = Ownership(residents)
        self.timers = DueTimers(self.ownership, self._failed)
        self.rows_max = _ROWS_MAX
        self.reach_max = _REACH_MAX
        self.rows_found = 0  # by all looks so far; mail that several looks have found counts each time
        self._purge = purge
        self._found = found
        self._passivate_at_s = float("-inf")  # by the monotonic clock
        self._kind = residents.kind
        self._ports = residents.kind.ports
        self._reach = _ROWS_MAX
        self._passes = 0
        self._stopped = False

    async def run(self) -> None:
        """Sweep until stopped."""
        sweep_s = self._kind.limits.sweep_s
        while not self._stopped:
            began_s = self._ports.clock.monotonic_s()
            more = await self._pass()
            self._passivate()
            took_s = self._ports.clock.monotonic_s() - began_s
            await self._ports.clock.sleep(
                max(_AGAIN_S, 2 * took_s) if more else spread(sweep_s, 0.25, self._ports.randomness.fraction())
            )

    def _passivate(self) -> None:
        """Have idle actors leave memory, if it is time to."""
        steady_s = self._ports.clock.monotonic_s()
        if steady_s >= self._passivate_at_s:
            self.residents.passivate()
            self._passivate_at_s = steady_s + self._kind.limits.idle_s / 2

    def stop(self) -> None:
        self._stopped = True

    @property
    def kind(self) -> str:
        return self._kind.name

    @property
    def shards(self) -> int:
        """How many shards of the kind are live here."""
        return len(self.ownership.live)

    # --- asked for ---

    async def sweep_all(self) -> None:
        """Deliver everything that waits now; used when pushes may have been missed."""
        self.ownership.on_missed_pushes()
        try:
            complete = await self._sweep_mail(sorted(self.ownership.live), sent_before_s=_EVER_S)
        except StoreError as error:
            self._failed(str(error))
            complete = False
        if not complete:
            self.residents.note_missed_mail()

    async def read_everything(self, shards: list[int]) -> None:
        """Deliver all that waits in shards that are being taken over, and arm their timers. Raises StoreError."""
        await self._read_all_mail(shards)
        await self.timers.sweep(shards, rows_max=self.rows_max)

    async def run_guest(self, address: Address, shard: int, died: str) -> None:
        """Run what waits for an actor whose owner cannot: its mail, and its timers that are due soon."""
        if self.residents.admit_guest(address, shard, died):
            await self.timers.sweep_guest(address, shard, died)

    # --- passes ---

    async def _pass(self) -> bool:
        """One look at everything; True if there is more than it could read."""
        now_s = self._ports.clock.now_s()
        self.residents.ramp.is_short = False
        shards = sorted(self.ownership.live)
        try:
            complete = True
            if shards and not self.residents.paused:
                complete = await self._sweep_waiting(shards, now_s)
                complete = await self.timers.sweep(shards, rows_max=self.rows_max) and complete
            else:
                self._found(self.kind, 0)
            await self._purge(self.kind)
        except StoreError as error:
            self._failed(str(error))
            return False
        return not complete

    def _failed(self, error: str) -> None:
        self._kind.sweep_failed(error)

    async def _sweep_waiting(self, shards: list[int], now_s: float) -> bool:
        """Mail that a push is overdue for; now and then all of it, and always while some was declined."""
        residents = self.residents
        self._passes += 1
        is_full = residents.overflows.are_open or self._passes % _FULL_EVERY == 0
        overflows = residents.overflows.count
        sent_before_s = _EVER_S if is_full else now_s - self._kind.limits.sweep_s
        complete = await self._sweep_mail(shards, sent_before_s=sent_before_s)
        if is_full and complete and self.ownership.live.issubset(shards):
            residents.overflows.all_was_read(overflows)
        return complete

    async def _read_all_mail(self, shards: list[int]) -> None:
        """All that waits, what is delayed too, page by page.

        What cannot be taken now is read again before any push for its actor is taken: so when this has ended, nothing
        is overtaken.
        """
        now_s = self._ports.clock.now_s()
        last: MailRow | None = None
        is_full = True
        while is_full:
            self._ports.failpoint(Failpoint.SWEEP_BEGUN)
            rows = await self._kind.store.waiting(
                self._kind.name, shards, due_before_s=_EVER_S, sent_before_s=_EVER_S, limit=self.reach_max, after=last
            )
            now_s = min(now_s, self._ports.clock.now_s())
            for row in rows:
                if row.due_at_s <= now_s and (died := self.ownership.died(row.shard)):
                    self.residents.suspects.add(row.id, died)
            self._deliver(rows, now_s)
            is_full = len(rows) == self.reach_max
            if is_full and self.residents.ramp.room <= 0 and not any(map(self.ownership.died, shards)):
                self.residents.note_missed_mail()
                return
            last = rows[-1] if rows else None

    async def _sweep_mail(self, shards: list[int], *, sent_before_s: float) -> bool:
        if not shards:
            return True
        now_s = self._ports.clock.now_s()
        self._ports.failpoint(Failpoint.SWEEP_BEGUN)
        rows = await self._kind.store.waiting(
            self._kind.name,
            shards,
            due_before_s=now_s,
            sent_before_s=sent_before_s,
            limit=self._reach,
        )
        self._found(self.kind, self._able(rows))
        # What is due must be so by two readings, lest one of a clock that jumps has a message run a day too early.
        self._deliver(rows, min(now_s, self._ports.clock.now_s()))
        complete = len(rows) < self._reach
        # The rows found first may all belong to one actor that fails: the next look reaches past them.
        self._reach = self.rows_max if complete else min(self._reach * 2, self.reach_max)
        return complete

    def _able(self, rows: list[MailRow]) -> int:
        """How many of these could be handled now: not those that wait for a retry, nor any of a kind that is slowed."""
        residents = self.residents
        return 0 if residents.throttle.is_open else sum(not residents.is_blocked(row.address) for row in rows)

    def _deliver(self, rows: list[MailRow], now_s: float) -> None:
        self.rows_found += len(rows)
        if rows:
            self._ports.failpoint(Failpoint.MAIL_SWEPT)
        for row in rows:
            self.residents.deliver_row(row, now_s)
            self._ports.failpoint(Failpoint.MAIL_DELIVERED)
