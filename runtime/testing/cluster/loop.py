"""The loop of a test's cluster: the simulator's, but first come, first served, and patient with real stores.

    nothing is ready ──▶ a store's thread works for a node that lives? wait for it; the clock stands still
                     ──▶ otherwise the clock jumps to the next timer

So a test of minutes takes milliseconds in memory, and as long as its disk needs on a file.
"""

from __future__ import annotations

import asyncio
import heapq
import inspect
import math
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, TypeVarTuple, cast

from runtime.store.port import Store
from runtime.testing.virtual.clock import VirtualClock, wake_sleeper
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import NothingLeft, Process, SimLoop
from runtime.testing.virtual.order import CallbackOrder

__all__ = ["ClusterLoop", "waited_for"]

_THREAD_S = 60.0  # A store that is silent for so long counts as hung.

_LASTING = ("failed",)  # These calls last as long as the store: time goes on meanwhile.

_Ts = TypeVarTuple("_Ts")


class ClusterLoop(SimLoop):
    """The loop of one cluster or several. Threads of stores may call into it."""

    def __init__(self) -> None:
        super().__init__(Dice(0), CallbackOrder.PLAIN, steps_max=sys.maxsize)
        self._arrived: SimpleQueue[asyncio.Handle] = SimpleQueue()
        self._waiting: dict[object, Process | None] = {}  # Calls that wait for a thread, and for whom.

    def call_soon_threadsafe(  # type: ignore[override]  # what a simulation refuses, a test with a real store needs
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self.is_closed():
            raise RuntimeError("the loop is closed")
        handle = asyncio.Handle(callback, args, self, context)
        self._arrived.put(handle)
        return handle

    @contextmanager
    def waiting(self, process: Process | None) -> Iterator[None]:
        """Has virtual time stand still while this lasts, unless the process dies or is frozen."""
        call = object()
        self._waiting[call] = process
        try:
            yield
        finally:
            self._waiting.pop(call, None)

    # --- leaps ---

    @property
    def is_idle(self) -> bool:
        """Says whether nothing is ready beside what runs now, and no thread works."""
        return not (self._queue or self._waiting) and self._arrived.empty()

    def next_beside(self, rounds: Collection[str]) -> float:
        """The earliest instant at which anything but these rounds wants to run; see `leap`."""
        waiting = (when for when, _, timer in self._timers if not timer._cancelled and _who(timer) not in rounds)
        return min(waiting, default=math.inf)

    def leap(self, to_s: float, rounds: Collection[str]) -> None:
        """Moves on to a later instant. There `rounds` have to wait as long as they have here.

        A round is named by the coroutine of a task that sleeps, or else by the callback that a timer has.
        """
        by_s = to_s - self._now_s
        put_off = [(when + by_s if _who(one) in rounds else when, made, one) for when, made, one in self._timers]
        heapq.heapify(put_off)
        self._timers[:] = put_off
        self._go_on_at(to_s)

    def _jump(self) -> None:
        if not self._take_arrived():
            super()._jump()

    def _take_arrived(self) -> bool:
        """Takes a callback from a thread, and waits for one if somebody has to."""
        patient = any(owner is None or (owner.alive and not owner.frozen) for owner in self._waiting.values())
        try:
            self._enqueue(self._arrived.get(block=patient, timeout=_THREAD_S))
        except Empty:
            if patient:
                raise NothingLeft(f"a store's thread has not answered for {_THREAD_S:g} s") from None
            return False
        return True


def _who(timer: asyncio.TimerHandle) -> str:
    """The qualified name of what a timer wakes: the coroutine that sleeps, or the callback."""
    callback, arguments = timer._callback, timer._args  # type: ignore[attr-defined]  # the stubs do not know them
    if callback is wake_sleeper:
        for waiter, _ in arguments[0]._callbacks or ():
            task = getattr(waiter, "__self__", None)
            if isinstance(task, asyncio.Task):
                return _sleeping(task.get_coro())
    return str(getattr(callback, "__qualname__", ""))


def _sleeping(coroutine: Any) -> str:
    """The innermost coroutine, except the clock's own."""
    inner = getattr(coroutine, "cr_await", None)
    while inspect.iscoroutine(inner) and inner.cr_code is not VirtualClock.sleep.__code__:
        coroutine, inner = inner, inner.cr_await
    return str(coroutine.__qualname__)


class _WaitedFor:
    """A store during whose calls virtual time stands still, except calls that last."""

    def __init__(self, store: Store, loop: ClusterLoop, process: Process | None) -> None:
        self._store = store
        self._loop = loop
        self._process = process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not inspect.iscoroutinefunction(found) or name in _LASTING:
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            with self._loop.waiting(self._process):
                return await found(*arguments, **named)

        return call


def waited_for(store: Store, loop: ClusterLoop, process: Process | None) -> Store:
    """The same store. The loop waits for its threads on behalf of a process, or of nobody in particular."""
    return cast("Store", _WaitedFor(store, loop, process))
