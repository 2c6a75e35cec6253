"""An event loop for simulations: it has no selector, its time jumps, and a seed chooses what runs next.

    call_soon ──▶ ready ──the seed chooses one──▶ run        one step
    call_at   ──▶ timers ──nothing is ready: the clock jumps to the earliest──▶ ready

The context in which a callback was made says which process it belongs to. Callbacks of a dead process never run, not
even a `finally`. Those of a frozen process are kept until it is thawed. So a kill hits between any two steps, as a real
one does.

Threads cannot take part. The loop refuses executors and wake-ups from other threads, since with them two runs of one
seed would differ. It has no transports, servers or signals.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Never, TypeVarTuple

from runtime.failures import ProcessEnds
from runtime.testing.virtual.clock import START_S
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.order import CallbackOrder, Chooser

__all__ = ["Killed", "NothingLeft", "Process", "SimLoop", "check_alive", "running_process"]

_INSTANT_STEPS_MAX = 200_000  # After so many steps at one instant something turns in circles.
_RECENT_MAX = 12
_MASK = (1 << 64) - 1

_owner: ContextVar[Process | None] = ContextVar("owner", default=None)
_Ts = TypeVarTuple("_Ts")


class NothingLeft(Exception):
    """Somebody waits, but nothing is ready or ever will be: the whole simulation is in a deadlock."""


class Process:
    """One simulated process of an operating system. What runs in its context dies and freezes with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.held: list[asyncio.Handle] = []  # These callbacks became ready while it was frozen.
        self._context = Context()
        self._context.run(_owner.set, self)

    @property
    def context(self) -> Context:
        """A fresh context of this process, for one callback or task."""
        return self._context.copy()


class Killed(ProcessEnds):
    """Ends what a dead process was just doing. It is no Exception, since nothing in a process survives SIGKILL."""


def running_process() -> Process | None:
    """The process whose step this is; None outside of all processes."""
    return _owner.get()


def check_alive() -> None:
    """Raises Killed if the running process has died. Whatever acts outside of a process has to call this first.

    A process can die in the middle of a step, at a failpoint. The rest of that step must have no effect.
    """
    process = _owner.get()
    if process is not None and not process.alive:
        raise Killed


class SimLoop(asyncio.BaseEventLoop):
    """`time()` starts at 1,000 s. `steps` counts the callbacks that ran, and `trace` is a hash of all choices."""

    def __init__(self, dice: Dice, order: CallbackOrder = CallbackOrder.ANY, *, steps_max: int = 10_000_000) -> None:
        super().__init__()
        # Every handle and every future asks for it. A function in C answers faster than the method of the base class.
        self.get_debug = bool  # type: ignore[method-assign]  # it is always off, as `bool()` says
        self.steps = 0
        self.trace = 0
        self._steps_max = steps_max
        self._take = Chooser[Process | None](order, dice).take
        self._now_s = START_S
        self._queue: list[tuple[Process | None, asyncio.Handle]] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made = 0
        self._ambushes: list[tuple[int, int, Callable[[], object]]] = []
        self._next_ambush = _MASK
        self._steps_end = min(_INSTANT_STEPS_MAX, steps_max)  # No run goes on beyond this without a jump of its time.
        self._recent: deque[asyncio.Handle] = deque(maxlen=_RECENT_MAX)

    # --- what asyncio asks of a loop ---

    def time(self) -> float:
        return self._now_s

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        when = self._now_s + delay
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, timer))
        return timer

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, timer))
        return timer

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> Never:
        raise RuntimeError("a simulation has one thread: nothing may call into it from another")

    def run_in_executor(self, executor: Any, func: Callable[[*_Ts], Any], *args: *_Ts) -> Never:
        raise RuntimeError(f"a simulation has one thread: {func!r} cannot run in an executor")

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """Closes a generator as asyncio does, but without a wake-up from another thread."""
        self._asyncgens.discard(agen)  # type: ignore[attr-defined]  # the stubs lack this attribute of the base class
        self.call_soon(self._close_generator, agen)

    def _close_generator(self, agen: Any) -> None:
        self.create_task(agen.aclose())

    def _run_once(self) -> None:
        """Runs step after step, until something stops the loop."""
        queue, take, recent = self._queue, self._take, self._recent
        while not self._stopping:  # type: ignore[attr-defined]  # the stubs lack this attribute of the base class
            if not queue:
                self._jump()
            if self.steps >= self._next_ambush:
                self._spring()
            owner, handle = queue.pop() if len(queue) == 1 else take(queue)
            if handle._cancelled:
                continue
            if owner is not None and (owner.frozen or not owner.alive):
                if owner.alive:
                    owner.held.append(handle)
                continue
            self.steps += 1
            if self.steps > self._steps_end:
                raise self._endless()
            recent.append(handle)
            self.trace = (self.trace * 0x100000001B3 + len(queue)) & _MASK
            handle._run()

    # --- for the simulation ---

    def clean_up(self) -> None:
        """Ends the loop and drops all that still waits. None of it may complain or act when it is cleaned away."""
        for task in asyncio.all_tasks(self):  # replay: each task is only marked, so their order has no effect
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio has no other word for "meant so"
        self._queue.clear()
        self._timers.clear()
        self.close()

    @property
    def last_steps(self) -> list[str]:
        """The last callbacks that ran, each with its process, the latest at the end."""
        return [_named(handle) for handle in self._recent]

    def at_step(self, step: int, action: Callable[[], object]) -> None:
        """Acts just before this step, in the middle of whatever goes on then."""
        self._made += 1
        heapq.heappush(self._ambushes, (step, self._made, action))
        self._next_ambush = self._ambushes[0][0]

    def thaw(self, process: Process) -> None:
        """Lets a frozen process go on with what became ready meanwhile."""
        process.frozen = False
        held, process.held = process.held, []
        for handle in held:
            self._enqueue(handle)

    def _enqueue(self, handle: asyncio.Handle) -> None:
        if not self._closed:  # type: ignore[attr-defined]  # After the end, a `finally` may run while it is cleaned away.
            self._queue.append((handle._context.get(_owner), handle))  # type: ignore[attr-defined]  # likewise

    def _jump(self) -> None:
        """Jumps to the earliest timer, and makes everything ready that is due then."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise NothingLeft("nothing is ready, and no timer is set")
        if timers[0][0] > self._now_s:
            self._go_on_at(timers[0][0])
        now_s = self._now_s
        while timers and timers[0][0] <= now_s:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._enqueue(timer)

    def _go_on_at(self, now_s: float) -> None:
        self._now_s = now_s
        self._steps_end = min(self.steps + _INSTANT_STEPS_MAX, self._steps_max)

    def _endless(self) -> NothingLeft:
        if self.steps > self._steps_max:
            return NothingLeft(f"no end after {self._steps_max:,} steps")
        return NothingLeft(f"time stands still: {_INSTANT_STEPS_MAX:,} steps at one instant")

    def _spring(self) -> None:
        while self._ambushes and self._ambushes[0][0] <= self.steps:
            heapq.heappop(self._ambushes)[2]()
        self._next_ambush = self._ambushes[0][0] if self._ambushes else _MASK


def _named(handle: asyncio.Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]  # the stubs lack this attribute
    task = getattr(callback, "__self__", None)
    context: Context = handle._context  # type: ignore[attr-defined]  # likewise
    owner = context.get(_owner)
    what = task.get_name() if isinstance(task, asyncio.Task) else getattr(callback, "__qualname__", repr(callback))
    return f"{'outside' if owner is None else owner.name}: {what}"
