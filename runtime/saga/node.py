"""The nodes of a definition: each kind is data, read once from the author's part of that kind.

part ──read──▶ NodeDefinition ──▶ rules in a file of `nodes/`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, ClassVar

from google.protobuf.message import Message

from runtime.backoff import Backoff
from runtime.contracts import Contract
from runtime.durations import in_seconds
from runtime.protos import lock_pb2, saga_pb2
from runtime.saga.probe import Probe
from runtime.saga.step import Budget

__all__ = [
    "LOCK_NEWS",
    "ApprovalDefinition",
    "AwaitDefinition",
    "ChildDefinition",
    "EachDefinition",
    "EndDefinition",
    "FirstOfDefinition",
    "LockDefinition",
    "Meaning",
    "Node",
    "NodeDefinition",
    "PastPivot",
    "PublishDefinition",
    "Role",
    "StepDefinition",
    "WaitDefinition",
    "WhenDefinition",
    "full_name",
    "steps_of",
]


LOCK_NEWS = (lock_pb2.LockGranted, lock_pb2.LockLost, lock_pb2.DeadlockFound)
"""What an instance is told of a lock that it has asked for, by messages that answer none of its turns."""

_PATIENCE_MAX_S = 3600.0


class Role(Enum):
    """Where a step stands to the point of no return."""

    COMPENSATABLE = auto()
    PIVOT = auto()
    RETRIABLE = auto()  # past the pivot: asked until it is done
    CLOSING = auto()  # says that all is undone; asked until it is confirmed


class PastPivot(Enum):
    """What comes of a step past the pivot whose budget is spent."""

    STUCK = "stuck"
    RETRY = "retry"
    SKIP = "skip"


class Meaning(Enum):
    """What an answer to a step's command says about the step."""

    DONE = auto()
    REFUSED = auto()
    IGNORED = auto()
    WORKING = auto()  # accepted, and not finished: ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDefinition:
    """What every node of a saga has. `index` is the place of its task in the record of each instance."""

    index: int
    name: str
    role: Role
    timer: str  # under which it waits; no two nodes have the same, nor the deadline's
    before: tuple[int, ...] = ()  # nodes that have to be settled first
    after: tuple[int, ...] = ()  # nodes that wait for this one
    all_after: tuple[int, ...] = ()  # and those that wait for them, to the end

    @property
    def is_undoable(self) -> bool:
        """Whether something of it can be taken back."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDefinition(NodeDefinition):
    """A step, with types read from annotations."""

    keeper: ClassVar[str] = "on_answer"  # as its author calls what copies facts into the state

    do: Callable[[Any, str], Message]  # (state, reason of turning back)
    command: Contract
    meanings: Mapping[type[Message], Meaning]
    undo: Callable[[Any, str], Message | None] | None  # (state, reason)
    undo_command: Contract | None
    undone: frozenset[type[Message]]
    undo_working: tuple[type[Message], ...]  # answers of the undo that settle nothing: ask again
    no_undo: str  # why there is no undo to be done; empty with one, and where nothing turns back
    dones: tuple[str, ...]  # full names of the answers after which an undo is owed
    refusals: tuple[str, ...]  # full names of the answers after which there is nothing to undo
    on_answer: Mapping[type[Message], Callable[[Any, Any], object]]
    timeout_s: float
    every_s: float  # until it is asked again after "not finished yet"; 0 where nothing means that
    at_most_s: float  # from the first such answer on; 0: no limit
    budget: Budget
    past_pivot: PastPivot = PastPivot.STUCK
    probe: Probe | None = None  # asked before the step fails without a known outcome

    @property
    def is_undoable(self) -> bool:
        return self.undo is not None

    @property
    def undo_unsettled(self) -> tuple[type[Message], ...]:
        """Answers of the undo after which it is owed as before."""
        return self.undo_working

    @property
    def retriable(self) -> bool:
        """It can be asked again, and nothing but an answer settles it: it has no undo to fall back on."""
        return self.role in (Role.RETRIABLE, Role.CLOSING) or (self.role is Role.PIVOT and self.undo is None)

    def patience_s(self, asks: int) -> float:
        """How long to wait for an answer to the command number `asks` (from 1): twice as long each time, to an hour."""
        if asks == 1:  # nearly always
            return self.timeout_s
        return Backoff(self.timeout_s, max(self.timeout_s, _PATIENCE_MAX_S), jitter=0.0).pause_s(asks)

    def pause_s(self, asks: int) -> float:
        """How long to wait after command number `asks` (from 1) failed: beyond the budget up to an hour."""
        if asks < self.budget.asks_max:
            return self.budget.pause_s(asks)
        first_s, longest_s = in_seconds(self.budget.backoff), in_seconds(self.budget.backoff_max)
        return Backoff(first_s, max(longest_s, _PATIENCE_MAX_S), jitter=0.0).pause_s(asks)

    def types(self, meaning: Meaning) -> tuple[type[Message], ...]:
        return tuple(one for one, its_meaning in self.meanings.items() if its_meaning is meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitDefinition(StepDefinition):
    """A wait for an event: a step whose command goes to the actor of the key, and which the event answers."""

    keeper: ClassVar[str] = "on_event"

    event: type[Message]
    by: str  # dotted field of the event that holds the key
    goes_on: bool  # once its time is over, as if it was done
    early: str  # "keep", "discard" or "fault": what becomes of an event for which nobody waits yet
    keep_max: int  # events of one key that are kept before anybody waits
    keep_for_s: float
    is_outside: bool  # no service says the event
    standing: str = ""  # the key of the class by which it waits; empty: a function of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDefinition(StepDefinition):
    """A lock on a key: a step whose command goes to the actor of the key, which answers once it is free."""

    lock: str  # what is locked
    expires_s: float  # 0: it is held until the end


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDefinition(StepDefinition):
    """A child saga: a step whose command is the event that starts the child, and whose answer is the child's end."""

    keeper: ClassVar[str] = "on_done"

    saga: str  # its kind
    result_type: type[Message] | None  # that it makes
    may_stay: str  # why the child may stay done where it cannot be undone; empty: the parent is stuck then

    @property
    def undo_unsettled(self) -> tuple[type[Message], ...]:
        return (*self.undo_working, saga_pb2.SagaAbandoned, saga_pb2.UndoRefused)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitDefinition(NodeDefinition):
    """A wait: for a span, or until an instant that the state tells."""

    span_s: float  # 0 with `until`
    until: Callable[[Any, str], datetime] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhenDefinition(NodeDefinition):
    """A choice. `then` and `otherwise` are the places of the nodes in each of its branches."""

    condition: Callable[[Any, str], bool]
    then: tuple[int, ...]
    otherwise: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndDefinition(NodeDefinition):
    """An early end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishDefinition(NodeDefinition):
    """An event of the saga."""

    event: Callable[[Any, str], Message]  # (state, reason)
    event_type: type[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class EachDefinition(NodeDefinition):
    """A step for each item of a list. Functions of `step` take an item last; its `on_answer` takes (item, answer)."""

    items: Callable[[Any, str], Iterable[Any]]  # (state, reason)
    item_type: type[Message] | type[str]
    key: Callable[[Any], str]  # of an item
    step: StepDefinition
    at_once: int
    in_order: bool  # one after another, and undone in reverse
    at_least: int  # so many have to be done; 0: as many as are not tolerated to fail
    tolerate: int
    on_done: Callable[[Any, list[Any]], object] | None  # (state, the items that are done)

    @property
    def is_undoable(self) -> bool:
        return self.step.is_undoable

    def item_of(self, body: bytes) -> Any:
        """A new object each time, for whoever is given it may change it."""
        return body.decode() if issubclass(self.item_type, str) else self.item_type.FromString(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOfDefinition(NodeDefinition):
    """Alternatives: steps of which one is to be done. The name of each is its task's path, as `pay[card]`."""

    alternatives: tuple[StepDefinition, ...]

    @property
    def is_undoable(self) -> bool:
        return any(one.is_undoable for one in self.alternatives)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDefinition(NodeDefinition):
    """A wait for a person."""

    asks: Callable[[Any, str], Message]  # (state, reason)
    asked_type: type[Message]
    by: Callable[[Any, str], bool] | None  # (state, who)
    within_s: float  # 0: no limit
    goes_on: bool
    on_approved: Callable[[Any, str], object] | None  # (state, who)


Node = (
    StepDefinition
    | AwaitDefinition
    | LockDefinition
    | ChildDefinition
    | WaitDefinition
    | WhenDefinition
    | EndDefinition
    | PublishDefinition
    | EachDefinition
    | FirstOfDefinition
    | ApprovalDefinition
)
"""Every kind of node; each has its rules in a file of `nodes/`."""


def steps_of(node: Node) -> tuple[StepDefinition, ...]:
    """Those that the node is, or has within."""
    match node:
        case StepDefinition():
            return (node,)
        case EachDefinition():
            return (node.step,)
        case FirstOfDefinition():
            return node.alternatives
        case _:
            return ()


def full_name(message_type: type[Message]) -> str:
    name: str = message_type.DESCRIPTOR.full_name
    return name
