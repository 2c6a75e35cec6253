from __future__ import annotations

import pytest

from runtime.actor.supervision import ActorOptions
from runtime.errors import ActorStopped, AskFailed, Overloaded
from tests.unit.actor.stage import BOOM, Do, NotingBatches, Stage


async def test_a_timer_is_a_message_later_and_once(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.set_timer("t", 5.0, "ring")
    await stage.pass_s(4.9)
    assert stage.taken() == ["a+"]
    await stage.pass_s(60.0)
    assert stage.taken() == ["a ring"]


async def test_timers_of_several_names_do_not_disturb_each_other(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.set_timer("late", 2.0, "late")
    context.set_timer("early", 1.0, "early")
    context.set_timer("never", 1.5, "never")
    assert context.cancel_timer("never")
    assert not context.cancel_timer("never")
    await stage.pass_s(3.0)
    assert stage.taken() == ["a+", "a early", "a late"]


async def test_a_timer_of_the_same_name_is_replaced(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.set_timer("t", 1.0, "first")
    context.set_timer("t", 2.0, "second")
    await stage.pass_s(5.0)
    assert stage.taken() == ["a+", "a second"]


async def test_a_cancelled_timer_is_silent_even_if_its_message_waits_already(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.set_timer("t", 1.0, "ring")
    context.hold()
    await stage.pass_s(2.0)
    assert context.self.waiting == 1
    assert context.cancel_timer("t")
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a+"]


async def test_a_timer_can_be_set_again_by_its_own_message(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(stage.clock.monotonic_s())
        if len(ticks) < 3:
            context.set_timer("tick", 1.0, Do(lambda own: tick()))

    context.set_timer("tick", 1.0, Do(lambda own: tick()))
    await stage.pass_s(10.0)
    assert [round(at_s - ticks[0], 3) for at_s in ticks] == [0.0, 1.0, 2.0]


async def test_a_timer_gets_through_to_a_full_mailbox(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=1))
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell("only one")
    context.set_timer("t", 1.0, "ring")
    await stage.pass_s(2.0)
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a+", "a only one", "a ring"]


async def test_a_batch_actor_has_timers_too(stage: Stage) -> None:
    batches: list[list[object]] = []
    ref = stage.system.spawn(lambda: NotingBatches(batches), "a")
    context = await stage.inside(ref)
    context.set_timer("t", 1.0, "ring")
    context.set_timer("u", 1.0, "silent")
    context.hold()
    await stage.pass_s(2.0)
    context.cancel_timer("u")
    context.release()
    await stage.quiet()
    assert batches == [[], ["ring"]]


async def test_a_restart_forgets_timers_even_those_that_have_fired(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    context.set_timer("fired", 1.0, "fired")
    context.set_timer("pending", 3.0, "pending")
    context.hold()
    ref.try_tell(BOOM)
    await stage.pass_s(2.0)
    context.release()
    await stage.pass_s(5.0)
    assert stage.taken() == ["a+", "a boom", "a-", "a+"]


async def test_a_stopped_actor_gets_no_timer(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    context.set_timer("t", 1.0, "ring")
    ref.stop()
    await stage.pass_s(2.0)
    assert stage.taken() == ["a+", "a-"]
    assert stage.system.dead_letters.recent == ()
    with pytest.raises(ActorStopped):
        context.set_timer("t", 1.0, "ring")


async def test_the_number_of_timers_is_bounded(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(timers_max=1))
    ref.try_tell(Do(lambda own: own.set_timer("one", 1.0, "one")))
    with pytest.raises(AskFailed) as caught:
        await ref.ask(Do(lambda own: own.set_timer("two", 1.0, "two")), timeout_s=1.0)
    assert isinstance(caught.value.__cause__, Overloaded)
