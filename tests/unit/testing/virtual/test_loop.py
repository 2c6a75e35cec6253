"""The simulated loop has rules: processes die without a word, and the seed chooses what is next."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from runtime.adapters import ignore
from runtime.ports import SteadyClock
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import NothingLeft, Process, SimLoop
from runtime.testing.virtual.machine import SimClock, SteadySimClock, machine_ports
from runtime.testing.virtual.order import CallbackOrder
from tests.unit.testing.virtual.running import run


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
