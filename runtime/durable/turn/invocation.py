"""One run of one handler: in a context of its own, for a bounded time, and whatever it raises is only its failure.

    Turn ──Behaviour.handle(...)──▶ invoke ──step by step──▶ the handler
                         │ a step runs        Ports.handling says whose: a watchdog sees it if it does not end
                         │ it waits           after `timeout_s` it is cancelled, and abandoned if it waits on;
                         │                    Ports.handling has it until it ends
                         └─ it raises         an Exception goes on as it is; anything else that was not ordered
                                              (SystemExit, KeyboardInterrupt, ...) as HandlerQuit

The handler's coroutine is stepped in the task of the turn, since a task of its own would cost more than most handlers,
and would let a SystemExit through to the loop.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from runtime.envelope import Envelope, address_of
from runtime.errors import HandlerQuit, HandlerTimedOut
from runtime.failures import text_of, was_ordered
from runtime.ports import Cancellable, Clock, Handling, Ports

__all__ = ["HandlerWaits", "invoke"]

T = TypeVar("T")

_OWN = "it has cancelled its own task"
_GRACE_MAX_S = 5.0  # A cancelled handler has so long for its `finally`.


class HandlerWaits(Exception):
    """A handler was to end at once, and waits. Nobody but a chain hears of it."""


async def invoke(
    steps: Coroutine[Any, Any, T],
    envelope: Envelope,
    ports: Ports,
    timeout_s: float,
    *,
    task: asyncio.Task[Any] | None = None,
    may_wait: bool = True,
) -> T:
    """What the handler decides over a message. `steps` is its coroutine, which has not begun.

    `task` is the one that runs; who knows it saves asking for it.
    Raises what the handler raises, HandlerQuit, HandlerTimedOut, or an order to end. One that waits and may not is
    closed, and HandlerWaits is raised.
    """
    context, handling = copy_context(), ports.handling
    handling.steps += 1
    handling.message = envelope
    if task is None:
        task = cast(asyncio.Task[Any], asyncio.current_task())
    orders = task.cancelling()
    try:
        awaited = context.run(steps.send, None)
    except StopIteration as ended:  # Most handlers end here: they wait for nothing.
        if task.cancelling() > orders:
            handling.message = None
            await _absorb(task, orders)
            _check_quit(asyncio.CancelledError(_OWN))
        decision: T = ended.value
        return decision
    except BaseException as error:
        if task.cancelling() > orders:
            handling.message = None
            await _absorb(task, orders)
        _check_quit(error)
        raise
    finally:
        handling.message = None
    if not may_wait:
        context.run(steps.close)
        raise HandlerWaits(f"the handler of {envelope.type} waits for something")
    run = _HandlerTime(ports.clock, timeout_s, handling, envelope)
    return await _wait_for(run, context, steps, awaited, task.cancelling() - orders)


async def _wait_for(run: _HandlerTime, context: Context, steps: Coroutine[Any, Any, T], awaited: Any, own: int) -> T:
    """The rest of a handler that waits for something, and has cancelled its own task `own` times before."""
    try:
        decision = await _drive(run, context, steps, awaited, own)
    except BaseException as error:
        run.end()
        if run.closed:
            raise
        if run.strikes and not _is_order(error):
            raise run.timed_out().with_traceback(error.__traceback__) from error
        _check_quit(error)
        raise
    run.end()
    if run.strikes:
        raise run.timed_out()
    return decision


def _is_order(error: BaseException) -> bool:
    return was_ordered(error) and not isinstance(error, GeneratorExit)


def _check_quit(error: BaseException) -> None:
    """Raises HandlerQuit for what is neither a failure nor an order."""
    if isinstance(error, Exception) or _is_order(error):
        return
    raise HandlerQuit(
        f"the handler raised {text_of(error)}; that ends no node, and counts as a failed run"
    ).with_traceback(error.__traceback__) from error


def _take_back(task: asyncio.Task[Any], own: int) -> None:
    """What a step of a handler has cancelled of its own task is no order to it: the task counts as it did before."""
    for _ in range(own):
        task.uncancel()


@types.coroutine
def _absorb(task: asyncio.Task[Any], orders: int) -> Generator[None, None, None]:
    """Take the cancellation by which a handler that has ended would interrupt what its task does next."""
    _take_back(task, task.cancelling() - orders)
    try:
        yield
    except asyncio.CancelledError:
        if task.cancelling() > orders:  # An order to end came meanwhile.
            raise


class _HandlerTime:
    """The time that a handler has, from its first wait on. A handler that never waits has no such object."""

    __slots__ = ("_clock", "_handle", "_task", "_timeout_s", "closed", "envelope", "handling", "strikes")

    def __init__(self, clock: Clock, timeout_s: float, handling: Handling, envelope: Envelope) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self.handling = handling
        self.envelope = envelope
        self._handle: Cancellable | None = None
        self._task: asyncio.Task[Any] | None = None
        self.strikes = 0
        self.closed = False  # The coroutine was thrown away with its loop.

    def task(self) -> asyncio.Task[Any]:
        assert self._task is not None, "it waits"
        return self._task

    def waits(self) -> None:
        if self._handle is None:
            self._task = asyncio.current_task()
            self._handle = self._clock.call_later(self._timeout_s, self._strike)
            self.handling.waiting[self] = (self.envelope, self._clock.monotonic_s(), self._timeout_s)

    def _strike(self) -> None:
        assert self._task is not None
        self.strikes += 1
        self._handle = self._clock.call_later(min(self._timeout_s, _GRACE_MAX_S), self._strike)
        self._task.cancel()

    def timed_out(self) -> HandlerTimedOut:
        envelope = self.envelope
        return HandlerTimedOut(
            f"the handler of {envelope.type} for {address_of(*envelope.address)} took longer than "
            f"handler_timeout_s={self._timeout_s:g} over message {envelope.id.hex()}, and was cancelled"
        )

    def end(self) -> None:
        """The handler has ended. Its task goes on as if it had not been cancelled."""
        if self._handle is not None:
            self._handle.cancel()
            self.handling.waiting.pop(self, None)
        if self._task is not None:
            for _ in range(self.strikes):
                self._task.uncancel()


@types.coroutine
def _drive(
    run: _HandlerTime, context: Context, steps: Coroutine[Any, Any, T], awaited: Any, own: int
) -> Generator[Any, Any, T]:
    """Step through a handler that waits as `await` does, each step in the handler's own context.

    What a step cancels of its own task is taken back once the handler has met it: since Python 3.13, to take it back
    earlier is to call it off.
    """
    envelope, handling = run.envelope, run.handling
    while True:
        run.waits()
        resume: Any = steps.send
        try:
            value = yield awaited
        except GeneratorExit:
            run.closed = True
            context.run(steps.close)
            raise
        except BaseException as error:
            if run.strikes > 1:  # The handler was cancelled, and has waited on all the same.
                _take_back(run.task(), own)
                context.run(steps.close)
                raise
            resume, value = steps.throw, error
        handling.begin(envelope)
        task = run.task()
        _take_back(task, own)
        orders = task.cancelling()
        try:
            awaited = context.run(resume, value)
        except BaseException as error:
            handling.end()
            if task.cancelling() > orders:
                yield from _absorb(task, orders)
                if isinstance(error, StopIteration):
                    raise asyncio.CancelledError(_OWN) from None
            if not isinstance(error, StopIteration):
                raise
            decision: T = error.value
            return decision
        handling.end()
        own = task.cancelling() - orders
