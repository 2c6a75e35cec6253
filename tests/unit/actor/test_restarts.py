"""Supervision in action: who is restarted when, in which order, and when it is given up."""

from __future__ import annotations

import asyncio

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.actor.dead_letters import Reason
from runtime.actor.ref import ActorRef
from runtime.actor.supervision import (
    ActorFailed,
    ActorOptions,
    ActorRestarted,
    HandlerCut,
    HookFailed,
    Restart,
    RestartsExhausted,
    Strategy,
    Supervision,
)
from runtime.backoff import Backoff
from tests.unit.actor.stage import BOOM, AwaitCall, Boom, Do, Noting, Stage


async def family(
    stage: Stage, strategy: Strategy = Strategy.ONE_FOR_ONE, backoff: Backoff | None = None, **restarts: Restart
) -> tuple[Context, dict[str, ActorRef]]:
    """A supervisor `s` with the children a, b, c."""
    rules = Supervision(strategy=strategy, restarts_max=3, window_s=5.0, backoff=backoff)
    supervisor = await stage.inside(stage.spawn("s", ActorOptions(supervision=rules)))
    names = ("a", "b", "c")
    options = {name: ActorOptions(restart=restarts.get(name, Restart.PERMANENT)) for name in names}
    children = {name: stage.spawn(name, options[name], under=supervisor) for name in names}
    await stage.quiet()
    stage.taken()
    return supervisor, children


async def test_a_restart_keeps_the_mailbox_and_drops_the_failing_message(stage: Stage) -> None:
    ref = stage.spawn("a")
    for message in (1, BOOM, 2, 3):
        ref.try_tell(message)
    await stage.quiet()
    assert stage.taken() == ["a+", "a 1", "a boom", "a-", "a+", "a 2", "a 3"]
    [letter] = stage.system.dead_letters.recent
    assert (letter.message, letter.recipient, letter.reason) == (BOOM, "stage/a", Reason.FAILED)
    assert isinstance(letter.error, Boom)
    assert [type(fact) for fact in stage.facts] == [ActorFailed, ActorRestarted]


async def test_a_restarted_actor_has_a_new_instance(stage: Stage) -> None:
    made: list[Noting] = []

    def make() -> Noting:
        made.append(Noting(stage.log))
        return made[-1]

    ref = stage.system.spawn(make, "a")
    ref.try_tell(BOOM)
    await stage.quiet()
    assert len(made) == 2
    assert made[0] is not made[1]


async def test_a_failing_batch_becomes_dead_letters_as_a_whole(stage: Stage) -> None:
    class Fragile(Noting):
        batching = True

        async def receive_batch(self, context: Context, messages: list[object]) -> None:
            if BOOM in messages:
                raise Boom
            self.log.append(f"batch {messages}")

    ref = stage.system.spawn(lambda: Fragile(stage.log), "a", options=ActorOptions(throughput=2))
    for message in (1, BOOM, 2):
        ref.try_tell(message)
    await stage.quiet()
    assert stage.taken() == ["a+", "a-", "a+", "batch [2]"]
    assert [letter.message for letter in stage.system.dead_letters.recent] == [1, BOOM]


async def test_one_for_one_leaves_siblings_alone(stage: Stage) -> None:
    _, children = await family(stage)
    children["b"].try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["b boom", "b-", "b+"]


async def test_one_for_all_stops_the_last_first_and_starts_the_first_first(stage: Stage) -> None:
    _, children = await family(stage, Strategy.ONE_FOR_ALL)
    children["b"].try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["b boom", "c-", "b-", "a-", "a+", "b+", "c+"]


async def test_rest_for_one_concerns_those_that_were_spawned_later(stage: Stage) -> None:
    _, children = await family(stage, Strategy.REST_FOR_ONE)
    children["b"].try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["b boom", "c-", "b-", "b+", "c+"]


