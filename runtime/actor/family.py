"""What an actor knows of its relatives and of its own state; most actors never need it, so it is made on demand."""

from __future__ import annotations

from enum import Enum
from typing import Any

from runtime.actor.restarts import Child, Restarts
from runtime.actor.watch import DeathWatch

__all__ = ["Family", "LifePhase"]


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
        self.awaited_child: Child | None = None
