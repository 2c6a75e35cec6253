"""Reads an actor's mail from the store where pushes would not keep its order: after an overflow, a retry, a reload.

Residents ──what has happened──▶ BacklogReader ◀──what to do── intake
     ▲                               │    └──waiting_for──▶ store     all that waits, in order
     └───────────deliver─────────────┘    └──read_again───▶ Region    before it, after a commit that was refused
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from runtime.durable.kind import Kind
from runtime.durable.residence.intake import (
    OPEN,
    BacklogWanted,
    Blocked,
    Delivered,
    Due,
    Event,
    Intake,
    Open,
    Pushed,
    PutOff,
    ReadingBacklog,
    Sign,
    Todo,
    TurnEnded,
    step,
)
from runtime.envelope import Address, address_of
from runtime.errors import Overloaded, StoreError
from runtime.failpoints import Failpoint
from runtime.store.committer import Committer
from runtime.store.records import MailRow, Transition, Verdict

__all__ = ["AGAIN_S", "BacklogReader"]

AGAIN_S = 1.0  # after the store has failed
_READINGS_MAX = 32  # at once; beyond, actors wait for theirs, and take no pushes meanwhile
_LOOK_S = 60.0  # Mail is held no longer than this by one reading of the clock: then it is read, and says how long yet.

Deliver = Callable[[Address, int, list[MailRow], bool], bool]
"""Takes (address, shard, what waits in order, whether more waits than was read); True if the actor has to ask again."""


class BacklogReader:
    """Acts for the intakes of one kind's actors on a node. One that is open has no entry."""

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
        self.intakes: dict[Address, Intake] = {}
        self._readings = 0  # that run
        self._to_read: deque[tuple[Address, int]] = deque()  # Each is ReadingBacklog, so it stands here once.

    def tell(self, address: Address, shard: int, event: Event) -> Todo:
        """Something has happened to an actor; what is to be done about its mail is done."""
        todo = self._step(address, event)
        if todo is Todo.READ:
            self._to_read.append((address, shard))
            self._begin_readings()
        return todo

    def _begin_readings(self) -> None:
        """As many as may run at once."""
        while self._to_read and self._readings < _READINGS_MAX:
            address, shard = self._to_read.popleft()
            if self._may_run(address, shard):
                self._readings += 1
                task = self._read_until_complete(address, shard)
                self._kind.ports.tasks.start(task, name=f"backlog {address_of(*address)}")
            else:
                self._step(address, Sign.READ_ENDS)

    def mail_left(self, address: Address, shard: int) -> None:
        """Mail of an actor in memory waits in the store, and nobody will push it."""
        self.tell(address, shard, Sign.LEFT)

    def left_over(self, address: Address, shard: int) -> None:
        """Of what was in an actor's mailbox, only the first part fits into a turn."""
        self.tell(address, shard, Sign.LEFT_OVER)

    def read(self, address: Address, shard: int, *, reread_all: bool = False) -> None:
        """Ask the store what waits for an actor; first for all others, if one may have sent what was not pushed."""
        self.tell(address, shard, BacklogWanted(reread_all))

    def takes_push(self, address: Address, shard: int, *, is_undo: bool, is_idle: bool) -> bool:
        """Whether a message that comes now overtakes none that waits in the store. If not, it is to be declined."""
        return self.tell(address, shard, Pushed(is_undo, is_idle)) is Todo.TAKE

    def turn_ended(self, address: Address, shard: int, *, is_empty: bool, may_read: bool) -> bool:
        """Whether the actor's mail is read now. `is_empty`: none of it is left in memory."""
        return self.tell(address, shard, TurnEnded(is_empty, may_read)) is Todo.READ

    def left_memory(self, address: Address, shard: int) -> bool:
        """True: mail of an actor was left in the store, and nothing remembers that any more."""
        return self.tell(address, shard, Sign.LEFT_MEMORY) is Todo.OVERFLOW

    def put_off(self, address: Address, shard: int, until_s: float, *, in_turn: bool = False) -> None:
        """Hold an actor's mail until an instant, or that for which it is held already; then read it."""
        self._hold(address, shard, PutOff(until_s, in_turn), until_s - self._kind.ports.clock.now_s())

    def put_off_for(self, address: Address, shard: int, delay_s: float) -> None:
        self._hold(address, shard, PutOff(self._kind.ports.clock.now_s() + delay_s), delay_s)

    def _hold(self, address: Address, shard: int, until: PutOff, delay_s: float) -> None:
        if self._step(address, until) is Todo.WAIT:
            delay_s = min(max(0.0, delay_s), _LOOK_S)
            self._kind.ports.clock.call_later(delay_s, self.tell, address, shard, Due(until.until_s))

    def is_blocked(self, address: Address) -> bool:
        """Whether nothing but undos may run now."""
        state = self.intakes.get(address)
        return isinstance(state, Blocked | ReadingBacklog) and state.until_s < math.inf

    def undos_only(self, address: Address) -> bool:
        """Whether nothing else of what is in the mailbox may run."""
        state = self.intakes.get(address)
        return state is not None and not isinstance(state, Open) and state.undos_only

    def is_reading(self, address: Address) -> bool:
        """Whether what waits of an actor's mail will be delivered by itself."""
        return isinstance(self.intakes.get(address), ReadingBacklog)

    def clear(self) -> None:
        """Nothing is to be read here any more; a reading under way ends by itself."""
        for address in list(self.intakes):
            self._step(address, Sign.CLEARED)

    def _step(self, address: Address, event: Event) -> Todo:
        state, todo = step(self.intakes.get(address, OPEN), event)
        if state is not OPEN:
            self.intakes[address] = state
        else:
            self.intakes.pop(address, None)
        return todo

    async def _read_until_complete(self, address: Address, shard: int) -> None:
        try:
            todo = Todo.READ
            while todo is Todo.READ and self._may_run(address, shard):
                todo = await self._read_once(address, shard)
        except (StoreError, Overloaded) as error:
            self._kind.sweep_failed(str(error))
            if self._may_run(address, shard):
                self.put_off_for(address, shard, AGAIN_S)
        finally:
            self._step(address, Sign.READ_ENDS)
            self._readings -= 1
            self._begin_readings()

    async def _read_once(self, address: Address, shard: int) -> Todo:
        is_after_all = False
        while self._step(address, Sign.READ_BEGINS) is Todo.REREAD_ALL:
            await self._read_again()
            is_after_all = True
        rows, more = await self._read(address, shard)
        if is_after_all:
            rows = await self._without_handled(address, shard, rows)
        todo = self._step(address, Sign.MAIL_READ)
        if todo is not Todo.DELIVER:
            return todo
        self._kind.ports.failpoint(Failpoint.FEEDING_READ)
        left = self._deliver(address, shard, rows, more)
        self._kind.ports.failpoint(Failpoint.FEEDING_DELIVERED)
        return self._step(address, Delivered(left))

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
        fact = self._kind.parked(address_of(*row.address), "?", row.id, row.attempts, reason, row.conversation)

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
            self._kind.sweep_failed(str(error))


def _ignore(verdict: Verdict | StoreError) -> None:
    """Nothing depends on it."""
