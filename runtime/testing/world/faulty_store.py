"""One node's connection to the database, which delays, refuses, loses replies, hangs, and dies at the worst moment.

    committer ──commit──▶ FaultyStore ──the seed chooses──▶  applied, and answered           not applied, and an error
                                                             applied, outcome unknown        not applied, unknown
                                                             applied later, unknown          applied, and the node dies
                                                             after a long time (a hang)

It keeps the port's promises, and takes every freedom that the port leaves: an error but CommitUnknown means that
nothing was written, and what `settle` calls missing can no longer come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.envelope import Address
from runtime.errors import CommitUnknown, StoreUnavailable
from runtime.store.batch import Batch
from runtime.store.lived import Lived
from runtime.store.records import (
    ActorRow,
    Busy,
    ClusterView,
    HistoryRow,
    MailRow,
    NodeRow,
    ShardRow,
    Subscription,
    Transition,
    Verdict,
)
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import SimLoop
from runtime.testing.world.database import Database
from runtime.testing.world.store_faults import StoreFaults
from runtime.testing.world.way_to_store import WayToStore

__all__ = ["FaultyStore", "StoreFaults"]


class FaultyStore:
    """A `Store`. `way` is how it reaches the database; `happened` is told of each fault by name.

    `broken` is told, in words, when whoever uses it breaks the port's contract.
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
        self._who = who
        self._happened = happened
        self._die = die
        self._broken = broken
        self._late: list[_Late] = []
        self._unsettled: list[Transition] = []  # of commits whose outcome nobody has asked for yet

    @property
    def cluster_id(self) -> str:
        return self._database.rows.cluster_id

    @property
    def cluster_secret(self) -> str:
        return self._database.rows.cluster_secret

    async def open(self) -> None:
        await self.way.read(self._database.rows.open)

    async def close(self) -> None:
        """Connections end by themselves."""

    # --- turns ---

    async def commit(self, batch: Sequence[Transition]) -> list[Verdict]:
        if any(one is other for one in batch for other in self._unsettled):
            self._broken("a transition of unknown outcome was committed anew before it was settled")
        try:
            return await self._commit(batch)
        except CommitUnknown:
            self._unsettled.extend(batch)
            raise

    async def _commit(self, batch: Sequence[Transition]) -> list[Verdict]:
        faults, dice, reign = self._faults, self._dice, self._database.reigns
        await self.way.leave()
        await self.way.win_lock()
        if isinstance(batch, Batch) and dice.chance(0.5):
            batch.top_up()  # as a store does that waits for its lock
        if dice.chance(faults.unknown_missing):
            self._happened("commit missing, unknown")
            raise CommitUnknown("the connection broke before the commit")
        if dice.chance(faults.unknown_late):
            self._happened("commit late, unknown")
            late = _Late(batch, self._database.reigns)
            self._late.append(late)
            self._database.later(dice.between(0.0, 0.5), self._arrive, late)
            raise CommitUnknown("the connection broke during the commit")
        if dice.chance(faults.hang):
            self._happened("commit hangs")
            await self.way.travel(dice.between(0.0, faults.hang_s))
        self.way.check(reign, CommitUnknown)
        verdicts = self._database.commit(self._who, batch)
        if dice.chance(faults.dies):
            self._happened("commit applied, node dies")
            self._die()
        await self.way.travel()
        self.way.check(reign, CommitUnknown)
        if dice.chance(faults.unknown_applied):
            self._happened("commit applied, unknown")
            raise CommitUnknown("the connection broke after the commit")
        return verdicts

    async def settle(self, batch: Sequence[Transition]) -> list[bool]:
        if self._dice.chance(self._faults.settle_fails):
            self._happened("settle fails")
            await self.way.travel()
            raise StoreUnavailable("no connection yet")
        reign = self._database.reigns
        await self.way.leave()
        self._unsettled = [one for one in self._unsettled if not any(one is other for other in batch)]
        for late in self._late:  # whatever is still under way is decided before the answer
            self._decide(late)
        self._late.clear()
        answer = self._database.act(self._database.rows.settle(batch))
        await self.way.travel()
        self.way.check(reign, StoreUnavailable)
        return answer

    def _arrive(self, late: _Late) -> None:
        if not late.is_decided:
            late.is_decided = True
            if late.reign == self._database.reigns:  # else it went to one that is gone
                self._database.commit(self._who, late.batch)

    def _decide(self, late: _Late) -> None:
        if self._dice.chance(0.5):
            self._arrive(late)
        late.is_decided = True

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        return await self.way.read(lambda: self._database.rows.load(addresses))

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        return await self.way.read(lambda: self._database.rows.handled(keys))

    # --- sweeping ---

    async def waiting(
        self,
        kind: str,
        shards: Sequence[int],
        *,
        due_before_s: float,
        sent_before_s: float,
        limit: int,
        after: MailRow | None = None,
    ) -> list[MailRow]:
        rows = self._database.rows
        return await self.way.read(
            lambda: rows.waiting(
                kind, shards, due_before_s=due_before_s, sent_before_s=sent_before_s, limit=limit, after=after
            )
        )

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        return await self.way.read(lambda: self._database.rows.waiting_for(address, shard, limit=limit))

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        return await self.way.read(lambda: self._database.rows.mail_of(address, shard, id))

    async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
        return await self.way.read(lambda: self._database.rows.due(kind, shards, before_s=before_s, limit=limit))

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        database = self._database
        return await self.way.write(lambda: database.purge(handled_before_s=handled_before_s, limit=limit, after=after))

    async def lived(self) -> Lived:
        return await self.way.read(self._database.rows.lived)

    async def put_lived(self, lived: Lived) -> None:
        await self.way.write(lambda: self._database.rows.put_lived(lived))

    # --- membership ---

    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        return await self.way.write(lambda: self._database.rows.join(node, lease_s=lease_s, replace=replace))

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        rows = self._database.rows
        return await self.way.write(lambda: rows.renew(name, incarnation, lease_s=lease_s, clock_off_s=clock_off_s))

    async def leave(self, name: str, incarnation: str) -> None:
        await self.way.write(lambda: self._database.rows.leave(name, incarnation))

    async def evict(self, name: str, incarnation: str) -> bool:
        return await self.way.write(lambda: self._database.rows.evict(name, incarnation))

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        rows = self._database.rows
        return await self.way.write(lambda: rows.assign(kind, shard, owner=owner, expected_epoch=expected_epoch))

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        return await self.way.write(lambda: self._database.rows.assign_many(wanted))

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        await self.way.write(lambda: self._database.rows.subscribe(subscriptions, kind=kind))

    async def cluster(self) -> ClusterView:
        return await self.way.read(self._database.rows.cluster)

    def tell_busy(self, busy: Busy) -> None:
        self._database.rows.tell_busy(busy)

    async def busy(self) -> list[Busy]:
        return await self.way.read(self._database.rows.busy)

    # --- operators ---

    async def now_s(self) -> float:
        return await self.way.read(self._database.rows.now_s)

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        return await self.way.read(lambda: self._database.rows.conversation(conversation))

    async def handled_of(self, kind: str, type: str, *, limit: int, after: tuple[bytes, bytes]) -> list[HistoryRow]:
        return await self.way.read(lambda: self._database.rows.handled_of(kind, type, limit=limit, after=after))

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]:
        return await self.way.read(lambda: self._database.rows.mail_of_conversation(conversation))

    async def dead_letters(self, *, limit: int, after: bytes = b"") -> list[MailRow]:
        return await self.way.read(lambda: self._database.rows.dead_letters(limit=limit, after=after))

    async def actors_with_key(self, key: str) -> list[ActorRow]:
        return await self.way.read(lambda: self._database.rows.actors_with_key(key))

    async def mail_with_key(self, key: str) -> list[tuple[str, int]]:
        return await self.way.read(lambda: self._database.rows.mail_with_key(key))

    async def actors(self, kind: str, *, limit: int, after: str = "") -> list[ActorRow]:
        return await self.way.read(lambda: self._database.rows.actors(kind, limit=limit, after=after))


@dataclass(slots=True)
class _Late:
    """A commit that is still under way when its sender has given up on it."""

    batch: Sequence[Transition]
    reign: int  # of the database that it went to
    is_decided: bool = False