async def test_siblings_that_are_restarted_keep_their_mail(stage: Stage) -> None:
    _, children = await family(stage, Strategy.ONE_FOR_ALL)
    children["b"].try_tell(BOOM)
    children["c"].try_tell("kept")
    children["c"].try_tell("too")
    await stage.quiet()
    assert [line for line in stage.taken() if line.startswith("c ")] == ["c kept", "c too"]
    assert stage.system.dead_letters.count(Reason.STOPPED) == 0


async def test_a_temporary_sibling_is_stopped_with_the_group_and_not_started_again(stage: Stage) -> None:
    supervisor, children = await family(stage, Strategy.ONE_FOR_ALL, c=Restart.TEMPORARY)
    children["a"].try_tell(BOOM)
    await stage.quiet()
    assert sorted(stage.taken()) == sorted(["a boom", "c-", "b-", "a-", "a+", "b+"])
    assert supervisor.children == (children["a"], children["b"])


async def test_a_temporary_child_that_fails_concerns_nobody_else(stage: Stage) -> None:
    supervisor, children = await family(stage, Strategy.ONE_FOR_ALL, b=Restart.TEMPORARY)
    children["b"].try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["b boom", "b-"]
    assert supervisor.child("b") is None


async def test_exit_restarts_a_permanent_child_and_ends_others(stage: Stage) -> None:
    supervisor, children = await family(stage, b=Restart.TRANSIENT, c=Restart.TEMPORARY)
    for ref in children.values():
        ref.try_tell(Do(lambda own: own.exit()))
    await stage.quiet()
    assert sorted(stage.taken()) == ["a+", "a-", "b-", "c-"]
    assert supervisor.children == (children["a"],)
    assert not [fact for fact in stage.facts if isinstance(fact, ActorFailed)]


async def test_a_stop_by_order_is_final_even_for_a_permanent_child(stage: Stage) -> None:
    supervisor, children = await family(stage)
    supervisor.stop(children["a"])
    children["b"].try_tell(Do(lambda own: own.stop()))
    await stage.quiet()
    assert sorted(stage.taken()) == ["a-", "b-"]
    assert supervisor.children == (children["c"],)


async def test_restarts_in_the_window_are_counted_for_all_children_together(stage: Stage) -> None:
    supervisor, children = await family(stage)
    for name in ("a", "b", "c"):
        children[name].try_tell(BOOM)
        await stage.quiet()
    assert not supervisor.self.is_stopped
    stage.taken()
    children["a"].try_tell(BOOM)  # the fourth within 5 s
    await stage.quiet()
    assert stage.taken() == ["a boom", "c-", "b-", "a-", "s-", "s+"]
    [exhausted] = [fact.error for fact in stage.facts if isinstance(fact, ActorFailed) and fact.path == "stage/s"]
    assert isinstance(exhausted, RestartsExhausted)
    assert isinstance(exhausted.__cause__, Boom)


async def test_restarts_outside_the_window_are_forgiven(stage: Stage) -> None:
    _, children = await family(stage)
    for _ in range(10):
        children["a"].try_tell(BOOM)
        await stage.pass_s(2.0)
    assert stage.taken() == ["a boom", "a-", "a+"] * 10


async def test_failures_that_escalate_past_the_top_stop_the_system_and_are_reported() -> None:
    stage = Stage(supervision=Supervision(restarts_max=0))
    stage.spawn("bystander")
    stage.spawn("a").try_tell(BOOM)
    await stage.quiet()
    assert stage.system.is_stopped
    [failure] = stage.failures
    assert stage.system.failure is failure
    assert isinstance(failure, RestartsExhausted)
    assert isinstance(failure.__cause__, Boom)
    assert [line for line in stage.taken() if line.endswith("-")] == ["a-", "bystander-"]
    await stage.system.stop()


