"""A system in virtual time, and actors that write down what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from runtime.actor.actor import Actor, BatchActor
from runtime.actor.context import Context
from runtime.actor.ref import ActorRef
from runtime.actor.supervision import ActorOptions, Supervision
from runtime.actor.system import ActorSystem
from runtime.adapters import AsyncioTasks
from runtime.ports import Fact, Ports
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice


class Boom(Exception):
    """What actors fail with when they are told so."""


@dataclass(frozen=True)
class Do:
    """A message that carries what to do with the context."""

    act: Callable[[Context], object]


@dataclass(frozen=True)
class AwaitCall:
    """A message whose handler awaits something."""

    what: Callable[[], Awaitable[object]]


BOOM = "boom"


async def act_on(context: Context, message: object) -> None:
    if message == BOOM:
        raise Boom
    if isinstance(message, Do):
        message.act(context)
    if isinstance(message, AwaitCall):
        await message.what()


class Noting(Actor):
    """Writes `name+` when it starts, `name-` when it stops, and `name message` for each message."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def started(self, context: Context) -> None:
        self.log.append(f"{context.self.name}+")

    async def receive(self, context: Context, message: object) -> None:
        if isinstance(message, str | int | None):
            self.log.append(f"{context.self.name} {message}")
        await act_on(context, message)

    async def stopped(self, context: Context) -> None:
        self.log.append(f"{context.self.name}-")


class NotingBatches(BatchActor):
    """Writes down each batch as it came."""

    def __init__(self, batches: list[list[object]]) -> None:
        self.batches = batches

    async def receive_batch(self, context: Context, messages: Sequence[object]) -> None:
        self.batches.append([message for message in messages if not isinstance(message, Do | AwaitCall)])
        for message in messages:
            await act_on(context, message)


class Stage:
    def __init__(self, *, supervision: Supervision | None = None, name: str = "stage") -> None:
        self.log: list[str] = []
        self.facts: list[Fact] = []
        self.failures: list[BaseException] = []
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.ports = Ports(self.clock, Dice(1, "ids"), Dice(1, "randomness"), AsyncioTasks(), self.facts.append)
        self.system = ActorSystem(
            self.ports,
            name,
            supervision=supervision or Supervision(restarts_max=100),
            on_failure=self.failures.append,
        )

    def spawn(self, name: str, options: ActorOptions | None = None, *, under: Context | None = None) -> ActorRef:
        place = under or self.system
        return place.spawn(lambda: Noting(self.log), name, options=options or ActorOptions())

    async def quiet(self) -> None:
        """Virtual time goes on only when nothing is ready to run."""
        await self.pass_s(0.001)

    async def pass_s(self, delay_s: float) -> None:
        await self.clock.sleep(delay_s)

    async def inside(self, ref: ActorRef) -> Context:
        """The context of an actor that understands `Do`."""
        found: list[Context] = []
        await ref.tell(Do(found.append))
        await self.quiet()
        return found[0]

    def taken(self) -> list[str]:
        """What was written since the last look."""
        taken = list(self.log)
        self.log.clear()
        return taken
