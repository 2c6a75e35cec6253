"""The loop of a test's cluster: its clock stands still while a store's thread works for somebody who lives."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.virtual.loop import NothingLeft, Process


def answer_of_a_thread(loop: ClusterLoop, work: Callable[[], object]) -> asyncio.Future[None]:
    """As a store's thread gives it, once its work is done."""
    answer: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        work()
        with suppress(RuntimeError):  # nobody waited, and the loop has ended
            loop.call_soon_threadsafe(answer.set_result, None)

    threading.Thread(target=run).start()
    return answer


def a_while() -> None:
    time.sleep(0.05)


def passed_s(process: Process | None, work: Callable[[], object] = a_while) -> float:
    """Virtual time that goes by while a thread works on behalf of a process, beside a timer that is set."""

    async def run() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ClusterLoop)
        loop.call_later(60.0, lambda: loop.call_later(60.0, int))
        began_s = loop.time()
        with loop.waiting(process):
            await asyncio.wait_for(answer_of_a_thread(loop, work), timeout=1_000.0)
        return loop.time() - began_s

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        return runner.run(run())


def test_the_clock_stands_still_while_a_thread_works() -> None:
    assert passed_s(None) == 0.0
    assert passed_s(Process("node")) == 0.0


@pytest.mark.parametrize("state", ["dead", "frozen"])
def test_nobody_waits_for_what_a_dead_or_frozen_process_asked_of_its_disk(state: str) -> None:
    process = Process("node")
    process.alive, process.frozen = state != "dead", state == "frozen"
    nobody_waits = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            passed_s(process, lambda: nobody_waits.wait(20.0))
    finally:
        nobody_waits.set()


def test_a_test_that_waits_for_nothing_is_told_so_and_does_not_hang() -> None:
    async def run() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NothingLeft, match="no timer is set"), asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(run())


def test_a_thread_that_comes_too_late_is_refused() -> None:
    loop = ClusterLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon_threadsafe(int)
