"""A node over which very much waits takes up a little of it at first, and more while that goes well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder
from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.kind import Limits
from runtime.durable.region import timers
from runtime.durable.residence.ramp import FIRST, Ramp
from runtime.envelope import Address, shard_of
from runtime.failpoints import Failpoint
from runtime.protos.durable_pb2 import Timer, TimerFired, Timers
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, Expected, MailRow, Transition, Verdict
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till


def addresses(count: int, first: int = 0) -> list[Address]:
    return [("billing", f"ORD-{number:04}") for number in range(first, first + count)]


# --- the ramp by itself ---


def make_ramp(clock: VirtualClock, taken_up: int) -> Ramp:
    ramp = Ramp(clock, first=4)
    for address in addresses(taken_up):
        ramp.taken_up(address)
    return ramp


def test_a_window_that_held_work_back_grows_by_one_for_each_that_is_done() -> None:
    async def scenario() -> None:
        ramp = make_ramp(VirtualClock(asyncio.get_running_loop()), 4)
        assert not ramp.has_room()
        for address in addresses(4):
            ramp.done(address)
        assert (ramp.window, ramp.room) == (8, 8)

    in_virtual_time(scenario)


def test_a_window_that_held_nothing_back_stays_as_it_is() -> None:
    async def scenario() -> None:
        ramp = make_ramp(VirtualClock(asyncio.get_running_loop()), 3)
        assert ramp.has_room()
        for address in addresses(3):
            ramp.done(address)
        assert ramp.window == 4

    in_virtual_time(scenario)


def test_what_has_left_memory_gives_its_room_back_and_proves_nothing() -> None:
    async def scenario() -> None:
        ramp = make_ramp(VirtualClock(asyncio.get_running_loop()), 4)
        assert not ramp.has_room()
        for address in addresses(4):
            ramp.dropped(address)
        assert (ramp.window, ramp.room) == (4, 4)

    in_virtual_time(scenario)


def test_turns_that_wait_for_their_beginning_shrink_the_window_once_for_all_that_were_taken_up_together() -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        ramp = make_ramp(clock, 4)
        assert not ramp.has_room()
        for address in addresses(4):
            ramp.done(address)
        for address in addresses(8):
            ramp.taken_up(address)
        await clock.sleep(1.0)
        for address in addresses(8):
            ramp.began(address)
        assert ramp.window == 6, "4, and 0.7 of the other 4"
        for address in addresses(100):
            await clock.sleep(1.0)
            ramp.taken_up(address)
            await clock.sleep(1.0)
            ramp.began(address)
        assert ramp.window == 4, "never less than the first"

    in_virtual_time(scenario)


# --- a node ---


@dataclass
class Crowd(Till):
    """A till of which the orders of a crowd wait until the doors are opened. It counts how many waited at once."""

    doors: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    inside_max: int = 0
    accepts: frozenset[str] = frozenset(("shop.BillOrder", TimerFired.DESCRIPTOR.full_name))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        if delivery.envelope.key.startswith("ORD-"):
            self.inside += 1
            self.inside_max = max(self.inside_max, self.inside)
            await self.doors.wait()
            self.inside -= 1
        if isinstance(delivery.message, TimerFired):
            self.runs.append(0)
            return Decision()
        return await super().handle(state, delivery)


async def crowd_waits(local: LocalNode, count: int) -> None:
    rows = [MailRow.of(Post(local, key).bill(1), shard_of(key, 16)) for _, key in addresses(count)]
    assert await local.store.commit([Transition(mail=tuple(rows))]) == [Verdict.COMMITTED]


def timer_of(address: Address, due_at_s: float) -> ActorRow:
    timer = Timer(name="late", due_at_s=due_at_s, type=TimerFired.DESCRIPTOR.full_name, set_by=bytes(16))
    told, id = Timers(timers=[timer]).SerializeToString(), bytes(16)
    return ActorRow(*address, shard_of(address[1], 16), 1, id, id, "shop.BillState", b"", told, due_at_s, 0.0)


async def timers_are_late(local: LocalNode, some: list[Address], since_s: float) -> None:
    due_at_s = local.ports.clock.now_s() - since_s
    rows = [timer_of(address, due_at_s + number / 1e6) for number, address in enumerate(some)]
    verdicts = await local.store.commit([Transition(actor=row, expected=Expected(0, b"")) for row in rows])
    assert set(verdicts) == {Verdict.COMMITTED}


def test_of_mail_that_waits_for_many_actors_a_few_are_taken_up_and_a_new_command_does_not_wait_for_them() -> None:
    async def scenario() -> None:
        till = Crowd()
        local = LocalNode([till])
        await crowd_waits(local, 1_000)
        await local.start()
        await local.sleep(5.0)
        assert till.inside == FIRST
        assert await local.send(BillOrder(order_id="NEW-1", amount_cents=7))
        assert till.inside_max == FIRST
        till.doors.set()
        await local.sleep(60.0)
        assert till.runs.count(1) == 1_000, "each is handled, and once"
        await local.stop()

    in_virtual_time(scenario)


def test_what_there_was_no_room_for_is_not_overtaken_by_a_push() -> None:
    async def scenario() -> None:
        till = Crowd()
        local = LocalNode([till])
        last = Post(local, "SAT-1")
        await crowd_waits(local, 200)
        await local.sleep(1.0)
        await last.store(last.bill(2))
        await local.start()
        await local.sleep(5.0)
        assert 2 not in till.runs, "it is the last of the mail, and there is no room for it"
        await last.send(last.bill(3))
        await local.sleep(5.0)
        assert await last.order() == ["2", "3"]
        till.doors.set()
        await local.sleep(60.0)
        assert till.runs.count(1) == 200
        await local.stop()

    in_virtual_time(scenario)


def test_of_very_many_late_timers_a_few_fire_at_first_and_each_fires_once() -> None:
    async def scenario() -> None:
        till = Crowd()
        local = LocalNode([till])
        await timers_are_late(local, addresses(3_000), since_s=3_600.0)
        await local.start()
        await local.sleep(5.0)
        assert till.inside == FIRST
        assert local.reached[Failpoint.TIMER_ARMED] < 300, "of most it is not even tried"
        till.doors.set()
        await local.sleep(120.0)
        assert len(till.runs) == 3_000
        assert await local.store.due("billing", range(16), before_s=1e12, limit=9) == []
        await local.stop()

    in_virtual_time(scenario)


def test_actors_whose_mail_waits_for_a_retry_do_not_keep_the_late_timers_of_others_from_firing() -> None:
    """Their timers are late all the while, and come first in the store."""

    async def scenario() -> None:
        till = Crowd(broken={13})
        till.doors.set()
        local = LocalNode([till], limits=Limits(sweep_s=0.2))
        jammed = addresses(3 * FIRST)
        posts = [Post(local, key) for _, key in jammed]
        for post in posts:
            await post.store(post.bill(13))
        await local.start()
        await local.sleep(1.0)
        runs = till.runs.count(13)
        assert runs == len(jammed)
        await local.stop()
        await timers_are_late_of_rows(local, jammed)
        others = addresses(10, first=5_000)
        await timers_are_late(local, others, since_s=1.0)
        again = await LocalNode([till], local.store, Limits(sweep_s=0.2), local.ports.clock).start()  # type: ignore[arg-type]
        await again.sleep(3.0)
        assert till.runs.count(13) == runs, "they still wait for their retry"
        assert till.runs.count(0) == len(others)
        await again.stop()

    in_virtual_time(scenario)


def test_of_actors_whose_mail_waits_for_a_retry_so_many_are_known_and_more_have_others_wait_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        till = Crowd(broken={13})
        till.doors.set()
        local = LocalNode([till], limits=Limits(sweep_s=0.2))
        jammed, others = addresses(8 + 3 * FIRST), addresses(10, first=5_000)
        for post in (Post(local, key) for _, key in jammed):
            await post.store(post.bill(13))
        await local.start()
        await local.sleep(1.0)
        await local.stop()
        await timers_are_late_of_rows(local, jammed)
        await timers_are_late(local, others, since_s=1.0)
        again = await LocalNode([till], local.store, Limits(sweep_s=0.2), local.ports.clock).start()  # type: ignore[arg-type]
        await again.sleep(3.0)
        assert till.runs.count(0) == 0
        till.broken.clear()
        await again.sleep(60.0)
        assert till.runs.count(0) == len(jammed) + len(others)
        await again.stop()

    monkeypatch.setattr(timers, "_DECLINED_MAX", 8)
    in_virtual_time(scenario)


async def timers_are_late_of_rows(local: LocalNode, some: list[Address]) -> None:
    """Timers of actors that have a row perhaps."""
    due_at_s = local.ports.clock.now_s() - 3_600.0
    for address in some:
        (row,) = await local.store.load([address])
        before = Expected(0, b"") if row is None else Expected(row.revision, row.last_id)
        fresh = timer_of(address, due_at_s)
        assert await local.store.commit([Transition(actor=fresh, expected=before)]) == [Verdict.COMMITTED]


class ReadsCounted(MemoryStore):
    """Counts how many actors' mail is read at once, each of which takes a while."""

    reading = 0
    reading_max = 0

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        self.reading += 1
        self.reading_max = max(self.reading_max, self.reading)
        await asyncio.sleep(0.01)
        self.reading -= 1
        return await super().waiting_for(address, shard, limit=limit)


def test_the_mail_of_few_actors_is_read_at_once_though_that_of_all_has_to_be() -> None:
    async def scenario() -> None:
        till = Crowd()
        till.doors.set()
        local = LocalNode([till])
        store = ReadsCounted(local.ports)
        local = await LocalNode([till], store).start()
        for _, key in addresses(500):
            await local.send(BillOrder(order_id=key, amount_cents=1))
        residents = local.shards.sweepers["billing"].residents
        residents.note_missed_mail()
        await asyncio.gather(*(local.send(BillOrder(order_id=key, amount_cents=2)) for _, key in addresses(500)))
        assert till.runs.count(2) == 500
        assert 1 < store.reading_max <= 32
        await local.stop()

    in_virtual_time(scenario)
