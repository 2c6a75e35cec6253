"""What an act of an operator would do to an instance as it is now: the interpreter applies it to a copy of the record.

    definition, record, act ──preview──▶ Preview: refused, or what is sent, which timers, which tasks move, what status

Nothing is sent and nothing is written. The act does just that, as long as the instance stays at this revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Outgoing
from runtime.envelope import address_of
from runtime.protos.saga_pb2 import RepairAccepted, RepairRefused, RepairSaga, SagaRecord, TaskRecord
from runtime.saga import inputs
from runtime.saga.definition import Definition
from runtime.saga.interpreter import advance
from runtime.saga.node_bounds import UNBOUND, NodeBounds
from runtime.saga.view import status_name, task_name

__all__ = ["Preview", "Sending", "TaskMove", "preview", "sendings"]


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that would be sent."""

    to: str  # kind/key; empty of an event, which goes to its subscribers
    message: Message


@dataclass(frozen=True, slots=True)
class TaskMove:
    """A task, and where it stands before and after; in the words of `view.Phase`."""

    task: str
    before: str  # empty of a task that there is not yet
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    revision: int  # at which this is true
    refusal: str  # why the act would not be done; then nothing follows
    text: str  # what the act does, in words
    sent: tuple[Sending, ...]
    timers: tuple[tuple[str, float], ...]  # set: name, and the instant at which it is due
    moves: tuple[TaskMove, ...]
    before: str  # status of the instance
    after: str
    owed: tuple[str, ...] = ()  # paths of the tasks whose undo is owed then, the last done first


def preview(
    definition: Definition, record: SagaRecord, act: RepairSaga, now_s: float, bounds: NodeBounds = UNBOUND
) -> Preview:
    """Apply the act to a copy, within the bounds that the nodes have."""
    copy, numbers = SagaRecord(), count(1)
    copy.CopyFrom(record)
    given = inputs.RepairRequested(act)
    came = advance(definition, copy, given, now_s, lambda _to, _content: b"preview %d" % next(numbers), bounds)
    said = [one.message for one in came.outgoing if isinstance(one.message, RepairAccepted | RepairRefused)]
    return Preview(
        revision=record.revision,
        refusal=next((one.reason for one in said if isinstance(one, RepairRefused)), ""),
        text=next((one.text for one in said if isinstance(one, RepairAccepted)), ""),
        sent=sendings(came.outgoing),
        timers=tuple((one.name, one.due_at_s) for one in came.timers if not isinstance(one, CancelTimer)),
        moves=_moves(record, copy),
        before=_status(record),
        after=_status(copy),
        owed=tuple(task.path for task in reversed(copy.tasks) if task.status == TaskRecord.OWED),
    )


def sendings(outgoing: tuple[Outgoing, ...]) -> tuple[Sending, ...]:
    """All but the answer to the operator."""
    return tuple(
        Sending(address_of(one.kind, one.key) if one.kind else "", one.message)
        for one in outgoing
        if not isinstance(one.message, RepairAccepted | RepairRefused)
    )


def _moves(record: SagaRecord, copy: SagaRecord) -> tuple[TaskMove, ...]:
    before = {task.path: task_name(task) for task in record.tasks}
    after = [(task.path, before.get(task.path, ""), task_name(task)) for task in copy.tasks]
    return tuple(TaskMove(path, was, now) for path, was, now in after if was != now)


def _status(record: SagaRecord) -> str:
    return status_name(record) + (", suspended" if record.suspended else "")
