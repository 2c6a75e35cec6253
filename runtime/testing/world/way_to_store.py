"""The way of one node to the database and back: slow, refused, broken, or blocked by another session's lock.

FaultyStore ──read, write──▶ WayToStore ──Dice──▶ Database, or a StoreError
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from runtime.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable
from runtime.testing.virtual.clock import wake_sleeper
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop, check_alive
from runtime.testing.world.database import Database
from runtime.testing.world.store_faults import StoreFaults

__all__ = ["WayToStore"]

_T = TypeVar("_T")
_LOCK_S = 1.5  # A writer waits so long for the lock.
_LOCK_LOOKS = 6
_Call = Callable[[], Coroutine[Any, Any, _T]]


class WayToStore:
    """`cut` is true while the way is broken. `happened` hears the name of each fault."""

    def __init__(
        self,
        database: Database,
        loop: SimLoop,
        faults: StoreFaults,
        dice: Dice,
        happened: Callable[[str], object],
    ) -> None:
        self.cut = False
        self._database = database
        self._loop = loop
        self._faults = faults
        self._dice = dice
        self._happened = happened

    async def read(self, call: _Call[_T]) -> _T:
        """Asks the database, and travels once. The answer is made before or after the journey, so it may be stale."""
        early, failovers = self._dice.chance(0.5), self._database.failovers
        if not early:
            await self.travel()
        obstacle = await self._obstacle()
        answer = None if obstacle is not None else self._database.act(call())
        if early:
            await self.travel()
        if obstacle is not None:
            raise obstacle
        self.check(failovers, StoreUnavailable)
        return cast("_T", answer)

    async def win_lock(self) -> None:
        """Waits while another session holds the lock, as a store with a busy timeout does."""
        for _ in range(_LOCK_LOOKS):
            if not self._database.is_locked:
                return
            await self.travel(_LOCK_S / _LOCK_LOOKS)
        self._happened("lock not won")
        raise StoreBusy("another session holds the lock")

    async def write(self, call: _Call[_T]) -> _T:
        await self.win_lock()
        answer = await self.read(call)
        if self._dice.chance(self._faults.reply_lost):
            self._happened("reply of a write lost")
            raise StoreUnavailable("the connection broke before the answer")
        return answer

    def check(self, failovers: int, error: type[StoreError]) -> None:
        """Raises the error if there was another failover since: it has broken the connection."""
        if failovers != self._database.failovers:
            raise error("the connection broke: another database has taken over")

    async def leave(self) -> None:
        """Travels to the database, or fails on the way."""
        await self.travel()
        obstacle = await self._obstacle()
        if obstacle is not None:
            raise obstacle

    async def _obstacle(self) -> StoreError | None:
        """The error that keeps a call from the database, if any. A call may also be just slow."""
        check_alive()
        faults, dice = self._faults, self._dice
        if dice.chance(faults.slow):
            self._happened("slow call")
            await self.travel(dice.between(0.0, faults.slow_s))
        if self.cut:
            self._happened("store unreachable")
            return StoreUnavailable("the store cannot be reached")
        if dice.chance(faults.refused):
            error = self._refusal()
            self._happened(f"refused: {type(error).__name__}")
            return error
        return None

    def _refusal(self) -> StoreError:
        errors = (
            StoreBusy("another holds the store"),
            StoreFull("the disk is full"),
            StoreUnavailable("no connection"),
        )
        return self._dice.choose(errors)

    async def travel(self, delay_s: float | None = None) -> None:
        low, high = self._faults.delay_s
        arrived = self._loop.create_future()
        self._database.later(self._dice.between(low, high) if delay_s is None else delay_s, wake_sleeper, arrived)
        await arrived
