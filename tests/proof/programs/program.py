"""One program as data: what its services do, its sagas and relays, and what happens in each run of them.

    drawing ──draws──▶ Program ──▶ participants, sagas, relay   what the nodes host
                          │   └──▶ clients, operators           what is done to it
                          └──────▶ promises                     what must be true in the end

The message of a handler names a deed, and the program says what the handler does with that deed. So the checks know
without the handler what was meant to go wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from runtime.durable.behaviour import RetryPolicy
from runtime.saga.probe import Probe
from runtime.saga.step import Budget
from tests.proof.programs.detour_plan import Detours

__all__ = [
    "CHILD",
    "AlarmAct",
    "Deed",
    "Fate",
    "Features",
    "Program",
    "RelayPlan",
    "Run",
    "SagaPlan",
    "Script",
    "StepPlan",
    "first_names",
]


CHILD = "child"
"""The name of a child in the flow of its parent."""


_LATER_NAME = re.compile(r"\b(s\d+)v\d+(?=\b|_)")


def first_names(text: str) -> str:
    """The text with the names that steps have in the first version, whichever version it is of."""
    return _LATER_NAME.sub(r"\1", text)


class Fate(Enum):
    """What becomes of a command that names a deed."""

    APPLY = auto()
    REFUSE = auto()
    SILENT = auto()  # It is applied without an answer. The answer comes when it is asked again.
    LATE = auto()  # A timer applies it. If it is asked again before that, it is applied at once.
    POISON = auto()  # It fails each time, until an operator has cured it.
    FINAL = auto()  # It fails like POISON, with an error which says that a retry cannot help.


@dataclass(frozen=True, slots=True)
class AlarmAct:
    """A named timer is set, moved, or (without a delay) cancelled."""

    name: str
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class Script:
    """What a handler does with one command."""

    fate: Fate = Fate.APPLY
    fails_first: int = 0  # How many runs fail before one succeeds.
    pause_s: float = 0.0  # How long each run takes.
    notes: int = 0  # How many events are returned beside the answer.
    alarms: tuple[AlarmAct, ...] = ()
    late_s: float = 0.0
    alarm_fails: int = 0  # How many runs of each timer fail. The timer is given up if the policy has no more runs.
    ballast_bytes: int = 0
    works: int = 0  # Answers of "not finished yet" before the one that says what came of it.

    @property
    def is_poison(self) -> bool:
        return self.fate in (Fate.POISON, Fate.FINAL)


@dataclass(frozen=True, slots=True)
class Deed:
    """One step of one run: its participant, and what happens there. `name` is RUN#STEP."""

    name: str
    kind: str
    key: str
    amount: int
    do: Script
    undo: Script
    is_firm: bool  # It may be asked again, so it is never refused, and answers alike each time.
    undo_needed: bool = True  # If False, the undo's function says that there is nothing to undo.
    do_raises: bool = False
    undo_raises: bool = False
    keep_raises: bool = False

    @property
    def step(self) -> str:
        """The path of its task."""
        return self.name.rpartition("#")[2]


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a saga, for all its runs. `before` holds the indexes of the steps for which it waits."""

    name: str
    kind: str
    before: tuple[int, ...]
    has_undo: bool
    is_pivot: bool
    past_pivot: bool
    timeout_s: float
    budget: Budget
    every_s: float = 0.0  # The pace at which it is asked again while it is not finished. 0: it cannot say so.
    when_spent: str = "stuck"  # What happens past the pivot when its budget is spent.
    probe: Probe | None = None

    @property
    def is_firm(self) -> bool:
        return self.past_pivot or (self.is_pivot and not self.has_undo)


@dataclass(frozen=True, slots=True)
class SagaPlan:
    """One saga. Each step stands after the steps for which it waits."""

    kind: str
    process: int
    steps: tuple[StepPlan, ...]
    closing: tuple[str, ...]  # The kinds that are told when all steps are undone.
    closing_within_s: float
    deadline_s: float
    starting: int  # How many of the starting events start it.
    is_conditional: bool
    key_path: str  # The field of the starting event with the key; empty for the event's own key.
    detours: Detours = field(default_factory=Detours)
    undoes_past_stuck: bool = False
    child: str = ""  # The kind of the saga that it starts as its child, before all its steps.
    child_may_stay: bool = False
    generation: int = 0  # The number of this version.
    earlier: SagaPlan | None = None  # The version whose instances this one carries over.
    renamed: frozenset[int] = frozenset()  # The steps that have names of their own in this version.
    rests_s: Mapping[int, float] = field(default_factory=dict)  # A wait before the step that other versions lack.

    def called(self, index: int) -> str:
        """The name of the step at this place in this version; `first_names` gives that of its plan."""
        name = self.steps[index].name
        return f"{name}v{self.generation}" if index in self.renamed else name

    @property
    def closing_names(self) -> tuple[str, ...]:
        several = len(self.closing) > 1
        return tuple(f"closing_{n + 1}" if several else "closing" for n in range(len(self.closing)))

    def later_than(self, index: int) -> tuple[int, ...]:
        """Every step that waits for this one, directly or not."""
        found: list[int] = []
        for later, step in enumerate(self.steps):
            if any(one == index or one in found for one in step.before):
                found.append(later)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class RelayPlan:
    """A choreography: each kind passes the work on to the next, and back when one refuses."""

    process: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One instance of one process that a client will ask for. `name` is PROCESS|KEY."""

    name: str
    process: str  # The kind of the saga, or the relay.
    number: int  # The number of the process in the starting event.
    key: str
    deeds: tuple[Deed, ...]  # The steps, then the commands that close a compensation.
    starting: int  # Which of the starting events starts it.
    origin: Script
    begin_raises: bool = False
    ballast_bytes: int = 0
    unwanted: frozenset[str] = frozenset()  # The steps that this run's choices pass over.
    ends_early: bool = False
    parent: str = ""  # The run whose child it is; no client asks for it.
    leader: str = ""  # The run that begins by the same event; no client asks for this one.
    inner: Mapping[str, tuple[Deed, ...]] = field(default_factory=dict)  # Of items and alternatives, by step.

    def deeds_of(self, index: int) -> tuple[Deed, ...]:
        """What is done for the step at this place: one deed, or those within it."""
        deed = self.deeds[index]
        return self.inner.get(deed.step, (deed,))


@dataclass(frozen=True, slots=True)
class Features:
    """The features that one seed has."""

    names: tuple[str, ...]

    def has(self, feature: str) -> bool:
        return feature in self.names


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program. Clients ask for the deeds of `direct` without any process."""

    features: Features
    sagas: tuple[SagaPlan, ...]
    relay: RelayPlan | None
    runs: tuple[Run, ...]
    direct: tuple[Deed, ...]
    opening: int  # The balance of each account at first.
    retries: RetryPolicy
    settings: dict[str, Any] = field(default_factory=dict)
    together: tuple[str, ...] = ()  # The processes that one event starts, as the catalogue names them.

    def all_deeds(self) -> Iterator[Deed]:
        for run in self.runs:
            yield from run.deeds
            for deeds in run.inner.values():
                yield from deeds
        yield from self.direct

    def saga_of(self, run: Run) -> SagaPlan | None:
        return next((saga for saga in self.sagas if saga.kind == run.process), None)
