"""The tree as a whole: names, order of stopping, events, dead letters, memory."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from runtime.actor.actor import Actor
from runtime.actor.cell import Cell
from runtime.actor.context import Context
from runtime.actor.dead_letters import DeadLetter, Reason
from runtime.actor.event_stream import EventStream
from runtime.actor.supervision import ActorFailed, ActorOptions, HookFailed, Restart
from runtime.adapters import ignore
from runtime.errors import ActorNameTaken, ActorStopped, Overloaded
from tests.unit.actor.stage import BOOM, AwaitCall, Noting, Stage


async def test_a_path_names_an_actor_from_the_system_down(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("billing"))
    child = stage.spawn("ORD-1", under=context)
    assert child.path == "stage/billing/ORD-1"
    assert (child.name, context.parent is not None, context.child("ORD-1")) == ("ORD-1", True, child)


async def test_names_are_unique_among_siblings_until_the_actor_is_gone(stage: Stage) -> None:
    ref = stage.spawn("a")
    with pytest.raises(ActorNameTaken, match="'a'"):
        stage.spawn("a")
    ref.stop()
    with pytest.raises(ActorNameTaken):
        stage.spawn("a")  # it has still to say goodbye
    await stage.quiet()
    stage.spawn("a")


async def test_spawn_raises_what_the_factory_raises_and_keeps_nothing(stage: Stage) -> None:
    def broken() -> Noting:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stage.system.spawn(broken, "a")
    stage.spawn("a")


async def test_an_actor_that_ends_cannot_have_children_any_more(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    context.stop()
    await stage.quiet()
    with pytest.raises(ActorStopped):
        stage.spawn("child", under=context)


async def test_stop_ends_the_last_spawned_first_and_children_before_parents(stage: Stage) -> None:
    first = await stage.inside(stage.spawn("first"))
    stage.spawn("inner-1", under=first)
    stage.spawn("inner-2", under=first)
    stage.spawn("second")
    await stage.quiet()
    stage.taken()
    await stage.system.stop()
    assert stage.taken() == ["second-", "inner-2-", "inner-1-", "first-"]
    with pytest.raises(ActorStopped):
        stage.spawn("late")


async def test_stop_may_be_asked_twice_and_by_several(stage: Stage) -> None:
    stage.spawn("a")
    await asyncio.gather(stage.system.stop(), stage.system.stop())
    await stage.system.stop()
    assert stage.system.is_stopped


async def test_a_stop_that_is_ordered_over_and_over_is_one_order(stage: Stage) -> None:
    ref = stage.spawn("a")
    gate = asyncio.Event()
    ref.try_tell(AwaitCall(gate.wait))
    await stage.quiet()
    for _ in range(1000):
        ref.stop()
    assert isinstance(ref, Cell)
    assert ref.signals is not None
    assert len(ref.signals) == 1
    gate.set()
    await stage.quiet()
    assert stage.taken() == ["a+", "a-"]


async def test_stop_cancels_handlers_that_do_not_end(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(shutdown_s=2.0))
    ref.try_tell(AwaitCall(asyncio.Event().wait))
    await stage.quiet()
    await stage.system.stop()
    assert stage.taken() == ["a+", "a-"]


async def test_a_system_that_never_ran_anything_stops_too() -> None:
    await Stage().system.stop()


async def test_thousands_of_children_come_and_go_and_leave_nothing(stage: Stage) -> None:
    parent = await stage.inside(stage.spawn("parent"))
    instances: list[weakref.ref[Noting]] = []

    def make() -> Noting:
        instance = Noting([])
        instances.append(weakref.ref(instance))
        return instance

    for number in range(2000):
        parent.spawn(make, f"child-{number}").try_tell("hello")
    await stage.quiet()
    for ref in parent.children:
        ref.stop()
    await stage.quiet()
    gc.collect()
    assert parent.children == ()
    assert [one for one in instances if one() is not None] == []


async def test_an_actor_without_hooks_ends_within_the_call_when_it_rests(stage: Stage) -> None:
    ref = stage.system.spawn(Actor, "a")
    ref.stop()
    assert ref.is_stopped
    stage.system.spawn(Actor, "a")


class Leaver(Actor):
    """Says goodbye in `stopped`, unless all is said already."""

    def __init__(self, *, is_done: bool) -> None:
        self.is_done = is_done
        self.said: list[str] = []

    def ends_in_silence(self) -> bool:
        return self.is_done

    async def stopped(self, context: Context) -> None:
        self.said.append("goodbye")


async def test_an_actor_with_nothing_left_to_do_ends_within_the_call_and_is_not_run_once_more(stage: Stage) -> None:
    leaver = Leaver(is_done=True)
    ref = stage.system.spawn(lambda: leaver, "a")
    ref.stop()
    assert ref.is_stopped
    await stage.quiet()
    assert leaver.said == []


async def test_an_actor_says_goodbye_that_has_something_left_or_is_not_at_rest(stage: Stage) -> None:
    busy, waiting = Leaver(is_done=False), Leaver(is_done=True)
    refs = [stage.system.spawn(lambda: busy, "busy"), stage.system.spawn(lambda: waiting, "waiting")]
    refs[1].try_tell("hello")
    for ref in refs:
        ref.stop()
    assert not any(ref.is_stopped for ref in refs)
    await stage.quiet()
    assert (busy.said, waiting.said) == (["goodbye"], ["goodbye"])


async def test_failures_and_dead_letters_are_on_the_event_stream(stage: Stage) -> None:
    seen: list[object] = []
    stage.system.events.subscribe(DeadLetter, seen.append)
    stage.system.events.subscribe(ActorFailed, seen.append)
    stage.spawn("a", ActorOptions(restart=Restart.TEMPORARY)).try_tell(BOOM)
    await stage.quiet()
    assert [type(event) for event in seen] == [DeadLetter, ActorFailed]


async def test_events_reach_subscribers_of_a_base_type_until_they_cancel(stage: Stage) -> None:
    seen: list[object] = []
    subscription = stage.system.events.subscribe(Exception, seen.append)
    stage.system.events.publish(ValueError())
    stage.system.events.publish("nothing they asked for")
    subscription.cancel()
    subscription.cancel()
    stage.system.events.publish(ValueError())
    assert [type(event) for event in seen] == [ValueError]


async def test_a_subscriber_that_raises_is_reported_and_harms_no_other(stage: Stage) -> None:
    seen: list[object] = []

    def broken(event: object) -> None:
        raise ValueError

    stage.system.events.subscribe(str, broken)
    stage.system.events.subscribe(str, seen.append)
    stage.system.events.publish("event")
    assert seen == ["event"]
    assert [type(fact) for fact in stage.facts] == [HookFailed]


async def test_events_can_go_to_a_mailbox(stage: Stage) -> None:
    ref = stage.spawn("a")
    stage.system.events.subscribe(str, ref.try_tell)
    stage.system.events.publish("news")
    await stage.quiet()
    assert stage.taken() == ["a+", "a news"]


async def test_dead_letters_that_nobody_can_take_do_not_go_round_in_circles(stage: Stage) -> None:
    ref = stage.spawn("a")
    stage.system.events.subscribe(DeadLetter, ref.try_tell)
    ref.stop()
    await stage.quiet()
    ref.try_tell("late")
    assert stage.system.dead_letters.count(Reason.STOPPED) == 2
    assert [letter.message for letter in stage.system.dead_letters.recent] == ["late"]


async def test_only_the_last_dead_letters_are_kept_and_all_are_counted(stage: Stage) -> None:
    ref = stage.spawn("a")
    ref.stop()
    await stage.quiet()
    for number in range(1000):
        ref.try_tell(number)
    assert stage.system.dead_letters.count(Reason.STOPPED) == 1000
    assert [letter.message for letter in stage.system.dead_letters.recent] == list(range(744, 1000))


def test_the_number_of_subscribers_is_bounded() -> None:
    events = EventStream(ignore, subscribers_max=1)
    events.subscribe(str, print)
    with pytest.raises(Overloaded):
        events.subscribe(str, print)
