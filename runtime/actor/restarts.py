"""A supervisor's restarts: whom a failure concerns, whether it is one too many, and who waits for whom.

a child fails ──▶ decide ──▶ its group is ordered to halt, the last spawned first
                                 │ halted, halted, ...
                                 ▼
                  all have halted, backoff over ──▶ begin, in the order they were spawned
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runtime.actor.supervision import (
    ActorOptions,
    Restart,
    RestartsExhausted,
    Supervision,
    affected,
    is_restarted,
    recent,
)
from runtime.ports import Ports

__all__ = ["ChildActor", "Group", "Restarts"]


class ChildActor(Protocol):
    """What a supervisor needs of an actor under it. (Methods, since it must not be able to change the rest.)"""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def options(self) -> ActorOptions: ...

    @property
    def is_fallen(self) -> bool:
        """It has failed or ended by itself, and waits for a decision."""
        ...

    @property
    def is_halted(self) -> bool:
        """It has no instance, and waits for `begin`."""
        ...

    def order(self, *, restart: bool) -> None: ...

    def begin(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Children that are restarted together; dicts, because they keep the order in which children were spawned."""

    wait_s: float
    members: dict[ChildActor, None] = field(default_factory=dict)
    awaited: dict[ChildActor, None] = field(default_factory=dict)


@dataclass(slots=True)
class Streak:
    """Failures of one child, each soon after the restart before."""

    failures: int = 0
    began_at_s: float = 0.0


class Restarts:
    """The memory of one supervisor that has seen a child fail; bounded by its children and by its intensity."""

    __slots__ = ("_groups", "_instants_s", "_later", "_ports", "_rules", "_streaks")

    def __init__(self, rules: Supervision, ports: Ports, later: Callable[[float, Group], None]) -> None:
        self._rules = rules
        self._ports = ports
        self._later = later  # calls `resume` in the supervisor's own turn, after some seconds
        self._instants_s: list[float] = []
        self._groups: dict[ChildActor, Group] = {}
        self._streaks: dict[ChildActor, Streak] = {}

    def decide(self, child: ChildActor, error: BaseException | None, children: Mapping[str, ChildActor]) -> None:
        """A child has failed, or ended normally (no error). Raises RestartsExhausted."""
        if child in self._groups:
            return
        if not is_restarted(child.options.restart, failed=error is not None):
            child.order(restart=False)
            return
        now_s = self._ports.clock.monotonic_s()
        self._count(child, now_s, error)
        group = Group(self._backoff_s(child, now_s))
        for name in affected(self._rules.strategy, tuple(children), child.name):
            self._enlist(children[name], group, is_cause=name == child.name)
        for member in reversed(tuple(group.awaited)):
            member.order(restart=True)
        self._resume_when_halted(group)

    def halted(self, child: ChildActor) -> None:
        group = self._groups.get(child)
        if group is not None:
            group.awaited.pop(child, None)
            self._resume_when_halted(group)

    def resume(self, group: Group) -> None:
        members = tuple(group.members)
        group.members.clear()  # so that nothing that still points to this group can start them twice
        now_s = self._ports.clock.monotonic_s()
        for member in members:
            del self._groups[member]
            if member in self._streaks:
                self._streaks[member].began_at_s = now_s
            member.begin()

    def forget(self, child: ChildActor) -> None:
        """A child has ended for good; the others of its group need not wait for it."""
        self._streaks.pop(child, None)
        group = self._groups.pop(child, None)
        if group is not None:
            group.members.pop(child)
            group.awaited.pop(child, None)
            self._resume_when_halted(group)

    def _count(self, child: ChildActor, now_s: float, error: BaseException | None) -> None:
        rules = self._rules
        self._instants_s = [*recent(self._instants_s, now_s=now_s, window_s=rules.window_s), now_s]
        if len(self._instants_s) > rules.restarts_max:
            limit = f"{rules.restarts_max} restarts in {rules.window_s} s"
            raise RestartsExhausted(f"{child.path} failed, and its supervisor had used up its {limit}") from error

    def _backoff_s(self, child: ChildActor, now_s: float) -> float:
        if self._rules.backoff is None:
            return 0.0
        streak = self._streaks.setdefault(child, Streak())
        streak.failures = streak.failures + 1 if now_s - streak.began_at_s <= self._rules.window_s else 1
        return self._rules.backoff.pause_s(streak.failures, self._ports.randomness.fraction())

    def _enlist(self, child: ChildActor, group: Group, *, is_cause: bool) -> None:
        if child.options.restart is Restart.TEMPORARY and not is_cause:
            child.order(restart=False)
            return
        earlier = self._groups.get(child)
        if earlier is not None:  # it is being restarted already, and joins the wider group
            del earlier.members[child]
            earlier.awaited.pop(child, None)
        self._groups[child] = group
        group.members[child] = None
        if not child.is_halted:
            group.awaited[child] = None

    def _resume_when_halted(self, group: Group) -> None:
        if group.awaited or not group.members:
            return
        if group.wait_s > 0:
            self._later(group.wait_s, group)
        else:
            self.resume(group)
