"""What has run here lately, and how it went: so it is known of what comes whether it may run now.

Release ──consumed──▶ RecentlyHandled ──has_run──▶ a late copy is passed over
   │                        └──seen_again_in_mail──▶ the store has lost the turn, and it is forgotten here too
   └──failed, succeeded──▶ Throttle ──admits──▶ a kind that keeps failing is slowed to one trial at a time
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from runtime.envelope import Address
from runtime.ports import Fact, Ports

__all__ = ["KindRecovered", "KindThrottled", "RecentlyHandled", "Throttle"]

_RECENT_MAX = 8192


class RecentlyHandled:
    """The ids of messages, and their actors: for each kind between one and two times 8,192.

    A sweep that read before a turn was committed finds the mail of that turn once more, and must not have it run again.
    """

    def __init__(self) -> None:
        self._newer: dict[bytes, Address] = {}
        self._older: dict[bytes, Address] = {}
        self._found: dict[bytes, None] = {}  # ids that a sweep has found once although they ran here

    def has_run(self, id: bytes, address: Address) -> bool:
        return self._newer.get(id) == address or self._older.get(id) == address

    def add(self, consumed: Mapping[bytes, Address]) -> None:
        if len(self._newer) > _RECENT_MAX:
            self._newer, self._older = {}, self._newer
            self._found.clear()
        self._newer.update(consumed)

    def seen_again_in_mail(self, id: bytes) -> bool:
        """A sweep has found a message in the mail that ran here. It may have read before the turn committed, but once.

        True for the second time: the store has lost that turn, as when a standby takes over that had not received it.
        """
        if id not in self._found:
            self._found[id] = None
            return False
        del self._found[id]
        self._newer.pop(id, None)
        self._older.pop(id, None)
        return True

    def clear(self) -> None:
        self._newer, self._older = {}, {}
        self._found.clear()


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
    """Counts failed turns in a row of one kind; past the limit it lets one message through per pause.

    The idea is the circuit breaker (Nygard, Release It!), with the store as the queue behind the open circuit.
    """

    def __init__(self, kind: str, ports: Ports, *, failures_max: int = 50, pause_s: float = 1.0) -> None:
        self._kind = kind
        self._ports = ports
        self.failures_max = failures_max
        self._pause_s = pause_s
        self._failures = 0
        self._next_trial_at_s = 0.0

    @property
    def is_open(self) -> bool:
        """Work is slowed to trials."""
        return self._failures >= self.failures_max

    def admits(self) -> bool:
        """May a message start now? While open, True once per pause."""
        if self._failures < self.failures_max:
            return True
        now_s = self._ports.clock.monotonic_s()
        if now_s < self._next_trial_at_s:
            return False
        self._next_trial_at_s = now_s + self._pause_s
        return True

    def succeeded(self) -> None:
        if self._failures >= self.failures_max:
            self._ports.report(KindRecovered(self._kind))
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures == self.failures_max:
            self._next_trial_at_s = self._ports.clock.monotonic_s() + self._pause_s
            self._ports.report(KindThrottled(self._kind, self._failures, self._pause_s))
