from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from runtime.actor.context import Context
from runtime.actor.dead_letters import Reason
from runtime.actor.supervision import ActorOptions
from runtime.errors import ActorStopped, InvalidSettings
from tests.unit.actor.stage import AwaitCall, Do, NotingBatches, Stage


async def test_messages_arrive_in_the_order_sent(stage: Stage) -> None:
    ref = stage.spawn("a")
    for number in range(200):
        assert ref.try_tell(number)
    await stage.quiet()
    assert stage.log == ["a+", *(f"a {number}" for number in range(200))]


async def test_none_is_a_message_like_any_other(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.try_tell(None)
    await stage.quiet()
    assert stage.taken() == ["a+", "a None"]


async def test_a_full_mailbox_refuses_and_notes_a_dead_letter(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=2))
    assert [ref.try_tell(number) for number in range(3)] == [True, True, False]
    assert ref.waiting == 2
    assert [(letter.message, letter.reason) for letter in stage.system.dead_letters.recent] == [(2, Reason.FULL)]
    await stage.quiet()
    assert stage.taken() == ["a+", "a 0", "a 1"]


async def test_tell_waits_for_room_and_keeps_the_order_of_those_who_wait(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=2, throughput=1))
    await asyncio.gather(*(ref.tell(number) for number in range(20)))
    await stage.quiet()
    assert stage.taken() == ["a+", *(f"a {number}" for number in range(20))]
    assert stage.system.dead_letters.recent == ()


async def test_whoever_gives_up_waiting_for_room_leaves_nothing_behind(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=1))
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell("first")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await ref.tell("never")
    late = asyncio.ensure_future(ref.tell("second"))
    await stage.quiet()
    context.release()
    await late
    await stage.quiet()
    assert stage.taken() == ["a+", "a first", "a second"]


async def test_those_who_wait_for_room_are_told_when_the_actor_stops(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=1))
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell("first")
    waiting = asyncio.ensure_future(ref.tell("second"))
    await stage.quiet()
    ref.stop()
    with pytest.raises(ActorStopped):
        await waiting
    assert [letter.message for letter in stage.system.dead_letters.recent] == ["first", "second"]


async def test_a_stopped_actor_takes_nothing(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.stop()
    await stage.quiet()
    assert ref.is_stopped
    assert not ref.try_tell("late")
    with pytest.raises(ActorStopped):
        await ref.tell("late")
    assert [letter.reason for letter in stage.system.dead_letters.recent] == [Reason.STOPPED] * 2
    assert stage.system.dead_letters.count(Reason.STOPPED) == 2


async def test_a_busy_actor_lets_others_have_their_turn(stage: Stage) -> None:
    busy = stage.spawn("busy", ActorOptions(throughput=2))
    other = stage.spawn("other")
    await stage.quiet()
    stage.taken()
    for number in range(5):
        busy.try_tell(number)
    other.try_tell("x")
    await stage.quiet()
    assert stage.taken() == ["busy 0", "busy 1", "other x", "busy 2", "busy 3", "busy 4"]


async def test_the_loop_gets_its_turn_while_actors_never_rest(stage: Stage) -> None:
    def again(context: Context) -> None:
        context.self.try_tell(Do(again))

    stage.spawn("restless").try_tell(Do(again))
    turns = 0
    for _ in range(10):
        await asyncio.sleep(0)
        turns += 1
    assert turns == 10


async def test_a_held_actor_takes_nothing_until_released(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    ref.try_tell(Do(lambda own: own.hold()))
    ref.try_tell("after the hold")
    await stage.quiet()
    assert stage.taken() == ["a+"]
    assert ref.waiting == 1
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a after the hold"]


async def test_messages_to_an_idle_actor_on_hold_wait_as_well(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell(1)
    ref.try_tell(2)
    await stage.quiet()
    assert stage.taken() == ["a+"]
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a 1", "a 2"]


async def test_an_order_reaches_an_actor_on_hold(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    context.hold()
    ref.stop()
    await stage.quiet()
    assert stage.taken() == ["a+", "a-"]
    context.release()  # the commit it waited for comes back late: nothing happens
    await stage.quiet()
    assert stage.taken() == []


async def test_release_without_a_hold_does_nothing(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.release()
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a+"]


def hold_and_release(context: Context) -> None:
    context.hold()
    context.release()


async def test_release_inside_the_turn_that_held_goes_on_at_once(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.try_tell(Do(hold_and_release))
    ref.try_tell("next")
    await stage.quiet()
    assert stage.taken() == ["a+", "a next"]


async def test_a_batch_actor_gets_all_that_waits_up_to_its_throughput(stage: Stage) -> None:
    batches: list[list[object]] = []
    ref = stage.system.spawn(lambda: NotingBatches(batches), "a", options=ActorOptions(throughput=3))
    for number in range(7):
        ref.try_tell(number)
    await stage.quiet()
    assert batches == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_batch_that_holds_is_the_last_until_released(stage: Stage) -> None:
    batches: list[list[object]] = []
    found: list[Context] = []
    ref = stage.system.spawn(lambda: NotingBatches(batches), "a")
    ref.try_tell(Do(found.append))
    ref.try_tell(Do(lambda own: own.hold()))
    await stage.quiet()
    ref.try_tell(1)
    ref.try_tell(2)
    await stage.quiet()
    assert batches == [[]]
    found[0].release()
    await stage.quiet()
    assert batches == [[], [1, 2]]


async def test_messages_that_come_while_a_batch_is_suspended_are_the_next_batch(stage: Stage) -> None:
    batches: list[list[object]] = []
    gate = asyncio.Event()
    ref = stage.system.spawn(lambda: NotingBatches(batches), "a")
    ref.try_tell(AwaitCall(gate.wait))
    await stage.quiet()
    ref.try_tell(1)
    ref.try_tell(2)
    await stage.quiet()
    assert batches == [[]]
    gate.set()
    await stage.quiet()
    assert batches == [[], [1, 2]]


@pytest.mark.parametrize(
    "options",
    [
        lambda: ActorOptions(mailbox_max=0),
        lambda: ActorOptions(throughput=0),
        lambda: ActorOptions(stash_max=-1),
        lambda: ActorOptions(timers_max=-1),
        lambda: ActorOptions(shutdown_s=-1.0),
    ],
)
def test_options_nobody_can_run_with_are_refused(options: Callable[[], ActorOptions]) -> None:
    with pytest.raises(InvalidSettings):
        options()
