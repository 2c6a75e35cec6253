"""What is known of one actor that an operator asks for: its row, its saga's steps, its timers and its mail."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.envelope import address_of
from runtime.observe.conversation import TracedMessage
from runtime.operate.busy import Work
from runtime.protos import saga_pb2
from runtime.protos.definition_pb2 import SagaShape
from runtime.saga.view import TaskView
from runtime.store.records import ActorRow

__all__ = ["Account", "TimerSummary"]

_SAGA = saga_pb2.SagaRecord.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class TimerSummary:
    name: str
    purpose: str  # what it is for, in words
    due_at_s: float
    type: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Account:
    """One actor, or the mail of one that has no row yet."""

    kind: str
    key: str
    shard: int
    owner: str  # the name of its node; empty when its shard has no owner
    owner_alive: bool
    hosts: tuple[str, ...]  # nodes with a lease that host its kind
    known: bool  # whether a node has ever told of its kind
    row: ActorRow | None
    state: Message | None  # a saga's is its business state; None when this process does not know the type
    unreadable: str  # why there is no state
    saga: saga_pb2.SagaRecord | None
    steps: tuple[TaskView, ...]
    timers: tuple[TimerSummary, ...]
    mail: tuple[TracedMessage, ...]
    works: tuple[Work, ...] = ()  # handlers of its own that run for long, or ran when their node ended
    owner_works: tuple[Work, ...] = ()  # handlers of other actors that block its owner's event loop
    lacking: str = ""  # why its owner cannot run it: the version of the saga is not there
    lent_to: tuple[str, ...] = ()  # of a saga whose version its owner lacks: nodes that have it, one of which runs it
    waits_for: tuple[str, ...] = ()  # lines of text, at least one
    locks: tuple[str, ...] = ()  # of a saga: what it holds, has lost, or waits for
    owed: tuple[str, ...] = ()  # of a saga: undos that are owed, or were given up
    repaired: tuple[str, ...] = ()  # of a saga: what operators did, and why
    keys: tuple[str, ...] = ()  # of a saga: those that it holds, or asks for
    shape: SagaShape | None = None  # of the saga's definition, if the store has it
    can_do: tuple[str, ...] = ()  # of a saga, and of a timer: what an operator can do, each as a command to copy

    @property
    def address(self) -> str:
        return address_of(self.kind, self.key)

    @property
    def has_not_begun(self) -> bool:
        """It is to be a saga, and none of its messages has started it: they were put off, or given up."""
        return self.row is not None and self.row.state_type == _SAGA and not self.row.state
