from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from runtime.actor.actor import Actor, BatchActor
from runtime.actor.context import Context
from runtime.actor.supervision import ActorOptions
from runtime.actor.system import ActorSystem
from runtime.adapters import system_ports
from runtime.errors import ActorStopped, DeadlineExceeded, HandlerFailed


class Echo(Actor):
    async def receive(self, context: Context, message: object) -> None:
        if message == "boom":
            raise ValueError("boom")
        if message == "slow":
            await asyncio.sleep(0.01)
        if message == "timeout":
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.Event().wait()
            except TimeoutError:
                message = "timed out"
        if message != "silent":
            context.reply(message)


async def test_ask_is_answered() -> None:
    system = ActorSystem(system_ports(), "n")
    ref = system.spawn(Echo, "echo")
    assert await ref.ask(1, timeout_s=5) == 1
    assert await ref.ask("slow", timeout_s=5) == "slow"
    assert await ref.ask("timeout", timeout_s=5) == "timed out"
    with pytest.raises(HandlerFailed):
        await ref.ask("boom", timeout_s=5)
    assert await ref.ask(2, timeout_s=5) == 2
    with pytest.raises(DeadlineExceeded):
        await ref.ask("silent", timeout_s=0.01)
    await system.stop()
    with pytest.raises(ActorStopped):
        await ref.ask(3, timeout_s=5)


class Collector(BatchActor):
    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.context: Context | None = None
        self.stops = 0

    async def receive_batch(self, context: Context, messages: Sequence[object]) -> None:
        self.context = context
        self.batches.append(list(messages))
        context.hold()

    async def stopped(self, context: Context) -> None:
        self.stops += 1


async def test_a_held_batch_actor_takes_nothing_until_released() -> None:
    system = ActorSystem(system_ports(), "n")
    collector = Collector()
    ref = system.spawn(lambda: collector, "c", options=ActorOptions(mailbox_max=10, throughput=3))
    assert all(ref.try_tell(number) for number in range(5))
    await asyncio.sleep(0.001)
    assert collector.batches == [[0, 1, 2]]
    assert ref.waiting == 2
    assert collector.context is not None
    collector.context.release()
    await asyncio.sleep(0.001)
    assert collector.batches == [[0, 1, 2], [3, 4]]
    assert [ref.try_tell(number) for number in range(11)] == [True] * 10 + [False]
    await system.stop()
    assert collector.stops == 1
    assert not ref.try_tell(1)
