"""The system lane's messages: orders from the parent, and news of children. A closed set."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.actor.restarts import ChildActor, Group

__all__ = ["Begin", "ChildEnded", "ChildFailed", "ChildHalted", "EndOrder", "Exited", "ResumeGroup", "Signal"]


@dataclass(frozen=True, slots=True)
class EndOrder:
    """From the parent; or, to stop, from anyone."""

    restart: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """From the parent to a halted child: make a new instance."""


@dataclass(frozen=True, slots=True)
class Exited:
    """From an actor to itself: end normally."""


@dataclass(frozen=True, slots=True)
class ChildFailed:
    child: ChildActor
    error: BaseException | None  # None: it ended normally


@dataclass(frozen=True, slots=True)
class ChildHalted:
    child: ChildActor


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """The child that a parent waited for is gone."""


@dataclass(frozen=True, slots=True)
class ResumeGroup:
    """The backoff of a group is over."""

    group: Group


Signal = EndOrder | Begin | Exited | ChildFailed | ChildHalted | ChildEnded | ResumeGroup
