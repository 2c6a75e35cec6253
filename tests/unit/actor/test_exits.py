"""What ends a process elsewhere is in an actor a failure like any other, for its supervisor to decide about."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from runtime.actor.actor import Actor
from runtime.actor.context import Context
from runtime.actor.supervision import ActorFailed
from runtime.actor.system import ActorSystem
from runtime.adapters import system_ports
from runtime.ports import Fact

EXITS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseException("odd")]


class Exits(Actor):
    """Raises in one of its hooks or its handler, the first time."""

    def __init__(self, error: BaseException, where: str, done: list[str]) -> None:
        self.error = error
        self.where = where
        self.done = done

    def _raise(self, where: str) -> None:
        if where == self.where and where not in self.done:
            self.done.append(where)
            raise self.error

    async def started(self, context: Context) -> None:
        self._raise("started")

    async def receive(self, context: Context, message: object) -> None:
        self._raise("receive")
        context.reply(message)

    async def stopped(self, context: Context) -> None:
        self._raise("stopped")


@pytest.mark.parametrize("error", EXITS)
@pytest.mark.parametrize("where", ["started", "receive", "stopped"])
async def test_an_exit_in_an_actor_is_a_failure_that_is_supervised(error: BaseException, where: str) -> None:
    facts: list[Fact] = []
    system = ActorSystem(system_ports(facts.append), name="test")
    done: list[str] = []
    ref = system.spawn(lambda: Exits(error, where, done), "exits")
    if where == "receive":
        assert ref.try_tell("first")
    assert await ref.ask("again", timeout_s=10) == "again"
    await system.stop()
    assert done == [where]
    assert where == "stopped" or [one.error for one in facts if isinstance(one, ActorFailed)] == [error]


@pytest.mark.parametrize("error", EXITS)
async def test_an_exit_in_a_factory_at_a_restart_is_a_failure_that_is_supervised(error: BaseException) -> None:
    system = ActorSystem(system_ports(), name="test")
    made: list[int] = []

    def make() -> Exits:
        made.append(1)
        if len(made) == 2:
            raise error
        return Exits(SystemExit(1), "receive" if len(made) == 1 else "", [])

    ref = system.spawn(make, "exits")
    assert ref.try_tell("fall")
    assert await ref.ask("again", timeout_s=10) == "again"
    assert len(made) == 3
    await system.stop()


_SKIN: contextvars.ContextVar[str] = contextvars.ContextVar("skin", default="clean")


class Marked(Actor):
    """Answers with what it finds in the context, and leaves something there, in its hook too."""

    async def started(self, context: Context) -> None:
        _SKIN.set("started")

    async def receive(self, context: Context, message: object) -> None:
        found = _SKIN.get()
        _SKIN.set("received")
        if message == "waits":
            await asyncio.sleep(0.01)
        context.reply(found)


async def test_what_an_actor_sets_in_its_context_is_not_seen_by_the_next() -> None:
    system = ActorSystem(system_ports(), name="test")
    actors = [system.spawn(Marked, name) for name in ("one", "two", "three")]
    found = await asyncio.gather(*(one.ask(what, timeout_s=10) for one in actors for what in ("quick", "waits")))
    assert "started" not in found
    assert found[::2] == ["clean"] * 3
    await system.stop()
