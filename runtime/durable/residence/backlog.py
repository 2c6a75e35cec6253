"""Reads an actor's mail from the store where pushes would not keep its order: after an overflow, a retry, a reload.

    Residents ──read, block──▶ BacklogReader ──waiting_for──▶ store
         ▲                          │  └───read_again──▶ Region   only after a commit that was refused
         └────────deliver_rows──────┘   all that waits, in order

While an actor is being fed, or is blocked until its feeding is due, pushes for it are declined: what comes later must
not overtake what waits in the store. Undos may, so that one for an actor that is blocked has it fed with undos at once;
from the store, not from the push, since that undo may itself wait there for a retry.

A commit is refused when another node has written in this actor's name: one that had lost the shard and did not know it
yet, or that has taken it over. What that one sent may not have been pushed. So all mail is read, here and by every
other node, before the actor runs again: else what it sends next could overtake what the other sent.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from runtime.durable.facts import MessageParked, SweepFailed
from runtime.durable.kind import Kind
from runtime.envelope import Address, address_of
from runtime.errors import Overloaded, StoreError
from runtime.failpoints import Failpoint
from runtime.store.committer import Committer
from runtime.store.records import MailRow, Transition, Verdict

__all__ = ["AGAIN_S", "BacklogReader"]

AGAIN_S = 1.0  # after the store has failed

Deliver = Callable[[Address, int, list[MailRow], bool], None]
"""Takes (address, shard, what waits in order, whether more waits than was read)."""


class BacklogReader:
    """Who is being fed, and who has to wait for it. One for each kind on a node.

    An actor has an entry in each table at the most; entries go by themselves when the feeding ends or falls due.
    """

    def __init__(
        self,
        kind: Kind,
        committer: Committer,
        may_run: Callable[[Address, int], bool],
        deliver: Deliver,
        read_again: Callable[[], Awaitable[None]],
    ) -> None:
        self._kind = kind
        self._committer = committer
        self._may_run = may_run  # whether turns of an actor may start here
        self._deliver = deliver
        self._read_again = read_again
        self.blocked: dict[Address, float] = {}  # until when nothing but undos is taken, and those from the store
        self.reading: dict[Address, bool] = {}  # True: mail was declined meanwhile, so feed once more
        self._outdated: dict[Address, None] = {}  # of those being fed: a retry was planned since their mail was read
        self._reread_all: dict[Address, None] = {}  # a commit of theirs was refused

    def declines(self, address: Address, shard: int, *, is_undo: bool) -> bool:
        """Whether a push for this actor has to wait for what the store has."""
        if address in self.reading:
            self.reading[address] = True
            return True
        if address not in self.blocked:
            return False
        if is_undo:
            self.read_backlog(address, shard)
        return True

    def read_backlog(self, address: Address, shard: int, *, reread_all: bool = False) -> None:
        """Read all the mail of one actor and deliver it in order.

        With `reread_all`, so is that of all others before, and what the history has already is taken out of the mail.
        """
        if not self._may_run(address, shard):
            return
        if reread_all:
            self._reread_all[address] = None
        if address in self.reading:
            self.reading[address] = True
            return
        self.reading[address] = False
        self._kind.ports.tasks.start(self._read_until_complete(address, shard), name=f"backlog {address_of(*address)}")

    def block(self, address: Address, shard: int, until_s: float) -> None:
        """Hold an actor's later mail until an instant, or that for which it is held already; then feed it."""
        if address in self.reading:
            self._outdated[address] = None
        if self.blocked.get(address, math.inf) <= until_s:
            return
        self.blocked[address] = until_s
        clock = self._kind.ports.clock
        clock.call_later(max(0.0, until_s - clock.now_s()), self._unblock, address, shard, until_s)

    def block_for(self, address: Address, shard: int, delay_s: float) -> None:
        self.block(address, shard, self._kind.ports.clock.now_s() + delay_s)

    def clear(self) -> None:
        """Nothing is to be fed here any more; a feeding under way ends by itself."""
        self.blocked.clear()
        self._reread_all.clear()

    def _unblock(self, address: Address, shard: int, until_s: float) -> None:
        if self.blocked.get(address) == until_s:
            del self.blocked[address]
            self.read_backlog(address, shard)

    async def _read_until_complete(self, address: Address, shard: int) -> None:
        try:
            again = True
            while again and self._may_run(address, shard):
                self.reading[address] = False
                self._outdated.pop(address, None)
                rows, more = await self._read(address, shard)
                while address in self._reread_all:
                    rows, more = await self._read_after_all(address, shard)
                if address in self._outdated:
                    if address in self.blocked and not self.reading[address]:
                        return  # it is fed when its retry is due
                    continue
                self._kind.ports.failpoint(Failpoint.FEEDING_READ)
                self._deliver(address, shard, rows, more)
                self._kind.ports.failpoint(Failpoint.FEEDING_DELIVERED)
                again = self.reading[address]
        except (StoreError, Overloaded) as error:
            self._kind.ports.report(SweepFailed(self._kind.name, str(error)))
            if self._may_run(address, shard):
                self.block_for(address, shard, AGAIN_S)
        finally:
            self.reading.pop(address, None)
            self._outdated.pop(address, None)

    async def _read(self, address: Address, shard: int) -> tuple[list[MailRow], bool]:
        """The mail that is no dead letter, and whether there is more. Dead letters take no room from it."""
        limit = self._kind.limits.mailbox_max
        while True:
            rows = await self._kind.store.waiting_for(address, shard, limit=limit)
            live = [row for row in rows if not row.parked]
            more = len(rows) >= limit
            if not more or len(live) * 2 >= self._kind.limits.mailbox_max:
                return live, more
            limit *= 2

    async def _read_after_all(self, address: Address, shard: int) -> tuple[list[MailRow], bool]:
        """The same after the mail of all others, and without what can't be consumed."""
        del self._reread_all[address]
        self.blocked.pop(address, None)  # the rows say what is waited for now
        await self._read_again()
        self.reading[address] = False  # what was declined until now is in the store, and read next
        rows, more = await self._read(address, shard)
        return await self._without_handled(address, shard, rows), more

    # --- mail that can't be consumed ---

    async def _without_handled(self, address: Address, shard: int, rows: list[MailRow]) -> list[MailRow]:
        """Take out what the history has already: its turn could never commit, and would be tried for ever.

        A tombstone may have been written while its do was on the way; that do has been answered for. A message whose
        id another actor has used is parked.
        """
        found = await self._kind.store.handled([(row.conversation, row.id) for row in rows])
        stale = [(row, done) for row, done in zip(rows, found, strict=True) if done is not None]
        if not stale:
            return rows
        ours = tuple(row for row, done in stale if (done.kind, done.key) == address)
        # Posted again with it: the store takes in what its history does not have, should it have lost that meanwhile.
        self._submit(Transition(address=address, shard=shard, consumed=tuple(row.id for row in ours), mail=ours))
        for row, done in stale:
            if (done.kind, done.key) != address:
                other = address_of(done.kind, done.key)
                self.park(row, f"{other} has handled a message of the same id: ids have to be unique")
        gone = {row.id for row, _ in stale}
        return [row for row in rows if row.id not in gone]

    def park(self, row: MailRow, reason: str) -> None:
        """Make a dead letter of a row that no turn can take."""
        fact = MessageParked(address_of(*row.address), "?", row.id.hex(), row.attempts, reason)

        def decided(verdict: Verdict | StoreError) -> None:
            if verdict is Verdict.COMMITTED:
                self._kind.ports.report(fact)

        parked = replace(row, parked=reason, parked_at_s=self._kind.ports.clock.now_s())
        self._submit(Transition(address=row.address, shard=row.shard, rescheduled=(parked,)), decided)

    def _submit(self, transition: Transition, decided: Callable[[Verdict | StoreError], None] | None = None) -> None:
        """Nobody waits for it: should it fail, whoever finds the row next tries again."""
        try:
            self._committer.submit(transition, decided or _ignore)
        except (Overloaded, StoreError) as error:
            self._kind.ports.report(SweepFailed(self._kind.name, str(error)))


def _ignore(verdict: Verdict | StoreError) -> None:
    """Nothing depends on it."""
