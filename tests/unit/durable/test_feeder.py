"""What is read to feed an actor, and what becomes of it when something happens between the reading and the delivery."""

from __future__ import annotations

import asyncio

from runtime.durable.feeder import Feeder
from runtime.durable.kind import Subscribers
from runtime.envelope import Address
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

ORDER = ("billing", "ORD-1")


class Gated(MemoryStore):
    """A store that gives what it has read of an actor's mail when the gate is opened."""

    gate: asyncio.Event | None = None

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        rows = await super().waiting_for(address, shard, limit=limit)
        if self.gate is not None:
            await self.gate.wait()
        return rows


class Desk:
    """A feeder, and what it has delivered: pairs of when, in seconds from the start, and how many rows."""

    def __init__(self) -> None:
        self.store = Gated(LocalNode([Till()]).ports)
        self.local = LocalNode([Till()], self.store)
        self.post = Post(self.local)
        self.delivered: list[tuple[int, int]] = []
        self.clock = self.local.ports.clock
        self._began_s = self.clock.now_s()
        kind = self.local._kind(Till(), Subscribers([]))
        self.feeder = Feeder(kind, self.local.committer, {self.post.shard}, self._deliver, self._read_again)

    def feed(self) -> None:
        self.feeder.feed(ORDER, self.post.shard)

    def put_off(self, delay_s: float) -> None:
        self.feeder.block(ORDER, self.post.shard, self.clock.now_s() + delay_s)

    def push_declined(self) -> bool:
        return self.feeder.declines(ORDER, self.post.shard, is_undo=False)

    async def read_and_held(self) -> asyncio.Event:
        """Begin to feed; what was read is delivered when the event is set."""
        self.store.gate = gate = asyncio.Event()
        self.feed()
        await self.local.sleep(0.1)
        self.store.gate = None
        return gate

    def _deliver(self, address: Address, shard: int, rows: list[MailRow], more: bool) -> None:
        assert (address, more) == (ORDER, False)
        self.delivered.append((round(self.clock.now_s() - self._began_s), len(rows)))

    async def _read_again(self) -> None:
        raise AssertionError("nothing here is in doubt")


def test_what_was_read_before_a_retry_was_planned_is_read_again_when_that_is_due() -> None:
    """It would run at once, and with the attempts of before."""

    async def scenario() -> None:
        desk = Desk()
        await desk.post.store(desk.post.bill(1))
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
        await desk.post.store(desk.post.bill(1))
        gate = await desk.read_and_held()
        desk.put_off(5.0)
        await desk.post.store(desk.post.bill(2))
        assert desk.push_declined()
        gate.set()
        await desk.local.sleep(0.1)
        assert desk.delivered == [(0, 2)]

    in_virtual_time(scenario)


def test_mail_that_is_declined_while_an_actor_is_fed_is_read_after_that() -> None:
    async def scenario() -> None:
        desk = Desk()
        await desk.post.store(desk.post.bill(1))
        gate = await desk.read_and_held()
        await desk.post.store(desk.post.bill(2))
        assert desk.push_declined()
        gate.set()
        await desk.local.sleep(0.1)
        assert desk.delivered == [(0, 1), (0, 2)]
        assert not desk.push_declined(), "it has been fed"

    in_virtual_time(scenario)
