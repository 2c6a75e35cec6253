"""The ports on the real world: the machine's clocks, randomness and asyncio. The only file that may touch them."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from runtime.errors import InvalidSettings
from runtime.ports import Cancellable, Fact, Handling, Ports, Report, Running

__all__ = [
    "AsyncioTasks",
    "HandlerBlocksLoop",
    "SystemClock",
    "SystemIds",
    "SystemRandomness",
    "Watchdog",
    "ignore",
    "run_to_its_end",
    "system_ports",
]

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_ID_BYTES = 16
_POOL_BYTES = 256 * _ID_BYTES
_FRAMES = 12  # So many frames of a handler that blocks are shown, the innermost.
_SAID_AGAIN = 4  # a handler that blocks on is named again when it has done so for this many times as long
_TOLD_MAX = 100  # At most so many handlers are told, the longest first.
_TOLD_COUNTS = 4  # what is told, at most each `blocked_s`, counts for so many of these: some may be late, or get lost


class _OnLoop:
    """Remembers the loop it is used on; asking asyncio each time costs a system call.

    One object serves one loop at a time: a new one is looked up when the old one was closed.
    """

    def __init__(self) -> None:
        self._known: asyncio.AbstractEventLoop | None = None

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = self._known
        if loop is None or loop.is_closed():
            loop = self._known = asyncio.get_running_loop()
        return loop


class SystemClock(_OnLoop):
    """The machine's wall clock as it was when this was made, carried on by the monotonic one: it never jumps."""

    def __init__(self) -> None:
        super().__init__()
        self._anchor_s = time.time() - time.monotonic()

    def now_s(self) -> float:
        return self._anchor_s + time.monotonic()

    def off_s(self) -> float:
        return time.time() - self.now_s()

    def set_right(self, by_s: float) -> None:
        self._anchor_s += by_s

    monotonic_s = staticmethod(time.monotonic)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._loop.call_later(delay_s, callback, *arguments)


class SystemIds:
    """Random ids, drawn from the system a few hundred at a time: one system call each would be felt."""

    def __init__(self) -> None:
        self._pool = b""
        self._next = 0

    def new_id(self) -> bytes:
        if self._next >= len(self._pool):
            self._pool, self._next = os.urandom(_POOL_BYTES), 0
        self._next += _ID_BYTES
        return self._pool[self._next - _ID_BYTES : self._next]


class SystemRandomness:
    def fraction(self) -> float:
        return random.random()


class AsyncioTasks(_OnLoop):
    """Tasks on the running loop. Keeps each task referenced until it ends, since asyncio itself does not."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        task = self._loop.create_task(coroutine, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._loop.call_soon(callback, *arguments)

    def new_future(self) -> asyncio.Future[Any]:
        return self._loop.create_future()


def run_to_its_end(main: Coroutine[Any, Any, T], on_exit: Callable[[BaseException], None], loop: LoopFactory) -> T:
    """Run a coroutine on a loop of its own until it has ended, whatever runs beside it.

    A loop is left by SystemExit and KeyboardInterrupt, which any task or callback may raise, as one that a handler has
    begun by itself. Here that is told to `on_exit`, and all goes on; whoever awaits that task gets its error.
    """
    with asyncio.Runner(loop_factory=loop) as runner:
        running = runner.get_loop()
        asyncio.set_event_loop(running)
        task = running.create_task(main)
        while True:
            try:
                return running.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt) as error:
                if task.done():
                    raise
                running.call_soon(on_exit, error)  # on the loop, as everything else that reports


def end_within(limit_s: float, code: int) -> None:
    """End this process with `code` once the time is over, whatever its loop and its other threads wait for."""
    last = threading.Timer(limit_s, os._exit, (code,))
    last.daemon = True
    last.start()


def check_open_files(least: int) -> None:
    """Refuse to begin with fewer files than the libraries need: gRPC's core ends the process when it gets none.

    A soft limit below the hard one is raised first, to `least` or as far as it may be. Raises InvalidSettings.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= least:
        return
    raised = least if hard == resource.RLIM_INFINITY else min(least, hard)
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    if raised < least:
        raise InvalidSettings(
            f"this process may open {raised} files, and needs {least} at least; raise the limit, e.g. with "
            "`ulimit -n 1024` before it is started, or LimitNOFILE= of its systemd unit"
        )


