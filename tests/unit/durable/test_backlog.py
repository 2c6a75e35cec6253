"""What is read of an actor's mail, and what becomes of it when something happens between reading and delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.durable.kind import MessageParked, Subscribers
from runtime.durable.residence.backlog import BacklogReader
from runtime.durable.residence.intake import BacklogWanted, Pushed, Todo
from runtime.durable.turn.draft import Draft
from runtime.envelope import Address, Envelope
from runtime.store.memory import MemoryStore
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition, Verdict
from runtime.testing.rules.saved_tables import SavedTables
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

ORDER = ("billing", "ORD-1")


class Gated(MemoryStore):
    """A store that gives what it has read of an actor's mail when the gate is opened, and may be turned back."""

    gate: asyncio.Event | None = None
    turned_back: SavedTables | None = None  # to this, once it has been asked what was handled

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        rows = await super().waiting_for(address, shard, limit=limit)
        if self.gate is not None:
            await self.gate.wait()
        return rows

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        found = await super().handled(keys)
        if self.turned_back is not None:
            self.turned_back.turn_back()
        return found


class Desk:
    """A feeder, and what it has delivered: pairs of when, in seconds from the start, and how many rows."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.store = Gated(LocalNode([Till()]).ports)
        self.local = LocalNode([Till()], self.store, clock=clock)
        self.post = Post(self.local)
        self.delivered: list[tuple[int, int]] = []
        self.clock = self.local.ports.clock
        self._began_s = self.clock.now_s()
        self.kind = self.local._kind(Till(), Subscribers([]))
        self.backlog = BacklogReader(
            self.kind, self.local.committer, lambda _, shard: shard == self.post.shard, self._deliver, self._read_again
        )

    def read_backlog(self, *, reread_all: bool = False) -> None:
        self.backlog.tell(ORDER, self.post.shard, BacklogWanted(reread_all))

    async def put_to_rest(self, message: Envelope) -> None:
        """Its history is there before it has come, as an undo leaves it."""
        draft = Draft(self.kind, ORDER, self.post.shard, None, {}, self.clock.now_s())
        draft.note(message, Outcome.UNDONE, attempts=0, consume=False)
        transition = Transition(address=ORDER, shard=self.post.shard, history=tuple(draft.history))
        assert await self.store.commit([transition]) == [Verdict.COMMITTED]

    def put_off(self, delay_s: float) -> None:
        self.backlog.put_off(ORDER, self.post.shard, self.clock.now_s() + delay_s)

    def push_declined(self) -> bool:
        pushed = Pushed(is_undo=False, is_idle=True)
        return ORDER in self.backlog.intakes and self.backlog.tell(ORDER, self.post.shard, pushed) is not Todo.TAKE

    async def read_and_held(self) -> asyncio.Event:
        """Begin to read with one bill that waits; what was read is delivered when the event is set."""
        await self.post.store(self.post.bill(1))
        self.store.gate = gate = asyncio.Event()
        self.read_backlog()
        await self.local.sleep(0.1)
        self.store.gate = None
        return gate

    def _deliver(self, address: Address, shard: int, rows: list[MailRow], more: bool) -> bool:
        assert (address, more) == (ORDER, False)
        self.delivered.append((round(self.clock.now_s() - self._began_s), len(rows)))
        return more

    async def _read_again(self) -> None:
        """All others' mail: here there is none."""


def test_what_was_read_before_a_retry_was_planned_is_read_again_when_that_is_due() -> None:
    """It would run at once, and with the attempts of before."""

    async def scenario() -> None:
        desk = Desk()
        gate = await desk.read_and_held()
        desk.put_off(5.0)
        await desk.post.store(desk.post.bill(2))
        gate.set()
        await desk.local.sleep(4.0)
        assert desk.delivered == []
        await desk.local.sleep(2.0)
        assert desk.delivered == [(5, 2)]

    in_virtual_time(scenario)


def test_it_is_read_again_at_once_when_mail_was_declined_meanwhile() -> None:
    """That may be an undo, which does not wait for the retry."""

    async def scenario() -> None:
        desk = Desk()
        gate = await desk.read_and_held()
        desk.put_off(5.0)
        await desk.post.store(desk.post.bill(2))
        assert desk.push_declined()
        gate.set()
        await desk.local.sleep(0.1)
        assert desk.delivered == [(0, 2)]

    in_virtual_time(scenario)


def test_mail_that_is_declined_while_an_actors_mail_is_read_is_read_after_that() -> None:
    async def scenario() -> None:
        desk = Desk()
        gate = await desk.read_and_held()
        await desk.post.store(desk.post.bill(2))
        assert desk.push_declined()
        gate.set()
        await desk.local.sleep(0.1)
        assert desk.delivered == [(0, 1), (0, 2)]
        assert not desk.push_declined(), "its mail was read"

    in_virtual_time(scenario)


@pytest.mark.parametrize("is_lost", [False, True])
def test_mail_that_the_history_has_is_taken_out_unless_the_store_loses_that_meanwhile(is_lost: bool) -> None:
    """As when a standby takes over between the look into the history and the commit: else it would never be handled."""

    async def scenario() -> None:
        desk = Desk()
        do, after = desk.post.bill(1), desk.post.bill(2)
        await desk.post.store(do, after)
        before = SavedTables(desk.store)
        await desk.put_to_rest(do)
        desk.store.turned_back = before if is_lost else None
        desk.read_backlog(reread_all=True)
        await desk.local.sleep(0.5)
        assert desk.delivered == [(0, 1)]
        waits = [row.id for row in await desk.local.mail(*ORDER)]
        assert waits == ([do.id, after.id] if is_lost else [after.id])

    in_virtual_time(scenario)


def test_nobody_is_told_of_unreadable_mail_that_could_not_be_parked() -> None:
    async def scenario() -> None:
        desk = Desk()
        row = MailRow.of(desk.post.bill(1), desk.post.shard)
        desk.backlog.park(row, "it cannot be read")  # it is gone from the store meanwhile
        await desk.local.sleep(1)
        assert desk.local.facts_of(MessageParked) == []
        await desk.store.commit([Transition(mail=(row,))])
        desk.backlog.park(row, "it cannot be read")
        await desk.local.sleep(1)
        assert [fact.error for fact in desk.local.facts if isinstance(fact, MessageParked)] == ["it cannot be read"]

    in_virtual_time(scenario)
