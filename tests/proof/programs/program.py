"""One program as data: what its services do, which sagas and relays there are, and what every run of them will meet.

    drawing ──draws──▶ Program ──▶ participants, sagas, relay   what the nodes host
                          │   └──▶ clients, operators           what is done to it
                          └──────▶ promises                     what must be true in the end

Everything a handler does follows from the deed that its message names and from what the program says of that deed, so
that the checks know, without asking the handler, what was meant to go wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from runtime.durable.behaviour import RetryPolicy
from runtime.saga.step import Budget

__all__ = ["AlarmAct", "Deed", "Fate", "Program", "RelayPlan", "Run", "SagaPlan", "Script", "StepPlan", "Temper"]


class Fate(Enum):
    """What becomes of a command that names a deed."""

    APPLY = auto()
    REFUSE = auto()
    SILENT = auto()  # applied, and nothing is said; asked again, it is said
    LATE = auto()  # a timer applies it; asked again before, it is applied at once
    POISON = auto()  # fails each time, until an operator has cured it
    FINAL = auto()  # the same, and says at once that a retry cannot help


@dataclass(frozen=True, slots=True)
class AlarmAct:
    """A named timer is set, moved, or cancelled (no delay)."""

    name: str
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class Script:
    """What a handler does with one command."""

    fate: Fate = Fate.APPLY
    fails_first: int = 0  # runs that fail before one succeeds
    pause_s: float = 0.0  # that each run takes
    notes: int = 0  # events said beside the answer
    alarms: tuple[AlarmAct, ...] = ()
    late_s: float = 0.0
    alarm_fails: int = 0  # runs of each timer of this deed that fail; more than the policy has: it is lost, on record
    ballast_bytes: int = 0

    @property
    def is_poison(self) -> bool:
        return self.fate in (Fate.POISON, Fate.FINAL)


@dataclass(frozen=True, slots=True)
class Deed:
    """One step of one run: to whom it goes, and what happens there. `name` is RUN#STEP."""

    name: str
    kind: str
    key: str
    amount: int
    do: Script
    undo: Script
    is_firm: bool  # may be asked again, so that it is not refused and answers alike
    undo_needed: bool = True  # else the undo's function says that there is nothing to undo
    do_raises: bool = False
    undo_raises: bool = False
    keep_raises: bool = False


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a saga, for all its runs. `before` are indexes of the steps it waits for."""

    name: str
    kind: str
    before: tuple[int, ...]
    has_undo: bool
    is_pivot: bool
    past_pivot: bool
    timeout_s: float
    budget: Budget

    @property
    def is_firm(self) -> bool:
        return self.past_pivot or (self.is_pivot and not self.has_undo)


@dataclass(frozen=True, slots=True)
class SagaPlan:
    """One saga. Steps stand after those they wait for."""

    kind: str
    process: int
    steps: tuple[StepPlan, ...]
    closing: tuple[str, ...]  # kinds that are told when all is undone
    closing_within_s: float
    deadline_s: float
    starting: int  # how many of the starting events start it
    is_conditional: bool
    key_path: str  # of the starting event; empty for its own key

    @property
    def closing_names(self) -> tuple[str, ...]:
        several = len(self.closing) > 1
        return tuple(f"compensated_{n + 1}" if several else "compensated" for n in range(len(self.closing)))

    def later_than(self, index: int) -> tuple[int, ...]:
        """Every step that waits for this one, directly or not."""
        found: list[int] = []
        for later, step in enumerate(self.steps):
            if any(one == index or one in found for one in step.before):
                found.append(later)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class RelayPlan:
    """A choreography: each kind passes on to the next, and back when one refuses."""

    process: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One instance of one process, as a client will ask for it. `name` is PROCESS|KEY."""

    name: str
    process: str  # kind of the saga, or the relay
    number: int  # what its starting event says
    key: str
    deeds: tuple[Deed, ...]  # steps, then those that close a compensation
    starting: int  # which of the starting events
    origin: Script
    begin_raises: bool = False
    ballast_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Temper:
    """Which features one seed has on."""

    features: tuple[str, ...]

    def has(self, feature: str) -> bool:
        return feature in self.features


@dataclass(frozen=True, slots=True)
class Program:
    """All of it. `direct` are deeds that clients ask for without any process."""

    temper: Temper
    sagas: tuple[SagaPlan, ...]
    relay: RelayPlan | None
    runs: tuple[Run, ...]
    direct: tuple[Deed, ...]
    opening: int  # what each account has at first
    retries: RetryPolicy
    settings: dict[str, Any] = field(default_factory=dict)

    def all_deeds(self) -> Iterator[Deed]:
        for run in self.runs:
            yield from run.deeds
        yield from self.direct

    def saga_of(self, run: Run) -> SagaPlan | None:
        return next((saga for saga in self.sagas if saga.kind == run.process), None)
