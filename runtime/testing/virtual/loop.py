"""An event loop for simulations: no selector, time that jumps, and a seed that chooses what runs next.

    call_soon ──▶ ready ──the seed chooses one──▶ run        one step
    call_at   ──▶ timers ──nothing is ready: the clock jumps to the earliest──▶ ready

Every callback belongs to a process, by the context it was made in. A dead process's callbacks never run, not even a
`finally`; those of a frozen one are kept until it is thawed. So a kill hits between any two steps, as a real one does.

Threads cannot take part: executors and wake-ups from other threads are refused, and with them whatever would make a run
differ from the next one of the same seed. Only asyncio's own loop is derived from; transports, servers and signals
have no place here.
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

_INSTANT_STEPS_MAX = 200_000  # without time going on: something turns in circles
_RECENT_MAX = 12
_MASK = (1 << 64) - 1

_owner: ContextVar[Process | None] = ContextVar("owner", default=None)
_Ts = TypeVarTuple("_Ts")


class NothingLeft(Exception):
    """Somebody waits, and nothing is ready nor ever will be: a deadlock of the whole simulation."""


class Process:
    """One simulated operating system process: what runs in its context dies and freezes with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.held: list[asyncio.Handle] = []  # what became ready while it was frozen
        self._context = Context()
        self._context.run(_owner.set, self)

    @property
    def context(self) -> Context:
        """A context of this process, for one callback or task."""
        return self._context.copy()


class Killed(ProcessEnds):
    """Ends what a dead process was just doing. Not an Exception: nothing in a process survives its SIGKILL."""


def running_process() -> Process | None:
    """The one whose step this is; None outside of all."""
    return _owner.get()


def check_alive() -> None:
    """Called by whatever has an effect outside of a process. Raises Killed if the one that runs now has died.

    A process can die in the middle of a step, at a failpoint; what is left of that step must have no effect.
    """
    process = _owner.get()
    if process is not None and not process.alive:
        raise Killed


class SimLoop(asyncio.BaseEventLoop):
    """`time()` starts at 1,000 s. `steps` counts the callbacks that ran, `trace` sums up what was chosen."""

    def __init__(self, dice: Dice, order: CallbackOrder = CallbackOrder.ANY, *, steps_max: int = 10_000_000) -> None:
        super().__init__()
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
        self._instant_ends = _INSTANT_STEPS_MAX
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
        return self.call_at(self._now_s + delay, callback, *args, context=context)

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
        """As asyncio has it, but without a wake-up that would come from a thread."""
        self._asyncgens.discard(agen)  # type: ignore[attr-defined]  # of the class derived from, and not in its stubs
        self.call_soon(self._close_generator, agen)

    def _close_generator(self, agen: Any) -> None:
        self.create_task(agen.aclose())

    def _run_once(self) -> None:
        """Step after step, until something has stopped the loop."""
        queue = self._queue
        while not self._stopping:  # type: ignore[attr-defined]  # of the class derived from, and not in its stubs
            if not queue:
                self._jump()
            if self.steps >= self._next_ambush:
                self._spring()
            owner, handle = queue.pop(0) if len(queue) == 1 else self._take(queue)
            if handle._cancelled:
                continue
            if owner is not None and (owner.frozen or not owner.alive):
                if owner.alive:
                    owner.held.append(handle)
                continue
            self.steps += 1
            if self.steps > self._steps_max:
                raise NothingLeft(f"no end after {self._steps_max:,} steps")
            if self.steps > self._instant_ends:
                raise NothingLeft(f"time stands still: {_INSTANT_STEPS_MAX:,} steps at one instant")
            self._recent.append(handle)
            self.trace = (self.trace * 0x100000001B3 + len(queue)) & _MASK
            handle._run()

    # --- for the simulation ---

    def clean_up(self) -> None:
        """End it with everything that still waits, and let none of that speak up, or act, when it is cleaned away."""
        for task in asyncio.all_tasks(self):  # replay: each is only marked, whichever comes first
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio has no other word for "meant so"
        self._queue.clear()
        self._timers.clear()
        self.close()

    @property
    def last_steps(self) -> list[str]:
        """What ran last, the latest at the end: whose callback, and which."""
        return [_named(handle) for handle in self._recent]

    def at_step(self, step: int, action: Callable[[], object]) -> None:
        """Do something just before this step: in the middle of whatever goes on then."""
        self._made += 1
        heapq.heappush(self._ambushes, (step, self._made, action))
        self._next_ambush = self._ambushes[0][0]

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on with what became ready meanwhile."""
        process.frozen = False
        held, process.held = process.held, []
        for handle in held:
            self._enqueue(handle)

    def _enqueue(self, handle: asyncio.Handle) -> None:
        if self.is_closed():
            return  # a `finally` of something that is cleaned away after the end
        context: Context = handle._context  # type: ignore[attr-defined]  # an attribute that the stubs do not know
        self._queue.append((context.get(_owner), handle))

    def _jump(self) -> None:
        """To the earliest timer, and everything that is due with it."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise NothingLeft("nothing is ready, and no timer is set")
        if timers[0][0] > self._now_s:
            self._go_on_at(timers[0][0])
        while timers and timers[0][0] <= self._now_s:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._enqueue(timer)

    def _go_on_at(self, now_s: float) -> None:
        self._now_s = now_s
        self._instant_ends = self.steps + _INSTANT_STEPS_MAX

    def _spring(self) -> None:
        while self._ambushes and self._ambushes[0][0] <= self.steps:
            heapq.heappop(self._ambushes)[2]()
        self._next_ambush = self._ambushes[0][0] if self._ambushes else _MASK


def _named(handle: asyncio.Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]  # an attribute that the stubs do not know
    task = getattr(callback, "__self__", None)
    context: Context = handle._context  # type: ignore[attr-defined]  # likewise
    owner = context.get(_owner)
    what = task.get_name() if isinstance(task, asyncio.Task) else getattr(callback, "__qualname__", repr(callback))
    return f"{'outside' if owner is None else owner.name}: {what}"
