"""A saga as data: everything its interpreter needs, read once from the author's class and never again.

class BookTrip(Saga) ──read──▶ Definition ──check──▶ interpreter, diagram, catalogue
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.protos import saga_pb2
from runtime.saga.carrying import Migration
from runtime.saga.node import (
    AwaitDefinition,
    ChildDefinition,
    FirstOfDefinition,
    LockDefinition,
    Node,
    Role,
    StepDefinition,
    steps_of,
)
from runtime.saga.on import On
from runtime.saga.tasks_at_hand import TasksAtHand

__all__ = ["Definition", "KeyDefinition", "ReminderDefinition"]


@dataclass(frozen=True, slots=True)
class KeyDefinition:
    """An identifier that the saga learns, and by which events find an instance."""

    name: str
    of: Callable[[Any], str]  # (state); empty as long as it is not known
    events: tuple[str, ...]  # the full names of what is awaited by it
    sticks: bool  # where another instance holds it; else the saga turns back


@dataclass(frozen=True, slots=True)
class ReminderDefinition:
    """A message that is said while a task is under way."""

    name: str
    place: int  # of the node whose task it reminds of
    timer: str
    after_s: float
    every_s: float
    times: int
    say: Callable[[Any], Message]  # (state)
    says: type[Message]

    @property
    def contract(self) -> Contract:
        return contract_of(self.says)


@dataclass(frozen=True)
class Definition:
    """A checked saga. Immutable, and shared by all its instances, so that what follows from it is found out once."""

    name: str  # its kind, as the store knows it
    title: str  # of the author's class
    state_type: type[Message]
    key_field: str  # of the state, if it has a field of the name of the starting event's key; must stay the key
    starts: tuple[On, ...]
    nodes: tuple[Node, ...]  # in flow order, then the steps that close a compensation
    closing_from: int  # index of the first that closes a compensation
    entries: tuple[int, ...]  # nodes that wait for none
    pivot_index: int | None
    deadline_s: float  # 0: none
    undoes_past_stuck: bool  # an undo that is stuck holds up no other
    result: Callable[[Any, str], Message] | None  # (state, reason): what whoever started it is told once it completes
    result_type: type[Message] | None
    fingerprint: bytes
    template: saga_pb2.SagaRecord  # of a new instance
    keeps_inputs: bool = True  # the history keeps what messages to an instance said
    keys: tuple[KeyDefinition, ...] = ()
    reminders: tuple[ReminderDefinition, ...] = ()
    carries: Mapping[bytes, Migration] = field(default_factory=dict)  # by the fingerprint of an older definition
    between: Mapping[bytes, Definition] = field(default_factory=dict)  # of those, that by way of which it is carried

    @cached_property
    def pivot(self) -> StepDefinition | None:
        pivot = None if self.pivot_index is None else self.nodes[self.pivot_index]
        assert pivot is None or isinstance(pivot, StepDefinition), "no other node is a pivot"
        return pivot

    @cached_property
    def flow_nodes(self) -> tuple[Node, ...]:
        return self.nodes[: self.closing_from]

    @cached_property
    def steps(self) -> tuple[StepDefinition, ...]:
        """All that send commands: with those within other nodes, and those that close a compensation."""
        return tuple(step for node in self.nodes for step in steps_of(node))

    @cached_property
    def awaits(self) -> tuple[AwaitDefinition, ...]:
        return tuple(node for node in self.nodes if isinstance(node, AwaitDefinition))

    @cached_property
    def locks(self) -> tuple[LockDefinition, ...]:
        return tuple(step for step in self.steps if isinstance(step, LockDefinition))

    @cached_property
    def children(self) -> tuple[ChildDefinition, ...]:
        return tuple(step for step in self.steps if isinstance(step, ChildDefinition))

    @cached_property
    def flow_steps(self) -> tuple[StepDefinition, ...]:
        return tuple(node for node in self.flow_nodes if isinstance(node, StepDefinition))

    @cached_property
    def closing_steps(self) -> tuple[StepDefinition, ...]:
        return tuple(node for node in self.nodes[self.closing_from :] if isinstance(node, StepDefinition))

    @cached_property
    def undoable(self) -> tuple[int, ...]:
        """The places of nodes of which something can be taken back."""
        return tuple(node.index for node in self.nodes if node.is_undoable)

    @cached_property
    def undone_past_pivot(self) -> tuple[int, ...]:
        """The alternatives past the pivot, as `within` of a task names them: one that has failed is undone there."""
        alternatives = [node for node in self.nodes if isinstance(node, FirstOfDefinition)]
        return tuple(node.index + 1 for node in alternatives if node.role is Role.RETRIABLE)

    @cached_property
    def tasks_at_hand(self) -> TasksAtHand:
        """Saves work alone: no decision depends on what it keeps."""
        return TasksAtHand()

    def node_of_timer(self, timer: str) -> Node | None:
        return next((node for node in self.nodes if node.timer == timer), None)