async def test_backoff_waits_longer_after_each_failure_in_a_row(stage: Stage) -> None:
    backoff = Backoff(first_s=1.0, factor=2.0, max_s=60.0, jitter=0.0)
    _, children = await family(stage, backoff=backoff)
    waits: list[float] = []
    for _ in range(3):
        stage.taken()
        children["a"].try_tell(BOOM)
        failed_at_s = stage.clock.monotonic_s()
        while "a+" not in stage.log:
            await stage.pass_s(0.5)
        waits.append(stage.clock.monotonic_s() - failed_at_s)
    assert [int(wait) for wait in waits] == [1, 2, 4]


async def test_an_actor_that_waits_for_its_restart_takes_mail_but_handles_none(stage: Stage) -> None:
    _, children = await family(stage, backoff=Backoff(first_s=10.0, jitter=0.0))
    children["a"].try_tell(BOOM)
    await stage.quiet()
    assert children["a"].try_tell("later")
    await stage.pass_s(5.0)
    assert stage.taken() == ["a boom", "a-"]
    await stage.pass_s(6.0)
    assert stage.taken() == ["a+", "a later"]


async def test_an_actor_that_waits_for_its_restart_can_be_stopped(stage: Stage) -> None:
    supervisor, children = await family(stage, Strategy.ONE_FOR_ALL, backoff=Backoff(first_s=10.0, jitter=0.0))
    children["a"].try_tell(BOOM)
    await stage.quiet()
    children["a"].stop()
    await stage.quiet()
    assert supervisor.children == (children["b"], children["c"])
    await stage.pass_s(20.0)
    assert stage.taken() == ["a boom", "c-", "b-", "a-", "b+", "c+"]


async def test_a_supervisor_that_is_stopped_during_a_backoff_starts_nobody(stage: Stage) -> None:
    supervisor, children = await family(stage, backoff=Backoff(first_s=10.0, jitter=0.0))
    children["a"].try_tell(BOOM)
    await stage.quiet()
    supervisor.self.stop()
    await stage.pass_s(20.0)
    assert stage.taken() == ["a boom", "a-", "c-", "b-", "s-"]


async def test_a_wider_failure_during_a_backoff_takes_the_earlier_group_along(stage: Stage) -> None:
    _, children = await family(stage, Strategy.REST_FOR_ONE, backoff=Backoff(first_s=10.0, jitter=0.0))
    children["c"].try_tell(BOOM)
    await stage.pass_s(5.0)
    children["b"].try_tell(BOOM)
    await stage.pass_s(6.0)
    assert stage.taken() == ["c boom", "c-", "b boom", "b-"]
    await stage.pass_s(60.0)
    assert stage.taken() == ["b+", "c+"]


async def test_the_children_of_a_restarted_actor_are_stopped_first_and_not_started_again(stage: Stage) -> None:
    context = await stage.inside(stage.spawn("a"))
    stage.spawn("inner", under=context)
    await stage.quiet()
    context.self.try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["a+", "inner+", "a boom", "inner-", "a-", "a+"]
    assert context.children == ()


class Reluctant(Noting):
    """Fails when it starts, so often."""

    def __init__(self, log: list[str], failures: list[None]) -> None:
        super().__init__(log)
        self.failures = failures

    async def started(self, context: Context) -> None:
        await super().started(context)
        if self.failures:
            self.failures.pop()
            raise Boom


async def test_a_failing_start_is_supervised_like_a_failing_handler(stage: Stage) -> None:
    failures: list[None] = [None, None]
    ref = stage.system.spawn(lambda: Reluctant(stage.log, failures), "a")
    ref.try_tell("kept")
    await stage.quiet()
    assert stage.taken() == ["a+", "a-", "a+", "a-", "a+", "a kept"]


async def test_a_factory_that_fails_at_a_restart_is_supervised_too(stage: Stage) -> None:
    calls: list[None] = []

    def make() -> Actor:
        calls.append(None)
        if len(calls) == 2:
            raise Boom
        return Noting(stage.log)

    ref = stage.system.spawn(make, "a")
    ref.try_tell(BOOM)
    ref.try_tell("kept")
    await stage.quiet()
    assert stage.taken() == ["a+", "a boom", "a-", "a+", "a kept"]


