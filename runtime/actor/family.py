"""The place of an actor in the tree, and what it knows of its relatives. Most actors never need the latter."""

from __future__ import annotations

from enum import Enum
from typing import Any

from runtime.actor.mailbox import Mailbox, Shared
from runtime.actor.restarts import ChildActor, Restarts
from runtime.actor.supervision import ActorOptions
from runtime.actor.watch import DeathWatch

__all__ = ["Family", "LifePhase", "Relative"]


class LifePhase(Enum):
    RUNNING = "running"
    FAILED = "waits for its supervisor's decision"
    ENDING = "stops its children, then itself"
    HALTED = "without an instance, waits to be started again"


class Family:
    """What most actors never need, made when they do."""

    __slots__ = ("awaited_child", "children", "error", "phase", "restart", "restarts", "watches")

    def __init__(self) -> None:
        self.children: dict[str, Any] = {}
        self.watches: DeathWatch | None = None
        self.restarts: Restarts | None = None  # of children
        self.phase = LifePhase.RUNNING
        self.restart = False  # how ENDING ends
        self.error: BaseException | None = None  # what it failed with, until it is restarted
        self.awaited_child: ChildActor | None = None


class Relative(Mailbox):
    """A mailbox with a name, a parent, and perhaps a family."""

    __slots__ = ("family", "name", "parent")

    def __init__(self, shared: Shared, parent: Relative | None, name: str, options: ActorOptions) -> None:
        super().__init__(shared, options)
        self.parent = parent
        self.name = name
        self.family: Family | None = None

    @property
    def path(self) -> str:
        names = [self.name]
        above = self.parent
        while above is not None:
            names.append(above.name)
            above = above.parent
        return "/".join(reversed(names))

    @property
    def phase(self) -> LifePhase:
        return LifePhase.RUNNING if self.family is None else self.family.phase

    @property
    def is_fallen(self) -> bool:
        return self.phase is LifePhase.FAILED

    @property
    def is_halted(self) -> bool:
        return self.phase is LifePhase.HALTED

    @property
    def kin(self) -> Family:
        if self.family is None:
            self.family = Family()
        return self.family

    @property
    def watches(self) -> DeathWatch:
        kin = self.kin
        if kin.watches is None:
            kin.watches = DeathWatch(self)
        return kin.watches
