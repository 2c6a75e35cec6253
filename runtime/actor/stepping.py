"""Who runs the actors: one task that leads, and a successor when a handler keeps it waiting (leader/followers).

    mailbox ──schedule──▶ ready ──▶ leader: cell.run, cell.run, ... ──▶ pause ──▶ ...
                                      │ a handler really suspends
                                      ▼
                          that task stays with the handler; the next round is led by another

An actor has no task of its own. The leading task awaits each handler directly, which costs a plain call as long as the
handler does not suspend. Each round first asks the loop to call `_overtake`: if the leader is still inside a handler by
then, that handler has suspended, its task is now the handler's alone, and a new leader is made when there is work. So
a handler runs in one real task from its first line to its last: `asyncio.timeout`, `TaskGroup`, context variables and
cancellation work in it as everywhere, whether it suspends or not. The pattern is Schmidt's leader/followers.

Context variables that an actor sets are not seen by the next: see `apart`, and `runtime.durable.turn.invocation`.
"""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections import deque
from collections.abc import Generator
from typing import Any, Protocol

from runtime.ports import Clock, Tasks

__all__ = ["ROUND_MAX", "Dispatcher", "Runnable"]

ROUND_MAX = 256
"""Messages handled before the loop gets a turn: reads, writes and timers wait for no more than these."""

_ROUND_S = 0.01
"""Or as long as this, and what the message in hand then still takes."""

_REVIVAL_S = 0.05
"""When a task was cancelled from outside, another takes over after this pause: a loop that is being closed cancels all
tasks, and must not be given new ones meanwhile."""


class Runnable(Protocol):
    async def run(self, budget: int) -> int:
        """Handle up to `budget` messages; gives how many. Goes to the end of `ready` by itself when more wait."""
        ...

    def left_behind(self, task: asyncio.Task[Any]) -> None:
        """The handler that runs has suspended; it goes on in `task`, which is now this cell's alone."""
        ...


@types.coroutine
def _pause() -> Generator[None, None, None]:
    """Let the loop run everything else that is ready, once."""
    yield


class Dispatcher:
    """The queue of cells that have something to do, and the task that works it off.

    `ready` holds a cell at most once, so it is bounded by the number of actors.
    """

    __slots__ = ("_bed", "_clean", "_clock", "_closed", "_idle", "_leader", "_name", "_running", "_tasks", "ready")

    def __init__(self, tasks: Tasks, clock: Clock, name: str) -> None:
        self.ready: deque[Runnable] = deque()
        self._tasks = tasks
        self._clock = clock
        self._name = name
        self._clean = contextvars.copy_context()  # leaders start from it, not from whoever happened to wake them
        self._leader: asyncio.Task[Any] | None = None
        self._running: Runnable | None = None
        self._bed: asyncio.Future[None] | None = None  # where an idle leader waits
        self._idle = True
        self._closed = False

    def schedule(self, cell: Runnable) -> None:
        self.ready.append(cell)
        if self._idle:
            self._rouse()

    async def close(self) -> None:
        """End the leader. Cells that are still ready are not run any more."""
        self._closed = True
        leader = self._leader
        if leader is None or leader is asyncio.current_task():
            return
        self._rouse()
        await leader

    def _rouse(self) -> None:
        self._idle = False
        bed, self._bed = self._bed, None
        if bed is not None and not bed.done():
            bed.set_result(None)
        elif self._leader is None and not self._closed:
            self._leader = self._clean.copy().run(self._start)

    def _start(self) -> asyncio.Task[Any]:
        return self._tasks.start(self._lead(), name=f"{self._name}: actors")

    async def _lead(self) -> None:
        me = asyncio.current_task()
        try:
            while self._leader is me and not self._closed:
                if not self.ready:
                    await self._sleep()
                self._tasks.call_soon(self._overtake)
                await self._round(me)
        except asyncio.CancelledError:
            self._clock.call_later(_REVIVAL_S, self._revive)
            raise
        finally:
            if self._leader is me:
                self._leader, self._running, self._bed, self._idle = None, None, None, True

    def _revive(self) -> None:
        if self.ready and self._idle:
            self._rouse()

    async def _sleep(self) -> None:
        self._idle = True
        self._bed = self._tasks.new_future()
        await self._bed

    async def _round(self, me: asyncio.Task[Any] | None) -> None:
        ready = self.ready
        budget = ROUND_MAX
        until_s = self._clock.monotonic_s() + _ROUND_S
        while ready and budget > 0:
            cell = ready.popleft()
            self._running = cell
            budget -= 1 + await cell.run(budget)
            if self._leader is not me:
                if self._leader is None:  # nobody needed to lead meanwhile, so this task takes it up again
                    self._leader, self._idle = me, False
                return
            self._running = None
            if self._clock.monotonic_s() >= until_s:
                break
        if ready:
            await _pause()

    def _overtake(self) -> None:
        cell, leader = self._running, self._leader
        if cell is None or leader is None:
            return
        self._running, self._leader, self._idle = None, None, True
        cell.left_behind(leader)
        if self.ready:
            self._rouse()
