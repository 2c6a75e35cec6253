"""Stash and become: an actor that handles messages later, or in another way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.actor.actor import BatchActor
from runtime.actor.context import Context
from runtime.actor.ref import ActorRef
from runtime.actor.supervision import ActorOptions
from runtime.errors import AskFailed, InvalidMessage, Overloaded
from runtime.testing.virtual.clock import VirtualLoop
from tests.unit.actor.stage import BOOM, Boom, Do, NotingBatches, Stage


async def test_stashed_messages_come_back_in_order_before_those_that_wait(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def closed(context: Context, message: object) -> None:
        if message == "open":
            context.unbecome()
            context.unstash_all()
        else:
            context.stash()

    ref.try_tell(Do(lambda own: own.become(closed)))
    for message in (1, 2, "open", 3):
        ref.try_tell(message)
    await stage.quiet()
    assert stage.taken() == ["a+", "a 1", "a 2", "a 3"]


async def test_unstashing_wakes_an_idle_actor(stage: Stage) -> None:
    ref = stage.spawn("a")
    stashing = Do(lambda own: own.stash())
    ref.try_tell(stashing)
    context = await stage.inside(ref)
    await stage.quiet()
    ref.try_tell(Do(lambda own: own.become(plain)))
    await stage.quiet()
    context.unstash_all()
    await stage.quiet()
    assert stage.taken() == ["a+"]
    assert ref.waiting == 0


async def plain(context: Context, message: object) -> None:
    """Takes everything."""


async def test_a_stashed_question_can_be_answered_later(stage: Stage) -> None:
    ref = stage.spawn("a")
    await stage.quiet()
    first_time: list[bool] = [True]

    def later(own: Context) -> None:
        if first_time.pop() if first_time else False:
            own.stash()
            own.set_timer("again", 1.0, Do(lambda own: own.unstash_all()))
        else:
            own.reply("later")

    assert await ref.ask(Do(later), timeout_s=5.0) == "later"


async def test_the_message_of_a_timer_can_be_stashed(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))

    async def stashing(context: Context, message: object) -> None:
        context.stash()
        context.unbecome()

    context.become(stashing)
    context.set_timer("t", 1.0, "ring")
    await stage.pass_s(2.0)
    assert stage.taken() == ["a+"]
    context.unstash_all()
    await stage.quiet()
    assert stage.taken() == ["a ring"]


async def test_a_message_whose_handler_fails_after_stashing_it_does_not_come_back(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def clumsy(context: Context, message: object) -> None:
        context.stash()
        raise Boom

    ref.try_tell(Do(lambda own: own.become(clumsy)))
    ref.try_tell("lost")
    ref.try_tell("next")
    await stage.quiet()
    assert stage.taken() == ["a+", "a-", "a+", "a next"]
    assert [letter.message for letter in stage.system.dead_letters.recent] == ["lost"]


async def test_a_full_stash_refuses(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(stash_max=1))
    ref.try_tell(Do(lambda own: own.stash()))
    with pytest.raises(AskFailed) as caught:
        await ref.ask(Do(lambda own: own.stash()), timeout_s=1.0)
    assert isinstance(caught.value.__cause__, Overloaded)


async def test_there_is_nothing_to_stash_outside_a_handler(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    with pytest.raises(InvalidMessage, match="no single message in hand"):
        context.stash()


async def test_a_batch_cannot_be_stashed_or_forwarded(stage: Stage) -> None:
    batches: list[list[object]] = []
    ref = stage.system.spawn(lambda: NotingBatches(batches), "a")
    with pytest.raises(AskFailed) as caught:
        await ref.ask(Do(lambda own: own.forward(ref)), timeout_s=1.0)
    assert isinstance(caught.value.__cause__, InvalidMessage)


async def test_a_restart_puts_stashed_messages_back(stage: Stage) -> None:
    ref = stage.spawn("a")
    await stage.quiet()
    seen: list[ActorRef] = []

    def stash_first(own: Context) -> None:
        if not seen:
            own.stash()
        seen.append(own.self)

    ref.try_tell(Do(stash_first))
    ref.try_tell(BOOM)
    ref.try_tell("after")
    await stage.quiet()
    assert len(seen) == 2
    assert stage.taken() == ["a+", "a boom", "a-", "a+", "a after"]


async def test_become_may_be_nested(stage: Stage) -> None:
    ref = stage.spawn("a")
    log = stage.log

    async def outer(context: Context, message: object) -> None:
        log.append(f"outer {message}")
        if message == "deeper":
            context.become(inner)
        else:
            context.unbecome()

    async def inner(context: Context, message: object) -> None:
        log.append(f"inner {message}")
        context.unbecome()

    ref.try_tell(Do(lambda own: own.become(outer)))
    for message in ("deeper", 1, 2, 3):
        ref.try_tell(message)
    await stage.quiet()
    assert stage.taken() == ["a+", "outer deeper", "inner 1", "outer 2", "a 3"]


async def test_unbecome_without_become_does_nothing(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.try_tell(Do(lambda own: own.unbecome()))
    ref.try_tell(1)
    await stage.quiet()
    assert stage.taken() == ["a+", "a 1"]


async def test_a_restart_ends_become_and_hold(stage: Stage) -> None:
    ref = stage.spawn("a")

    async def failing(context: Context, message: object) -> None:
        context.hold()
        raise ValueError(message)

    ref.try_tell(Do(lambda own: own.become(failing)))
    ref.try_tell("x")
    ref.try_tell("after")
    await stage.quiet()
    assert stage.taken() == ["a+", "a-", "a+", "a after"]


async def test_an_actor_that_became_something_else_still_says_goodbye_itself(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.try_tell(Do(lambda own: own.become(plain)))
    await stage.quiet()
    ref.stop()
    await stage.quiet()
    assert stage.taken() == ["a+", "a-"]


async def test_a_batch_actor_that_becomes_a_handler_gets_messages_one_by_one(stage: Stage) -> None:
    batches: list[list[object]] = []
    singles: list[object] = []

    async def one(context: Context, message: object) -> None:
        singles.append(message)
        context.unbecome()

    ref = stage.system.spawn(lambda: NotingBatches(batches), "a")
    ref.try_tell(Do(lambda own: own.become(one)))
    await stage.quiet()
    for number in range(3):
        ref.try_tell(number)
    await stage.quiet()
    assert singles == [0]
    assert [message for batch in batches for message in batch] == [1, 2]


class Halving(BatchActor):
    """Takes one message of each batch, and puts the others back."""

    def __init__(self, taken: list[object]) -> None:
        self.taken = taken

    async def receive_batch(self, context: Context, messages: Sequence[object]) -> None:
        self.taken.append(messages[0])
        context.put_back(messages[1:])


async def test_what_is_put_back_of_a_batch_comes_before_what_waits_and_in_order(stage: Stage) -> None:
    taken: list[object] = []
    ref = stage.system.spawn(lambda: Halving(taken), "a", options=ActorOptions(throughput=3))
    for number in range(8):
        ref.try_tell(number)
    await stage.quiet()
    assert taken == list(range(8))
    assert ref.waiting == 0


async def test_actors_that_compute_for_long_let_the_loop_do_its_work_between_them(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    began_s = loop.time()
    seen_s: list[float] = []
    loop.call_later(0.1, lambda: seen_s.append(loop.time() - began_s))
    for number in range(50):
        stage.spawn(f"a{number}").try_tell(Do(lambda own: loop.spend(0.03)))
    await stage.pass_s(3.0)
    assert len(seen_s) == 1
    assert seen_s[0] < 0.2
