"""One node's connection to the database. It delays, refuses, loses replies, hangs, and kills its node at a commit.

    committer ──commit──▶ FaultyStore ──the seed chooses──▶  applied, and answered           not applied, and an error
                                                             applied, outcome unknown        not applied, unknown
                                                             applied later, unknown          applied, and the node dies
                                                             after a long time (a hang)

It keeps the port's promises, and takes every freedom that the port leaves. Any error but CommitUnknown means that
nothing was written. A transition that `settle` calls missing can no longer be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from runtime.errors import CommitUnknown, StoreUnavailable
from runtime.store.another_history import AnotherHistory
from runtime.store.batch import Batch
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import Busy, Verdict
from runtime.testing.virtual.clock import wake_sleeper
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.world.database import Database
from runtime.testing.world.store_faults import StoreFaults
from runtime.testing.world.way_to_store import WayToStore

__all__ = ["FaultyStore"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Method = Callable[Concatenate[MemoryStore, _P], Coroutine[Any, Any, _T]]


def _read(method: _Method[_P, _T]) -> Callable[Concatenate[FaultyStore, _P], Coroutine[Any, Any, _T]]:
    """A method of the store that asks the database, and changes nothing there."""

    async def read(self: FaultyStore, /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        return await self.way.read(lambda: method(self._database.rows, *arguments, **named))

    return read


def _write(method: _Method[_P, _T]) -> Callable[Concatenate[FaultyStore, _P], Coroutine[Any, Any, _T]]:
    """A method of the store that changes the database, and so needs its lock."""

    async def write(self: FaultyStore, /, *arguments: _P.args, **named: _P.kwargs) -> _T:
        return await self.way.write(lambda: method(self._database.rows, *arguments, **named))

    return write


class FaultyStore:
    """A `Store`. `way` leads to the database; `happened` hears the name of each fault.

    `broken` hears in words if the user of the store breaks the port's contract.
    """

    def __init__(
        self,
        database: Database,
        loop: SimLoop,
        faults: StoreFaults,
        dice: Dice,
        *,
        who: str,
        happened: Callable[[str], object],
        die: Callable[[], object],
        broken: Callable[[str], object] = str,
    ) -> None:
        self.way = WayToStore(database, loop, faults, dice, happened)
        self._database = database
        self._faults = faults
        self._dice = dice
        self._dice_of_turns = dice.named("turns")
        self._loop = loop
        self._is_turned = False
        self._turning: asyncio.Future[None] | None = None
        database.at_failover(self._failed_over)
        self._who = who
        self._happened = happened
        self._die = die
        self._broken = broken
        self._late: list[_Late] = []
        self._unsettled: list[Unit] = []  # Their outcome is unknown, and nobody has asked yet.

    @property
    def cluster_id(self) -> str:
        return self._database.rows.cluster_id

    @property
    def cluster_secret(self) -> str:
        return self._database.rows.cluster_secret

    async def open(self) -> None:
        await self.way.read(self._database.rows.open)

    async def close(self) -> None:
        """Does nothing: a connection ends by itself."""

    async def turned(self) -> AnotherHistory:
        """Some failovers are told, a while after. The others look like a broken connection.

        Nobody may rely on being told: compare-and-set has to do without.
        """
        while not self._is_turned:
            self._turning = self._loop.create_future()
            await self._turning
        self._is_turned = False
        self._happened("told of another history")
        return self._database.another_history

    def _failed_over(self) -> None:
        if self._dice_of_turns.chance(0.5):
            self._database.later(self._dice_of_turns.between(0.0, 1.0), self._turn)

    def _turn(self) -> None:
        self._is_turned = True
        if self._turning is not None:
            wake_sleeper(self._turning)

    # --- turns ---

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if any(one is other for one in batch for other in self._unsettled):
            self._broken("a transition of unknown outcome was committed anew before it was settled")
        try:
            return await self._commit(batch)
        except CommitUnknown:
            self._unsettled.extend(batch)
            raise

    async def _commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        faults, dice, failovers = self._faults, self._dice, self._database.failovers
        await self.way.leave()
        await self.way.win_lock()
        if isinstance(batch, Batch) and dice.chance(0.5):
            batch.top_up()  # A store that waits for its lock does so too.
        if dice.chance(faults.unknown_missing):
            self._happened("commit missing, unknown")
            raise CommitUnknown("the connection broke before the commit")
        if dice.chance(faults.unknown_late):
            self._happened("commit late, unknown")
            late = _Late(batch, self._database.failovers)
            self._late.append(late)
            self._database.later(dice.between(0.0, 0.5), self._arrive, late)
            raise CommitUnknown("the connection broke during the commit")
        if dice.chance(faults.hang):
            self._happened("commit hangs")
            await self.way.travel(dice.between(0.0, faults.hang_s))
        self.way.check(failovers, CommitUnknown)
        verdicts = self._database.commit(self._who, batch)
        if dice.chance(faults.dies):
            self._happened("commit applied, node dies")
            self._die()
        await self.way.travel()
        self.way.check(failovers, CommitUnknown)
        if dice.chance(faults.unknown_applied):
            self._happened("commit applied, unknown")
            raise CommitUnknown("the connection broke after the commit")
        return verdicts

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        if self._dice.chance(self._faults.settle_fails):
            self._happened("settle fails")
            await self.way.travel()
            raise StoreUnavailable("no connection yet")
        failovers = self._database.failovers
        await self.way.leave()
        self._unsettled = [one for one in self._unsettled if not any(one is other for other in batch)]
        for late in self._late:  # Commits under way are decided before the answer.
            self._decide(late)
        self._late.clear()
        answer = self._database.act(self._database.rows.settle(batch))
        await self.way.travel()
        self.way.check(failovers, StoreUnavailable)
        return answer

    def _arrive(self, late: _Late) -> None:
        if not late.is_decided:
            late.is_decided = True
            if late.failovers == self._database.failovers:  # Else it went to a database that is gone.
                self._database.commit(self._who, late.batch)

    def _decide(self, late: _Late) -> None:
        if self._dice.chance(0.5):
            self._arrive(late)
        late.is_decided = True

    def tell_busy(self, busy: Busy) -> None:
        self._database.rows.tell_busy(busy)

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        database = self._database
        return await self.way.write(lambda: database.purge(handled_before_s=handled_before_s, limit=limit, after=after))

    # --- calls that the memory store answers ---

    load = _read(MemoryStore.load)
    handled = _read(MemoryStore.handled)
    waiting = _read(MemoryStore.waiting)
    waiting_for = _read(MemoryStore.waiting_for)
    mail_of = _read(MemoryStore.mail_of)
    due = _read(MemoryStore.due)
    lived = _read(MemoryStore.lived)
    put_lived = _write(MemoryStore.put_lived)
    join = _write(MemoryStore.join)
    renew = _write(MemoryStore.renew)
    leave = _write(MemoryStore.leave)
    evict = _write(MemoryStore.evict)
    assign = _write(MemoryStore.assign)
    assign_many = _write(MemoryStore.assign_many)
    subscribe = _write(MemoryStore.subscribe)
    forget_record = _write(MemoryStore.forget_record)
    keep_definitions = _write(MemoryStore.keep_definitions)
    keep_kind_names = _write(MemoryStore.keep_kind_names)
    mark_half_copied = _write(MemoryStore.mark_half_copied)
    cluster = _read(MemoryStore.cluster)
    busy = _read(MemoryStore.busy)
    now_s = _read(MemoryStore.now_s)
    conversation = _read(MemoryStore.conversation)
    handled_in = _read(MemoryStore.handled_in)
    mail_in = _read(MemoryStore.mail_in)
    conversation_size = _read(MemoryStore.conversation_size)
    handled_of = _read(MemoryStore.handled_of)
    mail_of_conversation = _read(MemoryStore.mail_of_conversation)
    dead_letters = _read(MemoryStore.dead_letters)
    actors_with_key = _read(MemoryStore.actors_with_key)
    mail_with_key = _read(MemoryStore.mail_with_key)
    actors = _read(MemoryStore.actors)
    every_actor = _read(MemoryStore.every_actor)
    every_mail = _read(MemoryStore.every_mail)
    every_handled = _read(MemoryStore.every_handled)
    summaries = _read(MemoryStore.summaries)
    summary_counts = _read(MemoryStore.summary_counts)
    timed = _read(MemoryStore.timed)
    version_counts = _read(MemoryStore.version_counts)

    tallies = _read(MemoryStore.tallies)
    definitions = _read(MemoryStore.definitions)
    keep_proofs = _write(MemoryStore.keep_proofs)
    proofs = _read(MemoryStore.proofs)


@dataclass(slots=True)
class _Late:
    """A commit that is still under way after its sender has given up on it."""

    batch: Sequence[Unit]
    failovers: int  # The number of failovers when it was sent.
    is_decided: bool = False
