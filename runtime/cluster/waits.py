"""Long waits of a starting node are reported, so that an operator knows what to end or to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Cancellable, Fact, Ports

__all__ = ["StartWaits", "said_if_long"]

_LONG_S = 1.0
_RARER = 2.0  # The pause before the next report grows by this factor.


@dataclass(frozen=True, slots=True)
class StartWaits(Fact):
    """The node has not started yet; SIGTERM ends it while it waits."""

    level: ClassVar[str] = "warning"
    waits_for: str
    since_s: float


@contextmanager
def said_if_long(ports: Ports, waits_for: str) -> Iterator[None]:
    """Reports after a second what is waited for in here, and again after 2, 4, 8 more."""
    timer: Cancellable

    def say(since_s: float, next_s: float) -> None:
        nonlocal timer
        ports.report(StartWaits(waits_for, since_s))
        timer = ports.clock.call_later(next_s, say, since_s + next_s, next_s * _RARER)

    timer = ports.clock.call_later(_LONG_S, say, _LONG_S, _LONG_S * _RARER)
    try:
        yield
    finally:
        timer.cancel()
