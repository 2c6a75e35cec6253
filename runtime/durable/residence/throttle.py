"""A kind that keeps failing is slowed to one probe at a time, and recovers by itself after one success.

The idea is the circuit breaker (Nygard, Release It!), with the store as the queue behind the open circuit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact, Ports

__all__ = ["KindRecovered", "KindThrottled", "Throttle"]


@dataclass(frozen=True, slots=True)
class KindThrottled(Fact):
    level: ClassVar[str] = "error"
    kind: str
    failures: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class KindRecovered(Fact):
    kind: str


class Throttle:
    """Counts failed turns in a row of one kind; past the limit it lets one message through per pause."""

    def __init__(self, kind: str, ports: Ports, *, failures_max: int = 50, pause_s: float = 1.0) -> None:
        self._kind = kind
        self._ports = ports
        self.failures_max = failures_max
        self._pause_s = pause_s
        self._failures = 0
        self._next_probe_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Work is slowed to probes."""
        return self._failures >= self.failures_max

    def admits(self) -> bool:
        """May a message start now? While open, True once per pause."""
        if self._failures < self.failures_max:
            return True
        now_s = self._ports.clock.monotonic_s()
        if now_s < self._next_probe_at_s:
            return False
        self._next_probe_at_s = now_s + self._pause_s
        return True

    def succeeded(self) -> None:
        if self._failures >= self.failures_max:
            self._ports.report(KindRecovered(self._kind))
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == self.failures_max:
            self._next_probe_at_s = self._ports.clock.monotonic_s() + self._pause_s
            self._ports.report(KindThrottled(self._kind, self._failures, self._pause_s))
