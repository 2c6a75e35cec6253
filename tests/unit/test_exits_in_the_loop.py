"""Whatever a task or a callback raises that is none of the main one's, a node's loop goes on and says so."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest
import uvloop

from runtime.adapters import run_to_its_end

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


async def leave() -> None:
    await asyncio.sleep(0)
    sys.exit(3)


async def interrupt() -> None:
    raise KeyboardInterrupt


async def in_a_task() -> None:
    with pytest.raises(SystemExit):
        await asyncio.create_task(leave())


async def gathered() -> None:
    with pytest.raises(KeyboardInterrupt):
        await asyncio.gather(interrupt(), asyncio.sleep(0))


async def in_a_group() -> None:
    with pytest.raises(SystemExit):
        async with asyncio.TaskGroup() as group:
            group.create_task(leave())


async def forgotten() -> None:
    task = asyncio.create_task(leave())
    await asyncio.sleep(0.01)
    assert isinstance(task.exception(), SystemExit)


async def in_callbacks() -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit, 1)
    loop.call_later(0.001, sys.exit, 2)
    future = loop.create_future()
    future.add_done_callback(lambda _: sys.exit(3))
    future.set_result(None)
    await asyncio.sleep(0.02)


@LOOPS
@pytest.mark.parametrize("act", [in_a_task, gathered, in_a_group, forgotten, in_callbacks])
def test_an_exit_beside_the_main_task_is_told_and_the_loop_goes_on(
    act: Callable[[], asyncio.Future[None]], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    told: list[BaseException] = []
    neighbours: list[int] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        await act()
        for number in range(3):
            loop.call_soon(neighbours.append, number)
        await asyncio.sleep(0.01)
        return "its own end"

    assert run_to_its_end(main(), told.append, loop) == "its own end"
    assert told
    assert {type(one) for one in told} <= {SystemExit, KeyboardInterrupt}
    assert neighbours == [0, 1, 2]


@LOOPS
def test_nothing_that_was_ready_is_lost_when_something_beside_it_exits(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    told: list[BaseException] = []
    seen: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(50):
            loop.call_soon(sys.exit if number % 10 == 5 else seen.append, number)
        await asyncio.sleep(0.01)

    run_to_its_end(main(), told.append, loop)
    assert seen == [number for number in range(50) if number % 10 != 5]
    assert told, "a loop that is left by several at once tells of the last at least"


@LOOPS
def test_an_exit_of_the_main_task_itself_is_an_exit(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    told: list[BaseException] = []
    with pytest.raises(SystemExit) as left:
        run_to_its_end(leave(), told.append, loop)
    assert (left.value.code, told) == (3, [])
