"""The ports of one simulated process: a clock, ids, randomness and tasks of its own, all drawn from the seed.

The tasks and timers of a killed process end with it, since the loop runs nothing of a dead process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

from runtime.failpoints import no_failpoint
from runtime.ports import Cancellable, OnFailpoint, Ports, Report
from runtime.testing.virtual.clock import EPOCH_S, VirtualClock
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Process, SimLoop

__all__ = ["SimClock", "SimTasks", "SteadySimClock", "machine_ports"]

_TASKS_MAX = 100


class SimClock(VirtualClock):
    """A clock that may be wrong. `jump` moves the wall clock; `drift` has both clocks run fast or slow."""

    def __init__(self, loop: SimLoop, process: Process | None = None) -> None:
        super().__init__(loop)
        self._process = process
        self._rate = 1.0
        self._turned_at_s = loop.time()  # The loop's time when the rate was last set.
        self._shown_s = loop.time()  # What this clock showed then.

    def monotonic_s(self) -> float:
        return self._shown_s + (self._loop.time() - self._turned_at_s) * self._rate

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        context = None if self._process is None else self._process.context
        return self._loop.call_later(max(0.0, delay_s) / self._rate, callback, *arguments, context=context)

    def jump(self, by_s: float) -> None:
        """Sets the wall clock forward or back."""
        self.offset_s += by_s

    def drift(self, rate: float) -> None:
        """From now on a second of this clock takes 1/rate seconds."""
        self._shown_s, self._turned_at_s = self.monotonic_s(), self._loop.time()
        self._rate = rate

    @property
    def wrong_by_s(self) -> float:
        """How far the wall clock is ahead of the true one."""
        return self.now_s() - self._loop.time() - EPOCH_S


class SteadySimClock(SimClock):
    """The clock of a process: it reads its machine's once, at the start. Later `jump` moves the machine's alone."""

    def __init__(self, loop: SimLoop, process: Process | None = None) -> None:
        super().__init__(loop, process)
        self._machine_s = self.offset_s

    def begin_wrong(self, by_s: float) -> None:
        """Sets the machine's clock wrong before the process reads it, so both are wrong."""
        self.offset_s += by_s
        self._machine_s = self.offset_s

    def off_s(self) -> float:
        return self._machine_s - self.offset_s

    def set_right(self, by_s: float) -> None:
        self.offset_s += by_s

    def jump(self, by_s: float) -> None:
        self._machine_s += by_s

    def heal(self) -> None:
        """Sets both clocks right, and their rate too."""
        self.drift(1.0)
        self.offset_s -= self.wrong_by_s
        self._machine_s = self.offset_s


class SimTasks:
    """Tasks of one process, or of the world outside. It refers to each task until it ends; those of the dead never end.

    Ended tasks are dropped now and then. A callback for each end would be one more step of the run.
    """

    def __init__(self, loop: SimLoop, process: Process | None = None) -> None:
        self._loop = loop
        self._process = process
        self._running: list[asyncio.Task[Any]] = []
        self._look_at = _TASKS_MAX

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        context = None if self._process is None else self._process.context
        task = self._loop.create_task(coroutine, name=name, context=context)
        self._running.append(task)
        if len(self._running) >= self._look_at:
            self._running = [one for one in self._running if not one.done()]
            self._look_at = len(self._running) + _TASKS_MAX
        return task

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> Cancellable:
        context = None if self._process is None else self._process.context
        return self._loop.call_soon(callback, *arguments, context=context)

    def clean_up(self) -> None:
        """Closes the tasks of a dead process, and has the loop forget them.

        Some tasks run a `finally`. What would act outside raises Killed there, and so has no effect.
        """
        while self._running:  # Closing a task may start another: an actor is restarted, say.
            running, self._running = self._running, []
            for task in running:
                if not task.done():
                    self._close(task)

    def _close(self, task: asyncio.Task[Any]) -> None:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio has no public way to say so
        asyncio.tasks._unregister_task(task)
        with suppress(BaseException):
            self._context().run(task.get_coro().close)

    def _context(self) -> Context:
        return Context() if self._process is None else self._process.context

    def new_future(self) -> asyncio.Future[Any]:
        return self._loop.create_future()


def machine_ports(
    loop: SimLoop, process: Process | None, dice: Dice, report: Report, failpoint: OnFailpoint = no_failpoint
) -> Ports:
    """Ports for one process. Without a process they are for the world outside."""
    return Ports(
        clock=SimClock(loop) if process is None else SteadySimClock(loop, process),
        ids=dice.untaped("ids"),
        randomness=dice.named("randomness"),
        tasks=SimTasks(loop, process),
        report=report,
        failpoint=failpoint,
    )
