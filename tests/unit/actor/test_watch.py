from __future__ import annotations

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.actor.ref import ActorRef
from runtime.actor.supervision import ActorOptions, Restart
from runtime.actor.watch import Terminated
from tests.unit.actor.stage import BOOM, Boom, Do, Stage


class Watcher(Actor):
    def __init__(self, ends: list[Terminated]) -> None:
        self.ends = ends

    async def receive(self, context: Context, message: object) -> None:
        if isinstance(message, Terminated):
            self.ends.append(message)
        if isinstance(message, Do):
            message.act(context)


def watch_from(stage: Stage, ends: list[Terminated], *refs: ActorRef, mailbox_max: int = 1000) -> ActorRef:
    watcher = stage.system.spawn(lambda: Watcher(ends), "watcher", options=ActorOptions(mailbox_max=mailbox_max))
    for ref in refs:
        watcher.try_tell(Do(lambda own, ref=ref: own.watch(ref)))  # type: ignore[misc]
    return watcher


async def test_a_watcher_is_told_once_of_each_end(stage: Stage) -> None:
    ends: list[Terminated] = []
    first, second = stage.spawn("first"), stage.spawn("second")
    watch_from(stage, ends, first, second, first)
    await stage.quiet()
    second.stop()
    first.stop()
    await stage.quiet()
    assert [end.ref for end in ends] == [second, first]
    assert [end.error for end in ends] == [None, None]


async def test_the_end_of_a_failed_actor_carries_its_error(stage: Stage) -> None:
    ends: list[Terminated] = []
    ref = stage.spawn("a", ActorOptions(restart=Restart.TEMPORARY))
    watch_from(stage, ends, ref)
    await stage.quiet()
    ref.try_tell(BOOM)
    await stage.quiet()
    assert [type(end.error) for end in ends] == [Boom]


async def test_a_restart_is_no_end(stage: Stage) -> None:
    ends: list[Terminated] = []
    ref = stage.spawn("a")
    watch_from(stage, ends, ref)
    await stage.quiet()
    ref.try_tell(BOOM)
    await stage.quiet()
    assert ends == []
    ref.stop()  # who watches is kept over the restart, and the old error forgotten
    await stage.quiet()
    assert [end.error for end in ends] == [None]


async def test_watching_an_actor_that_has_ended_is_told_at_once(stage: Stage) -> None:
    ends: list[Terminated] = []
    ref = stage.spawn("a")
    ref.stop()
    await stage.quiet()
    watch_from(stage, ends, ref)
    await stage.quiet()
    assert [end.ref for end in ends] == [ref]


async def test_whoever_unwatches_is_not_told(stage: Stage) -> None:
    ends: list[Terminated] = []
    ref = stage.spawn("a")
    watcher = watch_from(stage, ends, ref)
    watcher.try_tell(Do(lambda own: own.unwatch(ref)))
    await stage.quiet()
    ref.stop()
    await stage.quiet()
    watcher.try_tell(Do(lambda own: own.unwatch(ref)))
    await stage.quiet()
    assert ends == []


async def test_the_news_gets_through_to_a_full_mailbox_and_comes_after_earlier_messages(stage: Stage) -> None:
    ends: list[Terminated] = []
    order: list[str] = []
    ref = stage.spawn("a")
    watcher = watch_from(stage, ends, ref, mailbox_max=1)
    await stage.quiet()
    context = await stage.inside(watcher)
    context.hold()
    watcher.try_tell(Do(lambda own: order.append(f"{len(ends)} before")))
    ref.stop()
    await stage.quiet()
    context.release()
    await stage.quiet()
    assert order == ["0 before"]
    assert len(ends) == 1


async def test_a_watcher_that_was_restarted_or_stopped_is_not_told(stage: Stage) -> None:
    ends: list[Terminated] = []
    first, second = stage.spawn("first"), stage.spawn("second")
    watcher = watch_from(stage, ends, first, second)
    watcher.try_tell(Do(fail))
    await stage.quiet()
    first.stop()
    await stage.quiet()
    watcher.stop()
    await stage.quiet()
    second.stop()
    await stage.quiet()
    assert ends == []


def fail(own: Context) -> None:
    raise Boom


async def test_two_actors_may_watch_each_other_and_themselves(stage: Stage) -> None:
    ends: list[Terminated] = []
    ref = stage.spawn("a")
    watcher = watch_from(stage, ends, ref)
    watcher.try_tell(Do(lambda own: own.watch(own.self)))
    ref.try_tell(Do(lambda own: own.watch(watcher)))
    await stage.quiet()
    ref.stop()
    await stage.quiet()
    watcher.stop()
    await stage.quiet()
    assert [end.ref for end in ends] == [ref]
