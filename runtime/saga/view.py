"""How a saga's record reads: where each task stands, in words, for operators, tests, and rules that check records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga import exchange

__all__ = [
    "OPEN",
    "OWING",
    "SETTLED",
    "Phase",
    "TaskView",
    "heading",
    "ids_of",
    "left_behind",
    "phase_of",
    "status_name",
    "task_name",
    "view_task",
]


class Phase(Enum):
    """Where a task stands. Values are the words in which listings, pages and tests say it."""

    WAITING = "waiting"  # its turn has not come
    ASKED = "asked"  # its command is sent, the answer is open
    WORKING = "working"  # the answer was "not finished yet", and it is asked again at its pace
    UNKNOWN = "unknown"  # silence or a fault: it may have happened
    PROBED = "being probed"  # the same, and its actor's runtime is asked whether it has happened
    DONE = "done"
    REFUSED = "refused"
    OWED = "owed"  # its undo waits for its turn, or for the next try
    UNDOING = "undoing"  # its undo is sent, the confirmation is open; or it is being worked on, and asked again
    UNDONE = "undone"
    SKIPPED = "skipped"  # the saga turned back, and there is nothing to undo
    TIMED = "timed"  # it waits for an instant
    TO_APPROVE = "to be approved"  # it waits for a person
    UNDER_WAY = "under way"  # it has tasks within, and not all of them are settled
    PASSED = "passed"  # never begun: its branch was not taken, or the saga has ended early
    GIVEN_UP = "given up"  # an operator has declared that nobody will do its undo, which is owed
    LEFT_OUT = "left out"  # an operator, or the step itself, has declared that the rest goes on without it


OPEN = frozenset((Phase.ASKED, Phase.WORKING, Phase.UNKNOWN, Phase.PROBED))
"""An answer to a task's command may still settle it."""

OWING = frozenset((Phase.OWED, Phase.UNDOING))
"""The undo of a task is not confirmed yet."""

SETTLED = frozenset((TaskRecord.DONE, TaskRecord.PASSED, TaskRecord.LEFT_OUT))
"""What comes after a task of this status may begin."""

_PHASES = {
    TaskRecord.WAITING: Phase.WAITING,
    TaskRecord.DONE: Phase.DONE,
    TaskRecord.REFUSED: Phase.REFUSED,
    TaskRecord.UNDONE: Phase.UNDONE,
    TaskRecord.SKIPPED: Phase.SKIPPED,
    TaskRecord.PASSED: Phase.PASSED,
    TaskRecord.GIVEN_UP: Phase.GIVEN_UP,
    TaskRecord.LEFT_OUT: Phase.LEFT_OUT,
}


_RUNNING = {Exchange.UNASKED: Phase.TIMED, Exchange.OPEN: Phase.ASKED, Exchange.WORKING: Phase.WORKING}


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task of one instance."""

    name: str
    status: str  # the word of its phase; "status N" of one that only a newer version knows
    address: str  # kind/key that its commands go to
    attempts: int
    undo_attempts: int
    asked_at_s: float  # when its last command, or undo, was sent
    outcome: str
    error: str
    awaits: str = ""  # the type of the event that it waits for
    until_s: float = 0.0  # and for how long
    heard_from: str = ""  # who said the event that came
    asks: str = ""  # what a person is asked to approve
    digest: str = ""  # of that
    is_lock: bool = False


def phase_of(task: TaskRecord) -> Phase | None:
    """None of a status that only a newer version knows."""
    if task.status == TaskRecord.RUNNING:
        if task.HasField("inner"):
            return Phase.UNDER_WAY
        if task.digest:
            return Phase.TO_APPROVE
        if task.do.status == Exchange.UNKNOWN and task.probe.status == Exchange.OPEN:
            return Phase.PROBED
        return _RUNNING.get(task.do.status, Phase.UNKNOWN)
    if task.status == TaskRecord.OWED:
        return Phase.UNDOING if task.undo.status in (Exchange.OPEN, Exchange.WORKING) else Phase.OWED
    return _PHASES.get(task.status)


def task_name(task: TaskRecord) -> str:
    """The phase of a task as people write it; by its number if only a newer version has the word."""
    phase = phase_of(task)
    return f"status {task.status}" if phase is None else phase.value


def status_name(record: SagaRecord) -> str:
    """The status of a saga as people write it; by its number if only a newer version has the word."""
    try:
        return SagaRecord.Status.Name(record.status).lower()
    except ValueError:
        return f"status {record.status}"


def heading(record: SagaRecord) -> SagaRecord.Status.ValueType:
    """Which way a saga is going, or was going when it got stuck."""
    return record.stuck_in if record.status == SagaRecord.STUCK else record.status


def left_behind(record: SagaRecord) -> str:
    """What of an instance nobody would see to, if it ended as it is: what is owed, begun without outcome, or done."""
    owed = [task.path for task in record.tasks if task.status in (TaskRecord.OWED, TaskRecord.GIVEN_UP)]
    begun = [task.path for task in record.tasks if task.status == TaskRecord.RUNNING]
    done = [task.path for task in record.tasks if task.status == TaskRecord.DONE]
    told = (("undo owed", owed), ("outcome not known", begun), ("done", done))
    return "; ".join(f"{what}: {', '.join(paths)}" for what, paths in told if paths) or "nothing was begun"


def view_task(task: TaskRecord) -> TaskView:
    return TaskView(
        name=task.path,
        status=task_name(task),
        address=task.address,
        attempts=task.do.attempts,
        undo_attempts=task.undo.attempts,
        asked_at_s=task.undo.asked_at_s or task.do.asked_at_s,
        outcome=task.undo.outcome or task.do.outcome,
        error=task.undo.error or task.do.error,
        awaits=task.awaits,
        until_s=task.until_s,
        heard_from=task.heard_from,
        asks=task.asks,
        digest=task.digest,
        is_lock=task.HasField("lock"),
    )


def ids_of(task: TaskRecord) -> tuple[Iterable[bytes], Iterable[bytes]]:
    """The ids of a task's commands, and those of its undos; the last one first."""
    return exchange.ids(task.do), exchange.ids(task.undo)
