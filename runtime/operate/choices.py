"""What can be done about a saga as it stands, and what is owed, in lines of text; each act as a command to copy.

What can be done about the timers of other actors is in timer_acts.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from runtime.protos.definition_pb2 import NodeShape, SagaShape
from runtime.protos.saga_pb2 import SagaRecord, StandingKey, TaskRecord
from runtime.saga.timer_acts import CANCELLABLE
from runtime.saga.timer_names import DEADLINE
from runtime.saga.timer_purposes import Purpose, purposes_of
from runtime.saga.view import Phase, phase_of

__all__ = ["Choice", "acts_for", "as_command", "can_do", "commands_for", "keys", "owed", "repaired"]

_COMMAND = "amends admin repair"
_TASKS_MAX = 5  # whose acts are shown, and so many timers; `repair` takes the others as well
_DECLARABLE = ("step", "child", "lock", "await", "wait", "publish")  # What other parts decide, nobody can declare.
_ENDED = (SagaRecord.NONE, SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


class Choice(NamedTuple):
    """One act that an operator may choose."""

    act: str  # as the command line names it
    task: str  # path of its task; empty of one on the whole instance, or on a timer
    about: str  # what it does, in words
    timer: str = ""  # name of its timer


_FIRES = {
    Purpose.PAUSE: "ends the pause",
    Purpose.TIMEOUT: "gives up waiting for its answer",
    Purpose.PROBE: "gives up waiting for what is probed",
    Purpose.ASK_AGAIN: "asks it again",
    Purpose.UNDO_PAUSE: "asks for its undo again",
    Purpose.EVENT: "gives up waiting for its event",
    Purpose.LOCK: "gives up waiting for its lock",
    Purpose.APPROVAL: "gives up waiting for a person",
    Purpose.REMINDER: "says the reminder",
}


def acts_for(record: SagaRecord, shape: SagaShape | None = None) -> Iterator[Choice]:
    """What can be chosen, as the record stands. The saga itself may yet refuse one, and says why.

    `shape` is that of its definition. Without it what a stuck part is, is told from its record alone.
    """
    if record.status in _ENDED:
        return
    if record.suspended:
        yield Choice("resume", "", f"it goes on, with {len(record.held)} answers and timers that came meanwhile")
    else:
        yield from _of_tasks(record, shape)
        yield from _of_timers(record)
        yield Choice("suspend", "", "it sends nothing until it is resumed")
    yield Choice("abandon", "", "it ends as it is")


def _of_tasks(record: SagaRecord, shape: SagaShape | None) -> Iterator[Choice]:
    if record.status == SagaRecord.STUCK:
        yield Choice("retry", "", "the cause is mended: what is stuck is tried anew")
    for task in [one for one in record.tasks if one.stuck][:_TASKS_MAX]:
        yield from _of_stuck(record, task, _node_of(record, shape, task))
    for task in [one for one in record.tasks if _is_open(one)][:_TASKS_MAX]:
        yield Choice("force", task.path, "it counts as done, though nobody knows whether it is")
    for task in [one for one in record.tasks if phase_of(one) is Phase.TO_APPROVE][:_TASKS_MAX]:
        yield Choice("approve", task.path, f"{task.path} is approved: {task.asks}")
        yield Choice("decline", task.path, f"{task.path} is declined, and it turns back")
    if _goes_forward(record) and not record.pivot_passed and not _has_no_way_back(record, shape):
        yield Choice("cancel", "", "it turns back")


def _of_timers(record: SagaRecord) -> Iterator[Choice]:
    """All but the deadline: the record does not tell whether the saga has one."""
    found = ((name, purpose) for name, purpose in purposes_of(record) if name != DEADLINE)
    for name, purpose in islice(found, _TASKS_MAX):
        yield Choice("move-timer", "", f"{name}: it {_FIRES[purpose]} now", name)
        if purpose in CANCELLABLE:
            yield Choice("cancel-timer", "", f"{name}: the {purpose} does not come", name)


def _goes_forward(record: SagaRecord) -> bool:
    is_stuck_at_keys = record.stuck_in == SagaRecord.RUNNING and not any(task.stuck for task in record.tasks)
    return record.status == SagaRecord.RUNNING or (record.status == SagaRecord.STUCK and is_stuck_at_keys)


def _node_of(record: SagaRecord, shape: SagaShape | None, task: TaskRecord) -> NodeShape | None:
    """The part of the definition that a task is of. Those within another are alike in what can be declared of them."""
    if shape is None:
        return None
    place = task.within - 1 if task.within else next(n for n, one in enumerate(record.tasks) if one.path == task.path)
    node = shape.nodes[place] if place < len(shape.nodes) else None
    return node.inner[0] if node is not None and task.within and node.inner else node


def _has_no_way_back(record: SagaRecord, shape: SagaShape | None) -> bool:
    """Whether its pivot is under way and cannot be undone."""
    nodes = () if shape is None else zip(shape.nodes, record.tasks, strict=False)
    is_pivot = NodeShape.PIVOT
    return any(node.role == is_pivot and not node.undo and task.status == TaskRecord.RUNNING for node, task in nodes)


def _of_stuck(record: SagaRecord, task: TaskRecord, node: NodeShape | None) -> Iterator[Choice]:
    if task.status == TaskRecord.OWED:
        yield Choice("mark-undone", task.path, "its undo was done by hand")
        yield Choice("skip", task.path, "its undo is given up, and the saga ends as abandoned")
    elif task.address if node is None else node.kind in _DECLARABLE:
        if node is not None and node.role == NodeShape.PIVOT and not record.pivot_passed and not task.within:
            yield Choice("mark-undone", task.path, "it never happened, or was taken back by hand: the saga turns back")
        yield Choice("mark-done", task.path, "it was done by hand")
        if record.pivot_passed or record.stuck_in == SagaRecord.COMPENSATING:
            yield Choice("skip", task.path, "the rest goes on without it")


def _is_open(task: TaskRecord) -> bool:
    return task.status == TaskRecord.RUNNING and bool(task.do.command_id)


def can_do(record: SagaRecord, address: str, shape: SagaShape | None = None) -> Iterator[str]:
    """The acts as commands, at the revision that the record has."""
    yield from (f"{about}: {command}" for about, command in commands_for(record, address, shape))


def commands_for(record: SagaRecord, address: str, shape: SagaShape | None = None) -> Iterator[tuple[str, str]]:
    """What each act does, and its command to copy."""
    for one in acts_for(record, shape):
        digests = [task.digest for task in record.tasks if task.path == one.task and task.digest]
        digest = "".join(f" --digest {digest}" for digest in digests if one.act in ("approve", "decline"))
        yield one.about, _command(one, address, record.revision, more=digest)


def as_command(choice: Choice, address: str, revision: int, *, when: str = "--now") -> str:
    """The act in words, and as a command to copy; a timer is moved to `when`."""
    return f"{choice.about}: {_command(choice, address, revision, when=when)}"


def _command(choice: Choice, address: str, revision: int, *, when: str = "--now", more: str = "") -> str:
    named = f" --task {shlex.quote(choice.task)}" if choice.task else ""
    if choice.timer:
        named = f" --timer {shlex.quote(choice.timer)}{f' {when}' if choice.act == 'move-timer' else ''}"
    return f"{_COMMAND} {choice.act} {shlex.quote(address)}{named}{more} --expect {revision} --reason TEXT"


def owed(record: SagaRecord) -> Iterator[str]:
    """Undos that are owed, or were given up; the last done first, as they are undone."""
    for task in reversed(record.tasks):
        if task.status in (TaskRecord.OWED, TaskRecord.GIVEN_UP) and not task.HasField("inner"):
            given_up = f" ({task.by_hand})" if task.status == TaskRecord.GIVEN_UP else ""
            yield f"undo of {task.path} at {task.address}{given_up}"


def repaired(record: SagaRecord) -> Iterator[str]:
    """What operators did, oldest first."""
    for one in record.repairs:
        yield f"{one.who}: {one.text}; because: {one.reason}"


def keys(record: SagaRecord) -> Iterator[str]:
    """The keys by which events find the instance, as far as it has learned them."""
    for key in record.keys:
        if key.status == StandingKey.REFUSED:
            yield f"{key.name} refused: {key.error}"
        elif key.value:
            asked = "" if key.status == StandingKey.HELD else ", which it has asked for"
            yield f"{key.name} {key.value!r}{asked}"
