"""What a node reports of its own life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = ["DrainCutShort", "NodeStarted", "NodeStopped"]


@dataclass(frozen=True, slots=True)
class NodeStarted(Fact):
    name: str
    address: str
    incarnation: str
    services: tuple[str, ...]
    store: str  # Its URL, without a password.
    version: str


@dataclass(frozen=True, slots=True)
class NodeStopped(Fact):
    name: str


@dataclass(frozen=True, slots=True)
class DrainCutShort(Fact):
    """Turns still ran when `drain_s` was over, or the store did not take our leave: they run anew, nothing is lost."""

    level: ClassVar[str] = "warning"
    name: str
    drain_s: float
