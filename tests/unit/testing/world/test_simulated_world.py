"""The simulated world has rules: processes die without a word, streams keep their order, stores tell the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from runtime.adapters import ignore
from runtime.errors import CommitUnknown, LinkLost, PortClosed, StoreBusy
from runtime.ports import Link, SteadyClock
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.rules.ledger import Ledger
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import NothingLeft, Process, SimLoop
from runtime.testing.virtual.machine import SimClock, SteadySimClock, machine_ports
from runtime.testing.virtual.order import CallbackOrder
from runtime.testing.virtual.wires import SimNetwork
from runtime.testing.world.database import Database
from runtime.testing.world.faulty_store import FaultyStore, StoreFaults


def run(
    scenario: Callable[[SimLoop], Coroutine[Any, Any, None]], seed: int = 1, order: CallbackOrder = CallbackOrder.ANY
) -> SimLoop:
    loop = SimLoop(Dice(seed), order)
    try:
        loop.run_until_complete(loop.create_task(scenario(loop)))
    finally:
        loop.clean_up()
    return loop


def test_time_jumps_to_the_next_timer() -> None:
    async def scenario(loop: SimLoop) -> None:
        await asyncio.sleep(86_400.0)

    assert run(scenario).time() == 1_000.0 + 86_400.0


def test_a_killed_process_runs_nothing_more_not_even_a_finally() -> None:
    said: list[str] = []

    async def victim(clock: SimClock) -> None:
        try:
            await clock.sleep(1.0)
        finally:
            said.append("tidied up")

    async def scenario(loop: SimLoop) -> None:
        process = Process("victim")
        ports = machine_ports(loop, process, Dice(1), ignore)
        assert isinstance(ports.clock, SimClock)
        task = ports.tasks.start(victim(ports.clock), name="victim")
        await asyncio.sleep(0.5)
        process.alive = False
        task.cancel()
        await asyncio.sleep(10.0)
        assert not task.done()
        assert said == []

    run(scenario)


def test_a_frozen_process_goes_on_where_it_was() -> None:
    async def scenario(loop: SimLoop) -> None:
        process = Process("sleeper")
        ports = machine_ports(loop, process, Dice(1), ignore)
        task = ports.tasks.start(ports.clock.sleep(1.0), name="sleeper")
        await asyncio.sleep(0.5)
        process.frozen = True
        await asyncio.sleep(60.0)
        assert not task.done()
        loop.thaw(process)
        await asyncio.sleep(0.0)
        await task

    run(scenario)


def test_the_seed_chooses_what_runs_next_and_plain_order_is_asyncios() -> None:
    def order_of(seed: int, order: CallbackOrder) -> list[int]:
        came: list[int] = []

        async def scenario(loop: SimLoop) -> None:
            for number in range(8):
                loop.call_soon(came.append, number)
            await asyncio.sleep(1.0)

        run(scenario, seed, order)
        return came

    assert order_of(1, CallbackOrder.PLAIN) == list(range(8))
    assert order_of(1, CallbackOrder.PROCESSES) == list(range(8)), "one process keeps its order"
    assert order_of(1, CallbackOrder.ANY) == order_of(1, CallbackOrder.ANY)
    assert len({tuple(order_of(seed, CallbackOrder.ANY)) for seed in range(10)}) > 5


async def _count(came: list[str], name: str) -> None:
    for _ in range(40):
        came.append(name)
        await asyncio.sleep(0.0)


def test_processes_of_unequal_rank_take_turns_only_when_the_one_that_runs_is_ranked_last() -> None:
    """Else the ranks would never change, and whoever ranks low would always come last."""

    async def scenario(loop: SimLoop) -> None:
        for name in "ab":
            machine_ports(loop, Process(name), Dice(1), ignore).tasks.start(_count(came, name), name=name)
        await asyncio.sleep(1.0)

    turns = {}
    for seed in range(40):
        came: list[str] = []
        run(scenario, seed, CallbackOrder.PRIORITIES)
        assert sorted(came) == ["a"] * 40 + ["b"] * 40
        turns[seed] = sum(one != other for one, other in pairwise(came))
    assert set(turns.values()) <= {1, 2, 3, 4}, "mostly one runs until it has nothing more to do"
    assert max(turns.values()) > 2


def test_a_starved_task_waits_for_all_others_of_its_process_too() -> None:
    async def scenario(loop: SimLoop) -> None:
        tasks = [loop.create_task(_count(came, name)) for name in "abc"]
        for task in tasks:
            await task

    last = set()
    for seed in range(40):
        came: list[str] = []
        run(scenario, seed, CallbackOrder.STARVED)
        starved = came[-1]
        if came.index(starved) >= 79:
            last.add(starved)
    assert last == {"a", "b", "c"}


def test_draws_of_zero_are_first_come_first_served_in_every_order() -> None:
    class Zeros(Dice):
        def next(self) -> int:
            return 0

    for order in CallbackOrder:
        came: list[int] = []
        loop = SimLoop(Zeros(1), order)
        for number in range(600):
            loop.call_soon(came.append, number)
        loop.run_until_complete(loop.create_task(asyncio.sleep(1.0)))
        loop.clean_up()
        assert came == list(range(600)), order


def test_threads_and_executors_are_refused() -> None:
    async def scenario(loop: SimLoop) -> None:
        with pytest.raises(RuntimeError, match="one thread"):
            await asyncio.to_thread(print)
        with pytest.raises(RuntimeError, match="one thread"):
            loop.call_soon_threadsafe(print)

    run(scenario)


def test_a_wait_for_nothing_is_a_verdict_and_does_not_hang() -> None:
    async def scenario(loop: SimLoop) -> None:
        await loop.create_future()

    with pytest.raises(NothingLeft, match="no timer"):
        run(scenario)


def test_a_clock_that_drifts_and_jumps_is_set_right_again() -> None:
    async def scenario(loop: SimLoop) -> None:
        clock = SimClock(loop)
        clock.drift(1.5)
        clock.jump(-7.0)
        await asyncio.sleep(10.0)
        assert clock.wrong_by_s == pytest.approx(-2.0)
        assert clock.monotonic_s() == pytest.approx(loop.time() + 5.0)
        clock.drift(1.0)
        clock.jump(-clock.wrong_by_s)
        await asyncio.sleep(10.0)
        assert clock.wrong_by_s == pytest.approx(0.0)

    run(scenario)


@pytest.mark.parametrize("by_s", [-86_400.0, -5.0, 3_600.0, 86_400.0])
def test_the_clock_of_a_process_does_not_follow_its_machines_as_the_products_does_not(by_s: float) -> None:
    async def scenario(loop: SimLoop) -> None:
        clock = SteadySimClock(loop)
        assert isinstance(clock, SteadyClock)
        clock.jump(by_s)
        assert (clock.wrong_by_s, clock.off_s()) == (0.0, by_s)
        clock.set_right(by_s)
        assert (clock.wrong_by_s, clock.off_s()) == (by_s, 0.0)
        clock.heal()
        assert (clock.wrong_by_s, clock.off_s()) == (0.0, 0.0)

    run(scenario)


async def _streams(loop: SimLoop, network: SimNetwork) -> tuple[Link, Link]:
    accepted: asyncio.Future[Link] = loop.create_future()

    async def accept(link: Link) -> None:
        accepted.set_result(link)
        await loop.create_future()

    network.listen("b", accept, machine_ports(loop, Process("b"), Dice(1), ignore).tasks)
    return await network.transport("a").dial("b"), await accepted


def test_frames_arrive_in_order_whatever_runs_first_and_wait_while_they_are_held() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        dialled, accepted = await _streams(loop, network)
        network.hold(("a", "b"))
        frames = [bytes([number]) for number in range(50)]
        for frame in frames:
            await dialled.send(frame)
        reader = loop.create_task(accepted.receive())
        await asyncio.sleep(100.0)
        assert not reader.done()
        network.release(("a", "b"))
        assert [await reader] + [await accepted.receive() for _ in frames[1:]] == frames

    run(scenario)


def test_who_writes_to_a_torn_stream_learns_of_it_soon_and_what_was_sent_may_still_be_read() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        network.notice_s = 1_000.0
        dialled, accepted = await _streams(loop, network)
        network.slow(("a", "b"), 5_000.0)
        await dialled.send(b"late")
        network.tear("a", "b")
        await asyncio.sleep(0.5)
        with pytest.raises(LinkLost):
            await dialled.send(b"never")
        assert await accepted.receive() == b"late"
        with pytest.raises(LinkLost):
            await accepted.receive()

    run(scenario)


def test_a_torn_stream_is_lost_on_both_sides_and_a_dark_machine_says_nothing() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        dialled, accepted = await _streams(loop, network)
        network.tear("a", "b")
        for side in (dialled, accepted):
            with pytest.raises(LinkLost):
                await side.receive()
        network.lose("b", dark=True)
        silent = await network.transport("a").dial("b")
        waits = loop.create_task(silent.receive())
        await asyncio.sleep(100.0)
        assert not waits.done()
        refused = await network.transport("a").dial("c")
        with pytest.raises(PortClosed):
            await refused.receive()

    run(scenario)


def _mail(number: int) -> Transition:
    row = MailRow("k", "x", 0, bytes([number] * 16), b"c" * 16, 1.0, number, 0.0, 0, "", 0.0, b"")
    return Transition(mail=(row,))


@pytest.mark.parametrize("fault", ["unknown_applied", "unknown_missing", "unknown_late"])
def test_what_settle_says_of_an_unknown_commit_stays_true(fault: str) -> None:
    async def scenario(loop: SimLoop) -> None:
        faults = StoreFaults()
        setattr(faults, fault, 1.0)
        ledger = Ledger()
        database = Database(loop, machine_ports(loop, None, Dice(1), ignore), ledger, lambda *_: None)
        happened: list[str] = []
        store = FaultyStore(
            database, loop, faults, Dice(3), who="n", happened=happened.append, die=lambda: happened.append("died")
        )
        said: set[bool] = set()
        for number in range(1, 20):
            with pytest.raises(CommitUnknown):
                await store.commit([_mail(number)])
            (there,) = await store.settle([_mail(number)])
            said.add(there)
            await asyncio.sleep(5.0)
            assert await store.settle([_mail(number)]) == [there]
            assert (bytes([number] * 16) in ledger.waiting) is there
        assert said == {"unknown_applied": {True}, "unknown_missing": {False}, "unknown_late": {True, False}}[fault]

    run(scenario)


def _database(loop: SimLoop, ledger: Ledger) -> Database:
    return Database(loop, machine_ports(loop, None, Dice(1), ignore), ledger, lambda *_: None)


def _store(database: Database, loop: SimLoop, faults: StoreFaults) -> FaultyStore:
    return FaultyStore(database, loop, faults, Dice(3), who="n", happened=bool, die=bool)


def test_a_standby_that_takes_over_has_lost_what_was_confirmed_since_and_nothing_else() -> None:
    async def scenario(loop: SimLoop) -> None:
        ledger = Ledger()
        database = _database(loop, ledger)
        store = _store(database, loop, StoreFaults())
        for number in (1, 2):
            await store.commit([_mail(number)])
        database.keep()
        assert await store.commit([_mail(3)]) == [Verdict.COMMITTED]
        database.fail_over()
        assert [row.id[0] for row in await store.waiting_for(("k", "x"), 0, limit=9)] == [1, 2]
        assert [id[0] for id in ledger.waiting] == [1, 2]
        assert list(ledger.lost) == [("k", "x")]
        assert await store.settle([_mail(3)]) == [False]

    run(scenario)


@pytest.mark.parametrize("fault", ["none", "hang", "unknown_late"])
def test_a_failover_breaks_connections_and_what_was_under_way_never_arrives(fault: str) -> None:
    async def scenario(loop: SimLoop) -> None:
        ledger = Ledger()
        database = _database(loop, ledger)
        faults = StoreFaults(delay_s=(0.1, 0.1))
        if fault != "none":
            setattr(faults, fault, 1.0)
        store = _store(database, loop, faults)
        database.keep()
        commit = loop.create_task(store.commit([_mail(1)]))
        await asyncio.sleep(0.15)
        database.fail_over()
        with pytest.raises(CommitUnknown):
            await commit
        await asyncio.sleep(60.0)
        assert await store.settle([_mail(1)]) == [False]
        assert ledger.waiting == {}

    run(scenario)


def test_whoever_wants_to_write_waits_for_a_lock_and_gives_up_and_readers_need_none() -> None:
    async def scenario(loop: SimLoop) -> None:
        database = _database(loop, Ledger())
        store = _store(database, loop, StoreFaults())
        database.lock(1.0)
        assert await store.commit([_mail(1)]) == [Verdict.COMMITTED]
        assert not database.is_locked
        database.lock(60.0)
        with pytest.raises(StoreBusy, match="holds the lock"):
            await store.commit([_mail(2)])
        with pytest.raises(StoreBusy):
            await store.subscribe([], kind="k")
        assert len(await store.waiting_for(("k", "x"), 0, limit=9)) == 1
        database.unlock()
        assert await store.commit([_mail(2)]) == [Verdict.COMMITTED]

    run(scenario)


def test_a_node_that_dies_at_its_commit_has_committed() -> None:
    async def scenario(loop: SimLoop) -> None:
        ledger = Ledger()
        database = Database(loop, machine_ports(loop, None, Dice(1), ignore), ledger, lambda *_: None)
        process = Process("n")
        ports = machine_ports(loop, process, Dice(1), ignore)

        def die() -> None:
            process.alive = False

        store = FaultyStore(database, loop, StoreFaults(dies=1.0), Dice(3), who="n", happened=lambda _: None, die=die)
        task = ports.tasks.start(store.commit([_mail(1)]), name="commit")
        await asyncio.sleep(5.0)
        assert not task.done()
        assert len(ledger.waiting) == 1

    run(scenario)
