"""The simulated database tells the truth about commits, whatever happens on the way to it."""

from __future__ import annotations

import asyncio

import pytest

from runtime.adapters import ignore
from runtime.errors import CommitUnknown, StoreBusy
from runtime.store.records import MailRow, Transition, Verdict
from runtime.testing.rules.ledger import Ledger
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Process, SimLoop
from runtime.testing.virtual.machine import machine_ports
from runtime.testing.world.database import Database
from runtime.testing.world.faulty_store import FaultyStore
from runtime.testing.world.store_faults import StoreFaults
from tests.unit.testing.virtual.running import run


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


def test_half_of_the_failovers_are_told_also_to_whoever_listens_only_later() -> None:
    async def scenario(loop: SimLoop) -> None:
        database = _database(loop, Ledger())
        stores = [
            FaultyStore(database, loop, StoreFaults(), Dice(3).named(f"{number}"), who="n", happened=bool, die=bool)
            for number in range(20)
        ]
        database.keep()
        since_s = database.clock.now_s()
        await asyncio.sleep(1.0)
        database.fail_over()
        await asyncio.sleep(5.0)
        told = [loop.create_task(store.turned()) for store in stores]
        await asyncio.sleep(0.0)
        heard = [one for one in told if one.done()]
        assert 0 < len(heard) < len(stores)
        assert {(one.result().since_s, one.result().may_have_lost) for one in heard} == {(since_s, True)}
        again = loop.create_task(stores[told.index(heard[0])].turned())
        await asyncio.sleep(60.0)
        assert not again.done()

    run(scenario)
