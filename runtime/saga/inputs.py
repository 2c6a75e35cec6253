"""What can happen to a running saga, and what comes of it: the two ends of its interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Outgoing, SetTimer
from runtime.protos.lock_pb2 import DeadlockSearch
from runtime.protos.saga_pb2 import RepairSaga, TaskRecord
from runtime.record import record
from runtime.store.records import Outcome

__all__ = [
    "Advance",
    "Answered",
    "AskedBy",
    "CancelRequested",
    "CarriedOver",
    "DeadlockSearched",
    "Faulted",
    "Input",
    "NothingToUndo",
    "RepairRequested",
    "RetryRequested",
    "Start",
    "StartedAgain",
    "StatusChange",
    "TimerFired",
    "UndoRequested",
    "Unmatched",
]


@record(frozen=True, slots=True)
class AskedBy:
    """The actor that has sent the input and waits for the end of the saga, and the id of what it has sent."""

    address: str
    message_id: bytes


@record(frozen=True, slots=True)
class Start:
    state: Message  # business state, whose key field is the instance's key
    conversation: bytes
    asked_by: AskedBy | None = None


@record(frozen=True, slots=True)
class StartedAgain:
    """A start that wants an answer, of an instance that there is."""

    asked_by: AskedBy


@record(frozen=True, slots=True)
class UndoRequested:
    """The saga that started this one as its child takes it back."""

    reason: str
    asked_by: AskedBy


@record(frozen=True, slots=True)
class Answered:
    command_id: bytes
    message: Message
    said_by: str = ""  # kind/key of who said it, or "client"; of an event that was waited for


@record(frozen=True, slots=True)
class Faulted:
    """The participant has given up on a command."""

    command_id: bytes
    error: str


@record(frozen=True, slots=True)
class NothingToUndo:
    """The participant's runtime says that the undo's do never ran, or was refused."""

    command_id: bytes
    reason: str


@record(frozen=True, slots=True)
class TimerFired:
    name: str


@record(frozen=True, slots=True)
class CancelRequested:
    reason: str


@record(frozen=True, slots=True)
class CarriedOver:
    """The record is that of another definition now, of which more may be ready to begin."""


@record(frozen=True, slots=True)
class RetryRequested:
    """An operator says that what got the saga stuck is mended."""


@record(frozen=True, slots=True)
class RepairRequested:
    """An act of an operator."""

    act: RepairSaga


@record(frozen=True, slots=True)
class DeadlockSearched:
    """Another saga waits for this one."""

    search: DeadlockSearch


@record(frozen=True, slots=True)
class Unmatched:
    """A message that answers nothing; `type` is its full name."""

    type: str
    starts: bool = False  # it would start an instance, had it not been started before


Input = (
    Start
    | StartedAgain
    | UndoRequested
    | Answered
    | Faulted
    | NothingToUndo
    | TimerFired
    | CancelRequested
    | CarriedOver
    | RetryRequested
    | RepairRequested
    | DeadlockSearched
    | Unmatched
)

StatusChange: TypeAlias = tuple[TaskRecord, TaskRecord.Status.ValueType]
"""A task whose status was set, and the status that it had before."""


@record(frozen=True, slots=True)
class Advance:
    """What an input leads to, beside the changed record."""

    outgoing: tuple[Outgoing, ...]
    timers: tuple[SetTimer | CancelTimer, ...]
    outcome: Outcome
    note: str  # why the outcome is not HANDLED
    alarm: str = ""  # what is stuck, when a step got stuck by this input: for the first time, or tried again in vain
    changes: Sequence[StatusChange] = ()  # in their order; a task may have several
