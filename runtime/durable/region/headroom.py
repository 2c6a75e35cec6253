"""Whether a node takes new commands of clients: not while more mail waits at it than its limit.

    Sweeper ──what a look has found──▶ Headroom ◀──is_full?── NodeClient ──BacklogFull──▶ whoever sends a new command
    Committer ──what queues──────────▶     └── CommandsRefused, CommandsTaken ──▶ the log, and what is told to the store

What waits is what the looks of the sweepers have found, and what queues behind the commit under way: nothing is counted
for a call. A look finds what has waited for longer than `sweep_s`, one in ten finds all, and none counts further than
8,000 messages of a kind. Mail that this node could not handle now does not count: it waits for a retry, or its kind is
paused or throttled. So one actor that fails does not close the door to all others.

Once full, the door stays closed until half of the limit is left, so that it does not flap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from runtime.errors import BacklogFull
from runtime.ports import Clock, Fact, Ports
from runtime.store.committer import Committer

__all__ = ["CommandsRefused", "CommandsTaken", "Headroom"]

_HINT_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class CommandsRefused(Fact):
    """More waits than the limit: new commands of clients are refused from now on."""

    level: ClassVar[str] = "warning"
    waiting: int
    backlog_max: int


@dataclass(frozen=True, slots=True)
class CommandsTaken(Fact):
    """New commands are taken again."""

    waiting: int
    refused: int  # commands, while it lasted
    refused_s: float


class Headroom:
    """Of one node. With a `backlog_max` of 0 it is never full."""

    def __init__(self, committer: Committer, ports: Ports, *, node: str, backlog_max: int, sweep_s: float) -> None:
        self._committer = committer
        self._report = ports.report
        self._clock: Clock = ports.clock
        self._node = node
        self._backlog_max = backlog_max
        self._sweep_s = sweep_s
        self._found: dict[str, int] = {}  # by kind, in the last look
        self._full_at_s: float | None = None  # since when, by the monotonic clock; None: there is room
        self._refused = 0
        self.since_s = 0.0  # by the wall clock, since when commands are refused; 0: they are taken
        self.on_change: Callable[[], object] | None = None

    @property
    def waiting(self) -> int:
        """How many messages wait, as far as this node knows."""
        return self._committer.waiting + sum(self._found.values())

    def found(self, kind: str, count: int) -> None:
        """A look at the mail of a kind has found so many that could be handled now."""
        self._found[kind] = count
        self.is_full()

    def is_full(self) -> bool:
        """Whether new commands are refused now."""
        waiting = self.waiting
        if self._full_at_s is None and 0 < self._backlog_max < waiting:
            self._full_at_s, self.since_s, self._refused = self._clock.monotonic_s(), self._clock.now_s(), 0
            self._changed(CommandsRefused(waiting, self._backlog_max))
        elif self._full_at_s is not None and waiting <= self._backlog_max // 2:
            refused_s = self._clock.monotonic_s() - self._full_at_s
            self._full_at_s, self.since_s = None, 0.0
            self._changed(CommandsTaken(waiting, self._refused, round(refused_s, 3)))
        return self._full_at_s is not None

    def refusal(self) -> BacklogFull:
        """What the sender of a new command is told. The longer it has lasted, the later he is to come again."""
        self._refused += 1
        lasts_s = 0.0 if self._full_at_s is None else self._clock.monotonic_s() - self._full_at_s
        retry_after_s = min(max(self._sweep_s, lasts_s / 2), _HINT_MAX_S)
        return BacklogFull(
            f"{self.waiting} messages wait at node {self._node}, more than its backlog_max of {self._backlog_max}, and "
            f"it takes no new commands until {self._backlog_max // 2} are left. Nothing was accepted: send the same "
            f"again after {retry_after_s:.3g} s; if it goes on, add nodes",
            retry_after_s=retry_after_s,
        )

    def _changed(self, fact: Fact) -> None:
        self._report(fact)
        if self.on_change is not None:
            self.on_change()
