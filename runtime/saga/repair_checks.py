"""Whether an operator's act is allowed at an instance as it is; a refusal says why, and what is allowed instead."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf import json_format
from google.protobuf.message import Message

from runtime.protos.saga_pb2 import Repair, RepairSaga, SagaRecord, TaskRecord
from runtime.saga import cancellation, timer_acts
from runtime.saga.instance import Instance
from runtime.saga.node import (
    ApprovalDefinition,
    Node,
    PublishDefinition,
    Role,
    StepDefinition,
    WaitDefinition,
    full_name,
)
from runtime.saga.nodes import approval
from runtime.saga.reasons import unsaid
from runtime.saga.view import status_name, task_name

__all__ = [
    "BadState",
    "acts_since",
    "edited",
    "named",
    "refusal",
    "tasks_moved_since",
    "word",
]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)
_OF_ONE_TASK = (RepairSaga.MARK_DONE, RepairSaga.MARK_UNDONE, RepairSaga.SKIP, RepairSaga.FORCE)
_OF_A_PERSON = (RepairSaga.APPROVE, RepairSaga.DECLINE)
_OF_ONE_OR_ALL = (RepairSaga.RETRY,)
_WHILE_SUSPENDED = (RepairSaga.RESUME, RepairSaga.ABANDON)
_CHANGES_MAX = 20  # tasks that moved, named in a refusal


class BadState(Exception):
    """Edited data that the saga could not go on with."""


def word(act: RepairSaga.Act.ValueType) -> str:
    """As the command line names it: mark-done. By its number if only a newer version has the word."""
    try:
        return RepairSaga.Act.Name(act).lower().replace("_", "-")
    except ValueError:
        return f"act {act}"


def named(saga: Instance, path: str) -> tuple[Node, TaskRecord] | None:
    for place, task in enumerate(saga.tasks):
        if path and task.path == path:
            return saga.node_at(place), task
    return None


def refusal(saga: Instance, act: RepairSaga) -> str:
    """Why the act is not done; empty if it is."""
    record = saga.record
    if not record.definition:
        return "there is no such process"
    if act.act not in RepairSaga.Act.values() or act.act == RepairSaga.NONE:
        return f"this build knows no {word(act.act)}"
    if said := unsaid(act.who, act.reason):
        return said
    if act.HasField("expected_revision") and act.expected_revision != record.revision:
        return _moved(record, act.expected_revision)
    if record.status in _ENDED:
        return f"it is {status_name(record)}: there is nothing to be repaired"
    if record.suspended != (act.act == RepairSaga.RESUME) and act.act not in _WHILE_SUSPENDED:
        return "it is suspended: resume it first"
    return _refusal_of_act(saga, act)


def tasks_moved_since(record: SagaRecord, revision: int) -> list[TaskRecord]:
    return [task for task in record.tasks if task.moved_at > revision]


def acts_since(record: SagaRecord, revision: int) -> list[Repair]:
    """Acts of operators that an operator who looked at this revision has not seen."""
    return [one for one in record.repairs if one.revision > revision]


def edited(saga: Instance, state_json: str) -> Message:
    """The business state that the text gives. Raises BadState for what is no such state, or has another key."""
    state = saga.definition.state_type()
    name = full_name(saga.definition.state_type)
    try:
        json_format.Parse(state_json, state)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise BadState(f"the edited data is no {name}: {error}") from error
    field = saga.definition.key_field
    if field:
        key, given = getattr(saga.definition.state_type.FromString(saga.record.state), field), getattr(state, field)
        if given != key:
            raise BadState(f"the edited data has {field} {given!r}; that is the key and stays {key!r}")
    return state


# --- each act ---


def _refusal_of_act(saga: Instance, act: RepairSaga) -> str:
    if act.act in timer_acts.ACTS_ON_TIMERS:
        return timer_acts.refusal(saga, act)
    if act.timer or act.WhichOneof("due"):
        return f"{word(act.act)} is about no timer: move-timer and cancel-timer are"
    found = named(saga, act.task)
    if act.task and found is None:
        return f"it has no task {act.task!r}; there are {_paths(saga.tasks)}"
    if act.task and act.act not in (*_OF_ONE_TASK, *_OF_ONE_OR_ALL, *_OF_A_PERSON):
        return f"{word(act.act)} is about the whole instance: name no task"
    if act.state_json and act.act != RepairSaga.RETRY:
        return "only retry takes edited data"
    if act.act == RepairSaga.RETRY:
        return _retry_refusal(saga, act, found)
    if act.act == RepairSaga.RESUME:
        return "" if saga.record.suspended else "it is not suspended"
    if act.act == RepairSaga.CANCEL:
        back = saga.record.status == SagaRecord.COMPENSATING
        return f"it has turned back before: {saga.record.reason}" if back else cancellation.refusal_of(saga)
    if act.act not in (*_OF_ONE_TASK, *_OF_A_PERSON):
        return ""
    if found is None:
        return f"{word(act.act)} is about one task: name it; {_stuck_ones(saga)}"
    if act.act in _OF_A_PERSON:
        node, task = found
        if not isinstance(node, ApprovalDefinition):
            return f"{task.path} asks nobody: it is no approval"
        return approval.refusal(saga, node, task, act)
    return _task_refusal(saga, act.act, *found)


def _retry_refusal(saga: Instance, act: RepairSaga, found: tuple[Node, TaskRecord] | None) -> str:
    if saga.record.status != SagaRecord.STUCK:
        return f"it is {status_name(saga.record)}, not stuck"
    if found is not None and not found[1].stuck:
        return _not_stuck(saga, *found)
    if act.state_json:
        try:
            edited(saga, act.state_json)
        except BadState as error:
            return str(error)
    return ""


def _task_refusal(saga: Instance, act: RepairSaga.Act.ValueType, node: Node, task: TaskRecord) -> str:
    is_owed = task.status == TaskRecord.OWED
    if act == RepairSaga.FORCE:
        if task.status != TaskRecord.RUNNING:
            return f"{node.name} is {task_name(task)}: only what was begun, and has no outcome yet, can be forced"
    elif not task.stuck:
        return _not_stuck(saga, node, task)
    if act == RepairSaga.MARK_UNDONE:
        is_free = is_owed or _is_pivot_in_doubt(saga, node, task)
        return "" if is_free else f"no undo of {node.name} is owed: it is {task_name(task)}; mark-done declares it done"
    if act == RepairSaga.MARK_DONE and is_owed:
        return f"the undo of {node.name} is stuck: mark-undone declares that it was done by hand"
    if not isinstance(node, StepDefinition | WaitDefinition | PublishDefinition):
        return f"{node.name} is no step: what it decides cannot be declared; retry it, on edited data if need be"
    if act == RepairSaga.SKIP and not is_owed and node.role is not Role.CLOSING and not saga.record.pivot_passed:
        return f"{node.name} comes before the pivot: nothing that may have to be undone is left out"
    return ""


def _is_pivot_in_doubt(saga: Instance, node: Node, task: TaskRecord) -> bool:
    """Nobody has said what became of it, so that a person may know better: it never happened, or was taken back."""
    is_pivot = isinstance(node, StepDefinition) and node.role is Role.PIVOT and not task.within
    return is_pivot and task.status == TaskRecord.RUNNING and not saga.record.pivot_passed


def _not_stuck(saga: Instance, node: Node, task: TaskRecord) -> str:
    return f"{node.name} is {task_name(task)}, not stuck; {_stuck_ones(saga)}"


def _stuck_ones(saga: Instance) -> str:
    return f"stuck: {_paths([task for task in saga.tasks if task.stuck])}"


def _paths(tasks: Iterable[TaskRecord]) -> str:
    return ", ".join(task.path for task in tasks) or "none"


def _moved(record: SagaRecord, expected: int) -> str:
    """What has changed since that revision."""
    moved = [f"{task.path} is {task_name(task)}" for task in tasks_moved_since(record, expected)]
    if len(moved) > _CHANGES_MAX:
        moved[_CHANGES_MAX:] = [f"and {len(moved) - _CHANGES_MAX} more"]
    acts = [f"{one.who} did {word(one.act)} {one.task}".rstrip() for one in acts_since(record, expected)]
    halted = ", suspended" if record.suspended else ""
    now = f"it is at revision {record.revision} and not {expected}: {status_name(record)}{halted}"
    return "; ".join([now, *acts, *moved])