@dataclass(frozen=True, slots=True)
class HandlerBlocksLoop(Fact):
    """A handler works, or waits, without giving way: nothing else runs on its node, and its lease may run out."""

    level: ClassVar[str] = "error"
    address: str
    message: str
    id: str
    blocked_s: float
    stack: str  # innermost first
    conversation: str
    trace: str  # empty: it is not traced


class Watchdog:
    """A thread that names a handler which keeps the loop from everything else, while it does so.

    It also tells of all handlers that have run for longer than `blocked_s`, those that wait too (see `Handling.tell`).
    """

    def __init__(self, handling: Handling, report: Report, blocked_s: float) -> None:
        self._handling = handling
        self._report = report
        self._blocked_s = blocked_s
        self._watched = 0  # Id of the thread that runs the loop.
        self._steps = -1
        self._since_s = 0.0
        self._due_s = blocked_s
        self._told = False  # Whether long handlers were told, and not yet that they have ended.
        self._told_s = float("-inf")
        self._stopped = threading.Event()

    def start(self) -> None:
        """Watch the thread that calls this."""
        self._watched = threading.get_ident()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._blocked_s / 4):
            self._look(time.monotonic())

    def _look(self, now_s: float) -> None:
        self._look_at_step(now_s)
        tell, running = self._handling.tell, self._running(now_s)[:_TOLD_MAX]
        if tell is None or (now_s - self._told_s < self._blocked_s if running else not self._told):
            return
        self._told, self._told_s = bool(running), now_s
        with suppress(Exception):  # The watch goes on, whatever keeps it from telling.
            tell(running, self._blocked_s * _TOLD_COUNTS)

    def _running(self, now_s: float) -> list[Running]:
        """The handlers that have run for long, the longest first."""
        waiting = self._handling.waiting.copy()
        found = [Running(one, now_s - since_s, timeout_s) for one, since_s, timeout_s in waiting.values()]
        message, steps = self._handling.message, self._handling.steps
        if message is not None and steps == self._steps and now_s - self._since_s >= self._blocked_s:
            found = [one for one in found if one.message is not message]
            found.append(Running(message, now_s - self._since_s))
        long = [one for one in found if one.ran_s >= self._blocked_s]
        return sorted(long, key=lambda one: -one.ran_s)

    def _look_at_step(self, now_s: float) -> None:
        message, steps = self._handling.message, self._handling.steps
        if message is None or steps != self._steps:
            self._steps, self._since_s, self._due_s = steps, now_s, self._blocked_s
            return
        blocked_s = now_s - self._since_s
        frame = sys._current_frames().get(self._watched)
        if blocked_s < self._due_s or frame is None:
            return
        self._due_s *= _SAID_AGAIN
        places = [
            f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}"
            for one in reversed(traceback.extract_stack(frame)[-_FRAMES:])
        ]
        address = f"{message.kind}/{message.key}"
        stack, about = " < ".join(places), (message.conversation.hex(), self._handling.trace_of(message))
        fact = HandlerBlocksLoop(address, message.type, message.id.hex(), round(blocked_s, 3), stack, *about)
        self._report(fact)


def ignore(fact: Fact) -> None:
    """A report that goes nowhere, for tests and benches."""


def system_ports(report: Report = ignore) -> Ports:
    return Ports(
        clock=SystemClock(), ids=SystemIds(), randomness=SystemRandomness(), tasks=AsyncioTasks(), report=report
    )
