from __future__ import annotations

import asyncio

import pytest

from runtime.actor.dead_letters import Reason
from runtime.actor.ref import Recipient
from runtime.actor.supervision import ActorOptions
from runtime.errors import ActorStopped, AskFailed, DeadlineExceeded, Overloaded
from tests.unit.actor.stage import BOOM, AwaitCall, Boom, Do, Stage


async def test_the_answer_is_what_the_handler_replies(stage: Stage) -> None:
    ref = stage.spawn("a")
    assert await ref.ask(Do(lambda own: own.reply("yes")), timeout_s=1.0) == "yes"


async def test_the_answer_may_come_from_a_later_turn(stage: Stage) -> None:
    ref = stage.spawn("a")
    kept: list[Recipient | None] = []
    asking = asyncio.ensure_future(ref.ask(Do(lambda own: kept.append(own.sender)), timeout_s=1.0))
    await stage.quiet()
    assert kept[0] is not None
    assert kept[0].try_tell("at last")
    assert await asking == "at last"


async def test_no_answer_in_time_is_an_error_that_names_the_actor(stage: Stage) -> None:
    ref = stage.spawn("a")
    with pytest.raises(DeadlineExceeded, match=r"stage/a has not answered within 1\.0 s"):
        await ref.ask("hello", timeout_s=1.0)


async def test_an_answer_that_comes_too_late_is_a_dead_letter(stage: Stage) -> None:
    ref = stage.spawn("a")
    gate = asyncio.Event()
    ref.try_tell(AwaitCall(gate.wait))
    with pytest.raises(DeadlineExceeded):
        await ref.ask(Do(lambda own: own.reply("late")), timeout_s=1.0)
    gate.set()
    await stage.quiet()
    [letter] = stage.system.dead_letters.recent
    assert (letter.message, letter.reason) == ("late", Reason.LATE)


async def test_only_the_first_answer_counts(stage: Stage) -> None:
    ref = stage.spawn("a")
    replies: list[bool] = []
    answer = await ref.ask(Do(lambda own: replies.extend([own.reply(1), own.reply(2)])), timeout_s=1.0)
    assert answer == 1
    assert replies == [True, False]


async def test_reply_to_a_message_nobody_asked_is_refused(stage: Stage) -> None:
    ref = stage.spawn("a")
    replies: list[bool] = []
    ref.try_tell(Do(lambda own: replies.append(own.reply("anyone?"))))
    await stage.quiet()
    assert replies == [False]


async def test_a_failing_handler_fails_the_question_with_its_exception(stage: Stage) -> None:
    ref = stage.spawn("a")
    with pytest.raises(AskFailed, match="stage/a failed") as caught:
        await ref.ask(BOOM, timeout_s=1.0)
    assert isinstance(caught.value.__cause__, Boom)


async def test_asking_a_stopped_actor_fails_at_once(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.stop()
    await stage.quiet()
    with pytest.raises(ActorStopped):
        await ref.ask("hello", timeout_s=1.0)


async def test_questions_that_wait_when_the_actor_stops_fail_at_once(stage: Stage) -> None:
    ref = stage.spawn("a")
    context = await stage.inside(ref)
    context.hold()
    asking = asyncio.ensure_future(ref.ask("hello", timeout_s=60.0))
    await stage.quiet()
    ref.stop()
    with pytest.raises(ActorStopped):
        await asking


async def test_a_question_waits_for_room_within_its_deadline(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=1))
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell("first")
    asking = asyncio.ensure_future(ref.ask(Do(lambda own: own.reply("here")), timeout_s=10.0))
    await stage.quiet()
    context.release()
    assert await asking == "here"


async def test_a_question_whose_deadline_passes_before_there_is_room_is_never_delivered(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(mailbox_max=1))
    context = await stage.inside(ref)
    context.hold()
    ref.try_tell("first")
    with pytest.raises(DeadlineExceeded):
        await ref.ask("second", timeout_s=1.0)
    context.release()
    await stage.quiet()
    assert stage.taken() == ["a+", "a first"]


async def test_a_cancelled_question_leaves_no_timer(stage: Stage) -> None:
    ref = stage.spawn("a")
    asking = asyncio.ensure_future(ref.ask("hello", timeout_s=1.0))
    await stage.quiet()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await stage.pass_s(2.0)
    assert stage.facts == []


async def test_forward_keeps_the_question_of_the_first_sender(stage: Stage) -> None:
    front, back = stage.spawn("front"), stage.spawn("back")
    await stage.quiet()
    question = Do(lambda own: own.forward(back) if own.self is front else own.reply("from the back"))
    assert await front.ask(question, timeout_s=1.0) == "from the back"


async def test_a_question_forwarded_to_a_full_mailbox_fails_as_overload(stage: Stage) -> None:
    front, back = stage.spawn("front"), stage.spawn("back", ActorOptions(mailbox_max=1))
    (await stage.inside(back)).hold()
    back.try_tell("takes the only place")
    with pytest.raises(Overloaded, match="stage/back is full"):
        await front.ask(Do(lambda own: own.forward(back)), timeout_s=1.0)


async def test_actors_answer_each_other_through_their_senders(stage: Stage) -> None:
    asker, asked = stage.spawn("asker"), stage.spawn("asked")
    asked.try_tell(Do(lambda own: own.reply("hello back")), asker)
    await stage.quiet()
    assert stage.taken() == ["asker+", "asked+", "asker hello back"]
