"""The loop whose time jumps, and draws from a seed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def test_a_day_of_sleep_takes_no_time_and_shows_on_the_clock() -> None:
    async def sleep() -> tuple[float, float]:
        clock = VirtualClock(asyncio.get_running_loop())
        wall_s, monotonic_s = clock.now_s(), clock.monotonic_s()
        await clock.sleep(86_400)
        return clock.now_s() - wall_s, clock.monotonic_s() - monotonic_s

    assert run(sleep()) == (86_400, 86_400)


def test_timers_fire_in_the_order_of_their_due_times() -> None:
    async def fire() -> list[str]:
        clock, fired = VirtualClock(asyncio.get_running_loop()), list[str]()
        for delay_s, name in ((3.0, "c"), (1.0, "a"), (2.0, "b")):
            clock.call_later(delay_s, fired.append, name)
        clock.call_later(1.5, fired.append, "never").cancel()
        await clock.sleep(5)
        return fired

    assert run(fire()) == ["a", "b", "c"]


def test_the_wall_clock_can_jump_and_the_monotonic_one_does_not() -> None:
    async def jump() -> tuple[float, float]:
        clock = VirtualClock(asyncio.get_running_loop())
        wall_s, monotonic_s = clock.now_s(), clock.monotonic_s()
        clock.offset_s -= 60
        return clock.now_s() - wall_s, clock.monotonic_s() - monotonic_s

    assert run(jump()) == (-60, 0)


def test_what_a_thread_does_is_waited_for_in_real_time() -> None:
    async def work() -> str:
        return await asyncio.to_thread(lambda: "done")

    assert run(work()) == "done"


def test_the_end_of_a_loop_waits_for_threads_in_real_time_whatever_limit_is_given() -> None:
    """Newer Pythons give threads 300 s to end, which would pass at once on virtual time."""
    loop, may_end, ended = VirtualLoop(), threading.Event(), list[bool]()

    async def begin() -> None:
        loop.run_in_executor(None, lambda: ended.append(may_end.wait()))

    try:
        loop.run_until_complete(begin())
        loop.call_soon(may_end.set)
        loop.run_until_complete(loop.shutdown_default_executor(300.0))
    finally:
        loop.close()
    assert ended == [True]


def test_a_seed_gives_the_same_draws_again_and_another_seed_gives_others() -> None:
    def draws(seed: int) -> list[object]:
        ids, randomness = Dice(seed, "ids"), Dice(seed, "randomness")
        return [ids.new_id(), ids.new_id(), randomness.fraction(), randomness.below(100)]

    assert draws(1) == draws(1) != draws(2)
    assert len(set(draws(1)[:2])) == 2


def test_fractions_are_spread_evenly_from_zero_to_below_one() -> None:
    randomness = Dice(3, "randomness")
    fractions = [randomness.fraction() for _ in range(4_000)]
    assert min(fractions) >= 0 and max(fractions) < 1
    assert 0.47 < sum(fractions) / len(fractions) < 0.53
    assert {Dice(seed, "randomness").below(6) for seed in range(200)} == set(range(6))
