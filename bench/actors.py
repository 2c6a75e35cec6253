"""How fast actors in memory are, on this machine: `python -m bench.actors [--json]`.

tell        one sender fills a mailbox, the actor empties it; messages handled per second
ping-pong   pairs of actors send one message back and forth; messages handled per second
ask         tasks that ask and wait, one question each at a time; answers per second
idle        memory of actors that do nothing, names and instances aside
spawn       an actor made, and stopped, as durable actors come and go
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import uvloop

from runtime.actor import Actor, ActorOptions, ActorRef, ActorSystem, Context
from runtime.adapters import system_ports

MAILBOX_MAX = 10_000
TELLS = 2_000_000
PAIRS = 8
ROUND_TRIPS = 50_000
ASKERS = 64
QUESTIONS = 2_000
IDLE_ACTORS = 50_000
SPAWNS = 50_000


class Sink(Actor):
    """Counts, and tells when a burst of messages has been handled."""

    __slots__ = ("done", "left")

    def __init__(self) -> None:
        self.left = 0
        self.done: asyncio.Future[None] | None = None

    async def receive(self, context: Context, message: object) -> None:
        self.left -= 1
        if not self.left and self.done is not None:
            self.done.set_result(None)


class PingPong(Actor):
    """Returns the ball until it has been hit often enough."""

    __slots__ = ("done", "left", "other")

    def __init__(self, left: int, done: asyncio.Future[None]) -> None:
        self.left = left
        self.done = done
        self.other: ActorRef | None = None

    async def receive(self, context: Context, message: object) -> None:
        self.left -= 1
        if self.left:
            assert self.other is not None
            self.other.try_tell(message)
        elif not self.done.done():
            self.done.set_result(None)


class Oracle(Actor):
    __slots__ = ()

    async def receive(self, context: Context, message: object) -> None:
        context.reply(message)


class Idle(Actor):
    __slots__ = ()


INSTANCE_BYTES = sys.getsizeof(Idle())
"""What the user's own object takes."""


async def tell_per_s(system: ActorSystem) -> float:
    sink = Sink()
    ref = system.spawn(lambda: sink, "sink", options=ActorOptions(mailbox_max=MAILBOX_MAX))
    started_s = time.perf_counter()
    for _ in range(TELLS // MAILBOX_MAX):
        sink.left, sink.done = MAILBOX_MAX, asyncio.get_running_loop().create_future()
        for number in range(MAILBOX_MAX):
            ref.try_tell(number)
        await sink.done
    return TELLS / (time.perf_counter() - started_s)


async def ping_pong_per_s(system: ActorSystem) -> float:
    done = [asyncio.get_running_loop().create_future() for _ in range(PAIRS)]
    services = [serve(system, index, future) for index, future in enumerate(done)]
    started_s = time.perf_counter()
    for ref in services:
        ref.try_tell("ball")
    for future in done:
        await future
    return 2 * PAIRS * ROUND_TRIPS / (time.perf_counter() - started_s)


def serve(system: ActorSystem, index: int, done: asyncio.Future[None]) -> ActorRef:
    left, right = PingPong(ROUND_TRIPS, done), PingPong(ROUND_TRIPS, done)
    right.other = system.spawn(lambda: left, f"left-{index}")
    left.other = system.spawn(lambda: right, f"right-{index}")
    return right.other


async def ask_per_s(system: ActorSystem) -> float:
    ref = system.spawn(Oracle, "oracle")

    async def ask_all() -> None:
        for number in range(QUESTIONS):
            await ref.ask(number, timeout_s=30.0)

    started_s = time.perf_counter()
    await asyncio.gather(*(ask_all() for _ in range(ASKERS)))
    return ASKERS * QUESTIONS / (time.perf_counter() - started_s)


async def bytes_per_idle_actor(system: ActorSystem) -> float:
    """Of actors that have handled a message and rest again, their place in the tree included."""
    names = [f"idle-{number}" for number in range(IDLE_ACTORS)]
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for name in names:
        system.spawn(Idle, name).try_tell("wake up")
    await until_all_rest(system)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / IDLE_ACTORS - INSTANCE_BYTES


async def until_all_rest(system: ActorSystem) -> None:
    """An actor that is spawned last also gets its turn last."""
    last = system.spawn(Oracle, "last")
    await last.ask("are we there yet", timeout_s=60.0)
    last.stop()


async def spawn_and_stop_us(system: ActorSystem) -> float:
    names = [f"passing-{number}" for number in range(SPAWNS)]
    started_s = time.perf_counter()
    for name in names:
        system.spawn(Idle, name).stop()
    return (time.perf_counter() - started_s) / SPAWNS * 1e6


async def measure(what: Callable[[ActorSystem], Awaitable[float]]) -> float:
    system = ActorSystem(system_ports(), "bench")
    figure = await what(system)
    await system.stop()
    return figure


def run() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for what in (tell_per_s, ping_pong_per_s, ask_per_s, bytes_per_idle_actor, spawn_and_stop_us):
        figures[what.__name__] = round(uvloop.run(measure(what)), 1)
    figures["machine"] = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    figures["settings"] = {
        "mailbox_max": MAILBOX_MAX,
        "throughput": ActorOptions().throughput,
        "pairs": PAIRS,
        "askers": ASKERS,
        "idle_actors": IDLE_ACTORS,
        "loop": f"uvloop {version('uvloop')}",
    }
    return figures


def described(figures: dict[str, Any]) -> str:
    lines = [
        f"tell                {figures['tell_per_s']:>12,.0f} messages/s",
        f"ping-pong           {figures['ping_pong_per_s']:>12,.0f} messages/s",
        f"ask                 {figures['ask_per_s']:>12,.0f} answers/s",
        f"spawn and stop      {figures['spawn_and_stop_us']:>12,.1f} us",
        f"idle actor          {figures['bytes_per_idle_actor']:>12,.0f} bytes, its own state aside",
    ]
    lines += [
        f"{title}: {', '.join(f'{k} {v}' for k, v in figures[title].items())}" for title in ("machine", "settings")
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.actors", description="Measure actors in memory.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    figures = run()
    print(json.dumps(figures) if as_json else described(figures))


if __name__ == "__main__":
    main()
