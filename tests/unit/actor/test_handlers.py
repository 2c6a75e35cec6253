"""Handlers that suspend: they run in one real task from the first line to the last, and hold up nobody else."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
import uvloop

from runtime.actor.context import Context
from runtime.actor.dead_letters import Reason
from runtime.actor.system import ActorSystem
from runtime.adapters import system_ports
from runtime.errors import AskFailed
from runtime.testing.virtual.clock import VirtualLoop
from tests.unit.actor.stage import AwaitCall, Do, Noting, Stage


async def test_a_suspended_handler_keeps_its_own_actor_waiting_and_no_other(stage: Stage) -> None:
    gate = asyncio.Event()
    waiting, other = stage.spawn("waiting"), stage.spawn("other")
    waiting.try_tell(AwaitCall(gate.wait))
    waiting.try_tell("after")
    other.try_tell("meanwhile")
    await stage.quiet()
    assert stage.taken() == ["waiting+", "other+", "other meanwhile"]
    assert waiting.waiting == 1
    gate.set()
    await stage.quiet()
    assert stage.taken() == ["waiting after"]


async def test_hundreds_of_handlers_may_be_suspended_at_once(stage: Stage) -> None:
    gate = asyncio.Event()
    refs = [stage.spawn(f"a{number}") for number in range(300)]
    for ref in refs:
        ref.try_tell(AwaitCall(gate.wait))
        ref.try_tell("done")
    await stage.quiet()
    assert not [line for line in stage.taken() if line.endswith("done")]
    gate.set()
    await stage.quiet()
    assert len(stage.taken()) == 300


async def test_a_handler_may_begin_with_a_timeout(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def impatient() -> None:
        try:
            async with asyncio.timeout(1.0):
                await asyncio.Event().wait()
        except TimeoutError:
            stage.log.append("timed out")

    ref.try_tell(AwaitCall(impatient))
    ref.try_tell("next")
    await stage.pass_s(2.0)
    assert stage.taken() == ["a+", "timed out", "a next"]


async def test_a_timeout_that_is_not_reached_leaves_no_trace(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def quick() -> None:
        async with asyncio.timeout(1.0):
            await asyncio.sleep(0.1)

    ref.try_tell(AwaitCall(quick))
    await stage.pass_s(5.0)
    ref.try_tell("next")
    await stage.quiet()
    assert stage.taken() == ["a+", "a next"]
    assert stage.facts == []


async def test_a_handler_may_open_a_task_group(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def fan_out() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0.1 * number, number)) for number in range(3)]
        stage.log.append(f"sum {sum(task.result() for task in tasks)}")

    ref.try_tell(AwaitCall(fan_out))
    await stage.pass_s(1.0)
    assert stage.taken() == ["a+", "sum 3"]


async def test_a_failing_task_group_fails_its_handler_only(stage: Stage) -> None:
    ref, other = stage.spawn("a"), stage.spawn("other")

    async def broken() -> None:
        raise ValueError

    async def fan_out() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(broken())
            await asyncio.Event().wait()

    ref.try_tell(AwaitCall(fan_out))
    ref.try_tell("next")
    other.try_tell("x")
    await stage.quiet()
    assert stage.taken() == ["a+", "other+", "other x", "a-", "a+", "a next"]


async def test_the_task_of_a_handler_stays_the_same_when_it_suspends(stage: Stage) -> None:
    seen: list[asyncio.Task[Any] | None] = []

    async def look() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(1.0)
        seen.append(asyncio.current_task())

    stage.spawn("a").try_tell(AwaitCall(look))
    stage.spawn("b").try_tell("meanwhile")
    await stage.pass_s(2.0)
    assert seen[0] is seen[1] is not None


async def test_a_context_variable_can_be_set_and_reset_around_a_suspension(stage: Stage) -> None:
    variable = contextvars.ContextVar("variable", default="outside")
    seen: list[str] = []

    async def scoped() -> None:
        token = variable.set("inside")
        await asyncio.sleep(1.0)
        seen.append(variable.get())
        variable.reset(token)

    async def look() -> None:
        seen.append(variable.get())

    ref, other = stage.spawn("a"), stage.spawn("b")
    ref.try_tell(AwaitCall(scoped))
    await stage.quiet()
    other.try_tell(AwaitCall(look))
    await stage.pass_s(2.0)
    assert seen == ["outside", "inside"]
    assert stage.facts == []


async def test_handlers_do_not_see_the_context_of_whoever_woke_them(stage: Stage) -> None:
    variable = contextvars.ContextVar("variable", default="clean")
    seen: list[str] = []

    async def look() -> None:
        seen.append(variable.get())

    ref = stage.spawn("a")
    variable.set("the sender's")
    ref.try_tell(AwaitCall(look))
    await stage.quiet()
    assert seen == ["clean"]


async def test_awaiting_something_cancelled_is_a_failure_like_any_other(stage: Stage) -> None:
    ref = stage.spawn("a")
    cancelled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cancelled.cancel()

    async def wait() -> None:
        await cancelled

    ref.try_tell(AwaitCall(wait))
    ref.try_tell("next")
    await stage.quiet()
    assert stage.taken() == ["a+", "a-", "a+", "a next"]
    assert stage.system.dead_letters.count(Reason.FAILED) == 1


async def test_actors_go_on_after_the_task_that_runs_them_was_cancelled(stage: Stage) -> None:
    ref = stage.spawn("a")
    await stage.quiet()
    for task in asyncio.all_tasks():
        if task.get_name() == "stage: actors":
            task.cancel()
    await stage.quiet()
    ref.try_tell("still here")
    await stage.quiet()
    assert stage.taken() == ["a+", "a still here"]


async def test_an_actor_goes_on_after_its_handlers_task_was_cancelled_from_outside(stage: Stage) -> None:
    ref = stage.spawn("a")
    tasks: list[asyncio.Task[Any] | None] = []

    async def wait() -> None:
        tasks.append(asyncio.current_task())
        await asyncio.Event().wait()

    asking = asyncio.ensure_future(ref.ask(AwaitCall(wait), timeout_s=60.0))
    await stage.quiet()
    ref.try_tell("next")
    assert tasks[0] is not None
    tasks[0].cancel()
    with pytest.raises(AskFailed):
        await asking
    await stage.pass_s(1.0)
    assert stage.taken() == ["a+", "a next"]


def test_a_loop_may_be_closed_over_a_system_that_nobody_stopped() -> None:
    log: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def scenario() -> None:
        loops.append(asyncio.get_running_loop())
        stage = Stage()
        stage.log = log
        ref = stage.spawn("a")
        ref.try_tell(AwaitCall(asyncio.Event().wait))
        ref.try_tell("never")
        await stage.quiet()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())
    assert asyncio.all_tasks(loops[0]) == set()
    assert log == ["a+"]


async def test_an_end_that_was_cancelled_from_outside_is_taken_up_again(stage: Stage) -> None:
    class Slow(Noting):
        async def stopped(self, context: Context) -> None:
            await asyncio.sleep(1.0)

    ref = stage.system.spawn(lambda: Slow(stage.log), "a")
    await stage.quiet()
    ref.stop()
    await stage.quiet()
    for task in asyncio.all_tasks():
        if task.get_name() == "stage: actors":
            task.cancel()
    await stage.pass_s(1.0)
    ref.stop()
    await stage.quiet()
    assert ref.is_stopped


async def test_a_handler_that_resumes_takes_the_lead_when_nobody_has_it(stage: Stage) -> None:
    ref = stage.spawn("a")
    for number in range(5):
        ref.try_tell(AwaitCall(lambda: asyncio.sleep(1.0)))
        ref.try_tell(number)
    await stage.pass_s(10.0)
    ref.try_tell("end")
    await stage.quiet()
    assert stage.taken() == ["a+", *(f"a {number}" for number in range(5)), "a end"]
    assert sum(task.get_name() == "stage: actors" for task in asyncio.all_tasks()) == 1


async def test_handlers_of_two_actors_may_ask_each_other_something(stage: Stage) -> None:
    first, second = stage.spawn("first"), stage.spawn("second")

    async def question() -> None:
        stage.log.append(f"answer {await second.ask(Do(lambda own: own.reply(42)), timeout_s=1.0)}")

    first.try_tell(AwaitCall(question))
    await stage.quiet()
    assert stage.taken() == ["first+", "second+", "answer 42"]


async def test_two_systems_live_in_one_loop(stage: Stage) -> None:
    other = Stage(name="other")
    ours, theirs = stage.spawn("a"), other.spawn("a")
    ours.try_tell("ours")
    theirs.try_tell("theirs")
    await stage.quiet()
    assert (stage.taken(), other.taken()) == (["a+", "a ours"], ["a+", "a theirs"])
    await other.system.stop()
    ours.try_tell("alone")
    await stage.quiet()
    assert stage.taken() == ["a alone"]


def test_it_all_runs_on_uvloop_too() -> None:
    log: list[str] = []

    async def scenario() -> None:
        system = ActorSystem(system_ports(), "n")
        ref = system.spawn(lambda: Noting(log), "a")
        ref.try_tell(AwaitCall(lambda: asyncio.wait_for(asyncio.sleep(0.001), 1.0)))
        ref.try_tell("next")
        assert await ref.ask(Do(lambda own: own.reply("here")), timeout_s=5.0) == "here"
        await system.stop()

    uvloop.run(scenario())
    assert log == ["a+", "a next", "a-"]
