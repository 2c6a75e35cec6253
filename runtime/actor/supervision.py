"""What happens when an actor fails or ends: rules as records, decisions as pure functions. Acts are in `lifecycle`.

The rules are those of Erlang/OTP's `supervisor`: a supervisor has a strategy and a restart intensity for its children,
a child has a restart type. See https://www.erlang.org/doc/system/sup_princ.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from runtime.backoff import Backoff
from runtime.errors import AmendsError, InvalidSettings
from runtime.ports import Fact

__all__ = [
    "DEFAULT_OPTIONS",
    "ActorFailed",
    "ActorOptions",
    "ActorRestarted",
    "HandlerCut",
    "HookFailed",
    "Restart",
    "RestartsExhausted",
    "Strategy",
    "Supervision",
    "SystemFailed",
    "affected",
    "is_restarted",
    "recent",
]


class Restart(Enum):
    """When a child that has ended is started again. A child that was stopped by order never is."""

    PERMANENT = "permanent"  # always, also after `context.exit()`
    TRANSIENT = "transient"  # after a failure only
    TEMPORARY = "temporary"  # never


class Strategy(Enum):
    """Which children are restarted with the one that failed."""

    ONE_FOR_ONE = "one for one"
    ONE_FOR_ALL = "one for all"
    REST_FOR_ONE = "rest for one"  # and all that were spawned after it


@dataclass(frozen=True, slots=True)
class Supervision:
    """How an actor supervises its children: `restarts_max` restarts within `window_s`, then it fails itself.

    With the defaults the fourth failure within 5 s escalates to the parent.
    """

    strategy: Strategy = Strategy.ONE_FOR_ONE
    restarts_max: int = 3
    window_s: float = 5.0
    backoff: Backoff | None = None  # None: restart at once

    def __post_init__(self) -> None:
        if self.restarts_max < 0 or self.window_s <= 0:
            raise InvalidSettings(f"no restart intensity can be held with {self}")


@dataclass(frozen=True, slots=True)
class ActorOptions:
    """How one actor is run; share one object between many actors."""

    mailbox_max: int = 1000  # messages that wait; more are refused
    throughput: int = 64  # messages handled before other actors get a turn; the size of a batch
    stash_max: int = 1000
    timers_max: int = 1000
    restart: Restart = Restart.PERMANENT
    supervision: Supervision = field(default_factory=Supervision)
    shutdown_s: float = 5.0  # how long an order to stop or restart waits for a suspended handler, then cancels it

    def __post_init__(self) -> None:
        if (
            self.mailbox_max < 1
            or self.throughput < 1
            or min(self.stash_max, self.timers_max) < 0
            or self.shutdown_s < 0
        ):
            raise InvalidSettings(f"an actor cannot be run with {self}")


DEFAULT_OPTIONS = ActorOptions()


class RestartsExhausted(AmendsError):
    """A supervisor's children failed more often than it may restart them; the last failure is the cause."""


@dataclass(frozen=True, slots=True)
class ActorFailed(Fact):
    """A handler or a start-up hook raised."""

    level: ClassVar[str] = "warning"
    path: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class ActorRestarted(Fact):
    """A new instance takes over the mailbox."""

    path: str


@dataclass(frozen=True, slots=True)
class HandlerCut(Fact):
    """A handler or hook was cancelled, since its actor had to end and it had not ended by itself in time."""

    level: ClassVar[str] = "warning"
    path: str
    shutdown_s: float


@dataclass(frozen=True, slots=True)
class HookFailed(Fact):
    """`stopped`, or a subscriber of the event stream, raised. Nothing depends on it, so nothing was restarted."""

    level: ClassVar[str] = "warning"
    path: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class SystemFailed(Fact):
    """A failure has escalated past the top: the whole actor system stops."""

    level: ClassVar[str] = "error"
    system: str
    error: BaseException


def is_restarted(restart: Restart, *, failed: bool) -> bool:
    return restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and failed)


def affected(strategy: Strategy, names: Sequence[str], failed: str) -> Sequence[str]:
    """Who is restarted, of the children's names in the order they were spawned."""
    if strategy is Strategy.ONE_FOR_ALL:
        return names
    if strategy is Strategy.REST_FOR_ONE:
        return names[list(names).index(failed) :]
    return (failed,)


def recent(restarts_s: Sequence[float], *, now_s: float, window_s: float) -> list[float]:
    """The instants that still count against the intensity."""
    return [at_s for at_s in restarts_s if at_s > now_s - window_s]
