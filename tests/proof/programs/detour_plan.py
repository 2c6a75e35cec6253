"""What a saga's flow has beside its steps: waits, choices, lists, alternatives, locks, keys, reminders.

Everything names steps by their indexes in the plan of the saga.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "ASKED",
    "HELD",
    "KEY_NAMES",
    "LOCK_NAMES",
    "NAGGED",
    "SAID",
    "Detours",
    "KeyPlan",
    "ListPlan",
    "LockPlan",
    "RemindPlan",
]

ASKED, SAID, HELD, NAGGED = "_boss", "_news", "_lock", "_nag"
"""How the names end of waits for a person, of events that a saga says, of locks, and of reminders. They begin with a
step's.
"""

LOCK_NAMES = ("shelf", "till")

KEY_NAMES = ("hint", "clue")


@dataclass(frozen=True, slots=True)
class ListPlan:
    """How many items are under way at a time, whether they are in order, and how many may fail."""

    at_once: int
    tolerate: int
    in_order: bool


@dataclass(frozen=True, slots=True)
class LockPlan:
    """A lock that a saga takes: by which name, on which key, and how long it waits for it."""

    name: str
    key: str  # Empty: the key of the run, which runs of other sagas share.
    within_s: float
    expires_s: float | None


@dataclass(frozen=True, slots=True)
class RemindPlan:
    """How often a saga says that a step is not getting on."""

    after_s: float
    every_s: float
    times: int


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """A key that a saga holds, and the waits for events by it. All steps are named by their indexes."""

    name: str  # Of the attribute, and of all that waits by it.
    learned: int  # The step whose answer tells it.
    moved: int | None  # The step whose answer tells another value.
    dropped: int | None  # The step whose answer says that there is none any more.
    is_shared: bool  # Several runs of the saga learn one value.
    sticks: bool  # A run whose key another one holds is stuck.
    discards: bool  # What comes while nobody holds the key is dropped, and not kept.
    waits_s: Mapping[int, float]  # A wait by the key before the step, for so long.


@dataclass(frozen=True, slots=True)
class Detours:
    """What a saga's flow has beside its steps, by the indexes of the steps."""

    waits_s: Mapping[int, float] = field(default_factory=dict)  # A wait before the step.
    events_s: Mapping[int, float] = field(default_factory=dict)  # A wait for an event before the step, for so long.
    approvals_s: Mapping[int, float] = field(default_factory=dict)  # A wait for a person before it, for so long.
    said: Mapping[int, int] = field(default_factory=dict)  # Before the step, the event of that step is published.
    choices: frozenset[int] = frozenset()  # The step is the branch of a choice.
    end_after: int | None = None  # An early end behind this step, for the runs that take it.
    lists: Mapping[int, ListPlan] = field(default_factory=dict)  # The step is done for each item of a list.
    alternatives: frozenset[int] = frozenset()  # The step is two, of which one is to be done.
    locks: Mapping[int, LockPlan] = field(default_factory=dict)  # A lock before the step.
    reminders: Mapping[int, RemindPlan] = field(default_factory=dict)  # Beside the step.
    keys: tuple[KeyPlan, ...] = ()

    def is_whole(self, index: int) -> bool:
        """Whether the step has tasks within, each with a deed of its own."""
        return index in self.lists or index in self.alternatives