async def test_a_failing_goodbye_is_reported_and_holds_up_nothing(stage: Stage) -> None:
    class Rude(Noting):
        async def stopped(self, context: Context) -> None:
            raise Boom

    ref = stage.system.spawn(lambda: Rude(stage.log), "a")
    ref.try_tell(BOOM)
    ref.try_tell("next")
    await stage.quiet()
    ref.stop()
    await stage.quiet()
    assert stage.taken() == ["a+", "a boom", "a+", "a next"]
    assert [fact.path for fact in stage.facts if isinstance(fact, HookFailed)] == ["stage/a"] * 2
    assert ref.is_stopped


async def test_a_suspended_sibling_ends_its_handler_before_it_is_restarted(stage: Stage) -> None:
    _, children = await family(stage, Strategy.ONE_FOR_ALL)
    gate = asyncio.Event()
    children["a"].try_tell(AwaitCall(gate.wait))
    await stage.quiet()
    children["b"].try_tell(BOOM)
    await stage.quiet()
    assert stage.taken() == ["b boom", "c-", "b-"]
    gate.set()
    await stage.quiet()
    assert stage.taken() == ["a-", "a+", "b+", "c+"]


async def test_a_suspended_handler_is_cancelled_after_shutdown_s(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(shutdown_s=3.0))
    ref.try_tell(AwaitCall(asyncio.Event().wait))
    await stage.quiet()
    ref.stop()
    await stage.pass_s(2.9)
    assert stage.taken() == ["a+"]
    await stage.pass_s(0.2)
    assert stage.taken() == ["a-"]
    assert ref.is_stopped
    assert [fact for fact in stage.facts if isinstance(fact, ActorFailed)] == []


async def test_a_goodbye_that_hangs_is_cancelled_too(stage: Stage) -> None:
    class Clingy(Noting):
        async def stopped(self, context: Context) -> None:
            await asyncio.Event().wait()

    ref = stage.system.spawn(lambda: Clingy(stage.log), "a", options=ActorOptions(shutdown_s=3.0))
    await stage.quiet()
    ref.stop()
    await stage.pass_s(2.9)
    assert not ref.is_stopped
    await stage.pass_s(0.2)
    assert ref.is_stopped


async def test_a_start_and_a_goodbye_that_both_hang_have_a_time_each(stage: Stage) -> None:
    class Hanging(Noting):
        async def started(self, context: Context) -> None:
            await asyncio.Event().wait()

        async def stopped(self, context: Context) -> None:
            self.log.append("goodbye begins")
            await asyncio.Event().wait()

    ref = stage.system.spawn(lambda: Hanging(stage.log), "a", options=ActorOptions(shutdown_s=3.0))
    await stage.quiet()
    ref.stop()
    await stage.pass_s(3.1)
    ended = [ref.is_stopped]
    await stage.pass_s(3.1)
    ended.append(ref.is_stopped)
    assert ended == [False, True]
    assert stage.taken() == ["goodbye begins"]
    assert stage.facts == [HandlerCut(path="stage/a", shutdown_s=3.0)] * 2


async def test_a_task_that_was_cancelled_for_one_actor_serves_others_unharmed(stage: Stage) -> None:
    ref = stage.spawn("a", ActorOptions(shutdown_s=1.0))
    ref.try_tell(AwaitCall(asyncio.Event().wait))
    await stage.quiet()
    ref.stop()
    await stage.pass_s(2.0)
    other = stage.spawn("b")
    other.try_tell(AwaitCall(lambda: asyncio.wait_for(asyncio.sleep(0.1), 1.0)))
    other.try_tell("fine")
    await stage.pass_s(1.0)
    assert stage.taken() == ["a+", "a-", "b+", "b fine"]
