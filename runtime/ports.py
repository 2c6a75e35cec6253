"""What the runtime needs from the world: time, identity, randomness, tasks and links between nodes.

    who calls                       port              who answers
    ---------                       ----              -----------
    everything that waits           Clock             SystemClock        (testing: virtual time)
    new incarnations, sessions      Ids               SystemIds          (testing: drawn from the seed)
    jitter                          Randomness        SystemRandomness   (testing: drawn from the seed)
    everything that runs beside     Tasks             AsyncioTasks       (testing: killed with its node)
    mesh                            Transport, Link   GrpcTransport      (testing: simulated network)

The store has a port of its own in `runtime.store.port`. Nothing outside the adapters touches a clock, `uuid`,
`random` or task creation, so two nodes can live in one process, and a whole cluster in one deterministic run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from runtime.failpoints import Failpoint, no_failpoint

__all__ = [
    "Accept",
    "Cancellable",
    "Clock",
    "Fact",
    "Handling",
    "Ids",
    "Link",
    "Listener",
    "OnFailpoint",
    "Ports",
    "Randomness",
    "Report",
    "Running",
    "SteadyClock",
    "Tasks",
    "Transport",
]


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now_s(self) -> float:
        """Wall clock, seconds since 1970. May jump; use it for records, never for waiting."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, delay_s: float) -> None: ...

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable: ...


@runtime_checkable
class SteadyClock(Clock, Protocol):
    """A clock whose wall time is anchored once and does not follow what is set on the machine."""

    def off_s(self) -> float:
        """How far the machine's wall clock is ahead of `now_s`, by jumps since the start or by `set_right`."""
        ...

    def set_right(self, by_s: float) -> None:
        """Move `now_s`, before anything was judged by it."""
        ...


class Ids(Protocol):
    def new_id(self) -> bytes:
        """16 unique bytes."""
        ...


class Randomness(Protocol):
    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Tasks(Protocol):
    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run a coroutine beside the caller. The port keeps a reference, and reports an exception nobody awaits."""
        ...

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> Cancellable:
        """Run a callback in the next round of the loop."""
        ...

    def new_future(self) -> asyncio.Future[Any]:
        """Something to await until somebody gives it a result."""
        ...


class Link(Protocol):
    """One stream between two nodes. One reader and one writer at the most; neither may be cancelled while it waits."""

    async def send(self, frame: bytes) -> None:
        """Hand one encoded frame to the stream; returns when there is room for the next. Raises LinkLost."""
        ...

    async def receive(self) -> bytes | None:
        """The next encoded frame; None when the other side has ended the stream. Raises LinkLost."""
        ...

    async def close(self) -> None:
        """End the stream; a reader or writer that waits gets LinkLost. Idempotent."""
        ...


Accept = Callable[[Link], Awaitable[None]]
"""Called once per stream that is dialled to this node; the stream ends when it returns."""


class Listener(Protocol):
    @property
    def address(self) -> str:
        """host:port that peers can dial; the real port where 0 was asked for."""
        ...

    async def close(self, grace_s: float) -> None: ...


class Transport(Protocol):
    async def dial(self, address: str) -> Link:
        """Open a stream to the node at host:port. Returns at once; a failure shows as LinkLost on first use."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened and that an operator may want to know; layers report facts, `observe` shows them.

    Derive a frozen, slotted dataclass named by what happened (PeerLost, MessageParked) with the fields to show.
    """

    level: ClassVar[str] = "info"  # debug, info, warning, error


@dataclass(frozen=True, slots=True)
class Running:
    """A handler that has run for long. One that waits is cancelled after `timeout_s`; one that blocks cannot be."""

    message: Any  # its envelope
    ran_s: float
    timeout_s: float = 0.0  # 0.0: it blocks the loop


def _untraced(message: object) -> str:
    return ""


class Handling:
    """Which message the loop runs a step of a handler for, at this moment, and which handlers wait.

    A watchdog looks at it from a thread of its own. There it calls `tell` with the handlers that have run for long, and
    with the seconds for which that news counts. It calls again while there are such handlers, and once when there are
    none any more.
    """

    __slots__ = ("message", "steps", "tell", "trace_of", "waiting")

    def __init__(self) -> None:
        self.message: Any = None  # its envelope; None between two steps
        self.steps = 0  # begun so far: the same step is still running when neither has changed
        self.waiting: dict[object, tuple[Any, float, float]] = {}  # by run: envelope, monotonic start, timeout_s
        self.tell: Callable[[Sequence[Running], float], None] | None = None  # None: nobody is to know
        self.trace_of: Callable[[Any], str] = _untraced  # of an envelope whose handler runs; empty: it has none

    def begin(self, message: Any) -> None:
        self.steps += 1
        self.message = message

    def end(self) -> None:
        self.message = None


Report = Callable[[Fact], None]
"""Where a layer reports its facts to. Must neither block nor raise."""


OnFailpoint = Callable[[Failpoint], None]
"""Told that a durable boundary is reached. Returns at once in production; in a test it may never return."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that every layer is handed; the transport and the store go only to those who use them."""

    clock: Clock
    ids: Ids
    randomness: Randomness
    tasks: Tasks
    report: Report
    failpoint: OnFailpoint = no_failpoint
    handling: Handling = field(default_factory=Handling)
