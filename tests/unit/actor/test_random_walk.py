"""Trees of actors that fail, exit, stop, suspend and spawn at random: what must hold whatever happens."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.actor.supervision import ActorOptions, Restart, Strategy, Supervision
from runtime.backoff import Backoff
from runtime.testing.virtual.dice import Dice
from tests.unit.actor.stage import Boom, Stage


class RandomWalk:
    """One run: draws what actors do, and counts the life of each instance."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.draws = Dice(seed, "randomness")
        self.contexts: list[Context] = []
        self.started: Counter[int] = Counter()
        self.stopped: Counter[int] = Counter()
        self.made = 0
        self.sent = 0
        self.handled = 0
        self.at_work: set[str] = set()

    def options(self) -> ActorOptions:
        return ActorOptions(
            mailbox_max=1 + self.draws.below(5),
            throughput=1 + self.draws.below(3),
            restart=list(Restart)[self.draws.below(3)],
            shutdown_s=self.draws.fraction(),
            supervision=Supervision(
                strategy=list(Strategy)[self.draws.below(3)],
                restarts_max=self.draws.below(4),
                backoff=Backoff(first_s=0.1) if self.draws.below(2) else None,
            ),
        )

    def make(self) -> Walker:
        self.made += 1
        return Walker(self, self.made)

    def spawn(self, under: Context | None = None) -> None:
        place = under or self.stage.system
        place.spawn(self.make, f"w{self.made}", options=self.options())

    async def step(self) -> None:
        if self.contexts and self.draws.below(4):
            context = self.contexts[self.draws.below(len(self.contexts))]
            accepted = context.self.try_tell(self.draws.below(10))
            self.sent += accepted
        elif not self.stage.system.is_stopped:
            self.spawn()
        if not self.draws.below(3):
            await self.stage.pass_s(self.draws.fraction() * 0.3)


class Walker(Actor):
    def __init__(self, walk: RandomWalk, number: int) -> None:
        self.walk = walk
        self.number = number

    async def started(self, context: Context) -> None:
        self.walk.started[self.number] += 1
        if context not in self.walk.contexts:
            self.walk.contexts.append(context)
        await self.perhaps(context)

    async def receive(self, context: Context, message: object) -> None:
        path = context.self.path
        assert path not in self.walk.at_work, "an actor handles one message at a time"
        self.walk.at_work.add(path)
        try:
            self.walk.handled += 1
            await self.act(context, message)
        finally:
            self.walk.at_work.discard(path)

    async def act(self, context: Context, message: object) -> None:
        if message == 0:
            context.stop()
        elif message == 1:
            context.exit()
        elif message == 2 and context.children:
            context.stop(context.children[-1])
        elif message in (3, 4, 5):
            self.walk.spawn(context)
        else:
            await self.perhaps(context)

    async def stopped(self, context: Context) -> None:
        assert context.children == ()
        self.walk.stopped[self.number] += 1
        await self.perhaps(context)

    async def perhaps(self, context: Context) -> None:
        draw = self.walk.draws.below(10)
        if draw == 0:
            raise Boom
        if draw == 1:
            await asyncio.Event().wait() if self.walk.draws.below(4) == 0 else await asyncio.sleep(0.2)
        if draw == 2:
            async with asyncio.timeout(0.1):
                await asyncio.sleep(self.walk.draws.fraction() * 0.2)


@pytest.mark.parametrize("seed", range(40))
async def test_every_instance_starts_once_and_says_goodbye_once(seed: int) -> None:
    stage = Stage(supervision=Supervision(restarts_max=100))
    walk = RandomWalk(stage, seed)
    for _ in range(150):
        await walk.step()
    await stage.system.stop()
    await stage.quiet()
    assert stage.system.is_stopped
    assert walk.made > 5
    assert set(walk.started.values()) <= {1}
    assert set(walk.stopped.values()) <= {1}
    assert set(walk.started) <= set(walk.stopped)
    assert all(context.self.is_stopped for context in walk.contexts)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_the_walks_cover_what_they_are_for(stage: Stage) -> None:
    walk = RandomWalk(stage, 7)
    for _ in range(300):
        await walk.step()
    assert walk.handled > 50
    assert {type(fact).__name__ for fact in stage.facts} >= {"ActorFailed", "ActorRestarted", "HookFailed"}


async def test_the_same_seed_gives_the_same_run() -> None:
    runs: list[list[str]] = []
    for _ in range(2):
        stage = Stage()
        walk = RandomWalk(stage, 3)
        for _ in range(200):
            await walk.step()
        await stage.system.stop()
        runs.append([repr(fact) for fact in stage.facts])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 10
