"""Carries an instance that an older definition began over to the present one, in the commit that next touches it.

record, by the old definition ──migrate──▶ the same instance by the new one, or Unmovable: nothing has changed

Nothing that is owed may get lost on the way. So whatever is under way, or has been done, goes on as a task of the new
definition, or the author says that it never has to be undone. The position has to make sense there: what has begun has
nothing before it that has not. A new task before something that has begun is passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError, Message

from runtime.contracts import names_of
from runtime.envelope import parse_address
from runtime.failures import text_of
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import frozen
from runtime.saga.carrying import Carried, Migration, Position
from runtime.saga.definition import Definition
from runtime.saga.node import (
    EachDefinition,
    FirstOfDefinition,
    LockDefinition,
    Node,
    StepDefinition,
    WhenDefinition,
    full_name,
)
from runtime.saga.view import SETTLED, heading, status_name, task_name

__all__ = ["Unmovable", "migrate", "way_of"]

_UNDER_WAY = (TaskRecord.RUNNING, TaskRecord.OWED)
_NOT_BEGUN = (TaskRecord.WAITING, TaskRecord.PASSED)
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)
_WITH_INNER = (EachDefinition, FirstOfDefinition)


class Unmovable(Exception):
    """An instance cannot be carried over; the text says why, and nothing of it has changed."""


@dataclass(frozen=True, slots=True)
class MovedInstance:
    """An instance as it will be, before its record is changed."""

    state: bytes
    tasks: tuple[TaskRecord, ...]
    timers: Mapping[str, str]  # by the old name of a timer, its new one


def migrate(definition: Definition, record: SagaRecord, key: str) -> Mapping[str, str]:
    """Change the record in place. Gives timers that have another name now. Raises Unmovable.

    Where no migration leads from its version right here, the instance goes by way of a version between the two.
    """
    between = definition.between.get(record.fingerprint)
    if between is None:
        return _moved_on(definition, record, key)
    moved = SagaRecord()
    moved.CopyFrom(record)
    try:
        first = migrate(between, moved, key)
    except Unmovable as error:
        raise Unmovable(f"on its way over version {between.fingerprint.hex()}: {error}") from error
    then = migrate(definition, moved, key)
    record.CopyFrom(moved)
    renamed = {name: then.get(first.get(name, name), first.get(name, name)) for name in (*first, *then)}
    return {old: new for old, new in renamed.items() if old != new}


def way_of(definition: Definition, fingerprint: bytes) -> tuple[bytes, ...]:
    """The versions that an instance has had once it is carried over from this one."""
    between = definition.between.get(fingerprint)
    return (fingerprint,) if between is None else (*way_of(between, fingerprint), between.fingerprint)


def _moved_on(definition: Definition, record: SagaRecord, key: str) -> Mapping[str, str]:
    """By the migration from the record's own version."""
    migration = definition.carries[record.fingerprint]
    wanted = full_name(migration.state_type)
    if record.state_type not in names_of(migration.state_type):
        raise Unmovable(f"its migration takes {wanted}, and its state is {record.state_type}")
    position = Position(status_name(record), {task.path: task_name(task) for task in record.tasks})
    earlier = [_asked(migration, definition, state, position, key) for state in frozen.earlier(record)]
    of_undos = [_stored(one.state) for one in earlier]
    move = _moved(definition, record, _asked(migration, definition, record.state, position, key))
    frozen.put_earlier(record, of_undos)
    record.earlier_fingerprints.append(record.fingerprint)
    record.fingerprint = definition.fingerprint
    record.state_type, record.state = full_name(definition.state_type), move.state
    del record.tasks[:]
    record.tasks.extend(move.tasks)
    for held in record.held:
        held.timer = move.timers.get(held.timer, held.timer)
    pivot = definition.pivot_index
    if pivot is not None and record.tasks[pivot].status == TaskRecord.DONE:
        record.pivot_passed = True
    return move.timers


def _asked(migration: Migration, definition: Definition, state: bytes, position: Position, key: str) -> Carried:
    """What the author's function makes of a state: of the present one, or of one that an undo is given."""
    try:
        made: object = migration.function(migration.state_type.FromString(state), position)
    except DecodeError as error:
        raise Unmovable(f"its state cannot be read: {error}") from error
    except BaseException as error:  # the author's code: its bug, or exit, leaves the instance at rest
        raise Unmovable(f"its migration raised {text_of(error)}") from error
    if isinstance(made, Message):
        made = Carried(made)
    if not isinstance(made, Carried) or type(made.state) is not definition.state_type:
        wrong = made.state if isinstance(made, Carried) else made
        raise Unmovable(f"its migration made a {type(wrong).__name__}, not a {full_name(definition.state_type)}")
    field = definition.key_field
    if field and getattr(made.state, field) != key:
        raise Unmovable(f"its migration left {field!r} as {getattr(made.state, field)!r}, and its key is {key!r}")
    return made


def _stored(state: Message) -> bytes:
    try:
        return state.SerializeToString(deterministic=True)
    except Exception as error:  # of protobuf: a field that has to be set is not
        raise Unmovable(f"its migration made what cannot be stored: {text_of(error)}") from error


def _moved(definition: Definition, record: SagaRecord, carried: Carried) -> MovedInstance:
    new_places = {node.name: node.index for node in definition.nodes}
    wholes = [task for task in record.tasks if not task.within]
    _check_names(wholes, carried, new_places)
    tasks = [TaskRecord(path=node.name) for node in definition.nodes]
    timers: dict[str, str] = {}
    places: dict[int, int] = {}  # by the old place of a task, its new one
    for old_place, task in enumerate(wholes):
        name = carried.tasks.get(task.path, task.path)
        place = new_places.get(name)
        if place is None or place in places.values():
            _check_droppable(task, record, is_said=task.path in carried.tasks and not name)
            continue
        node = definition.nodes[place]
        _check_fits(task, node, has_inner=any(one.within == old_place + 1 for one in record.tasks))
        places[old_place] = place
        tasks[place].CopyFrom(task)
        tasks[place].path = node.name
        if node.timer != task.path:
            timers[task.path] = node.timer
    tasks += _moved_within(definition, record, places, timers)
    known = frozenset(places.values())
    if heading(record) in (SagaRecord.RUNNING, SagaRecord.COMPLETED):
        _pass_over(definition, tasks, known, is_over=record.status == SagaRecord.COMPLETED)
    if heading(record) == SagaRecord.RUNNING:
        _check_position(definition, record, tasks, known)
    return MovedInstance(_stored(carried.state), tuple(tasks), timers)


def _moved_within(
    definition: Definition, record: SagaRecord, places: Mapping[int, int], timers: dict[str, str]
) -> list[TaskRecord]:
    """Items of lists and alternatives, each in the task that goes on in place of its own."""
    found = []
    for task in record.tasks:
        if not task.within:
            continue
        place = places.get(task.within - 1)
        if place is None:
            _check_droppable(task, record, is_said=True)
            continue
        node, moved = definition.nodes[place], TaskRecord()
        moved.CopyFrom(task)
        moved.within, moved.path = place + 1, f"{node.name}[{task.path.partition('[')[2]}"
        if isinstance(node, FirstOfDefinition) and moved.path not in [one.name for one in node.alternatives]:
            raise Unmovable(f"its task {task.path!r} is none of the alternatives of {node.name!r}")
        if moved.path != task.path and task.HasField("lock") and task.status in (*_UNDER_WAY, TaskRecord.DONE):
            raise Unmovable(f"its task {task.path!r} has asked for a lock under this name: keep the name of the list")
        if moved.path != task.path:
            timers[task.path] = moved.path
        found.append(moved)
    return found


def _check_names(wholes: Sequence[TaskRecord], carried: Carried, places: Mapping[str, int]) -> None:
    known, goals = {task.path for task in wholes}, [name for name in carried.tasks.values() if name]
    for old, new in carried.tasks.items():
        if old not in known:
            raise Unmovable(f"its migration names the task {old!r}, which its old definition has not")
        if new and new not in places:
            raise Unmovable(f"its migration has {old!r} go on as {new!r}, which its new definition has not")
        if new and goals.count(new) > 1:
            raise Unmovable(f"its migration has two tasks go on as {new!r}")


def _check_droppable(task: TaskRecord, record: SagaRecord, *, is_said: bool) -> None:
    if record.status in _ENDED:
        return
    if task.status in _UNDER_WAY:
        raise Unmovable(f"its step {task.path!r} is {task_name(task)}: say which task goes on in its place")
    if task.status == TaskRecord.DONE and task.HasField("lock"):
        raise Unmovable(f"its lock {task.path!r} is held, and nothing would release {task.address}: keep the lock")
    if task.status == TaskRecord.DONE and not is_said:
        raise Unmovable(
            f"its step {task.path!r} is done: say which task stands for it now, or, by an empty name, that "
            "nothing of it will ever have to be undone"
        )


def _check_fits(task: TaskRecord, node: Node, *, has_inner: bool) -> None:
    """What is known of the task has to mean something to the node."""
    asks = bool(task.do.command_id)
    was_whole, is_whole = has_inner or task.HasField("inner"), isinstance(node, _WITH_INNER)
    is_other = task.status not in _NOT_BEGUN and was_whole is not is_whole
    if is_other or (task.status in _UNDER_WAY and asks is not isinstance(node, StepDefinition)):
        raise Unmovable(f"its task {task.path!r} is {task_name(task)}, and {node.name!r} is of another kind")
    if task.status == TaskRecord.RUNNING and task.awaits and task.path != node.name:
        raise Unmovable(f"its task {task.path!r} waits for an event under this name, and cannot go on as {node.name!r}")
    if task.status in _UNDER_WAY or task.status == TaskRecord.DONE:
        _check_lock(task, node)
    if task.status == TaskRecord.OWED and not node.is_undoable:
        raise Unmovable(f"its step {task.path!r} has to be undone, and {node.name!r} has no undo")
    if task.status == TaskRecord.DONE and isinstance(node, WhenDefinition) and not task.HasField("holds"):
        raise Unmovable(f"its task {task.path!r} is done, and has not made the choice {node.name!r}")


def _check_lock(task: TaskRecord, node: Node) -> None:
    is_lock = isinstance(node, LockDefinition)
    if task.HasField("lock") is not is_lock:
        raise Unmovable(f"its task {task.path!r} is {task_name(task)}, and {node.name!r} is of another kind")
    if isinstance(node, LockDefinition):
        is_same = task.path == node.name and parse_address(task.address)[0] == node.command.kind
        if not is_same:
            what = f"has asked for {task.address} under this name"
            raise Unmovable(f"its task {task.path!r} {what}, and cannot go on as {node.name!r}")


def _pass_over(definition: Definition, tasks: list[TaskRecord], known: Collection[int], *, is_over: bool) -> None:
    """New tasks whose time is past, or whose branch was not taken."""
    untaken = {
        place
        for node in definition.nodes
        if isinstance(node, WhenDefinition) and tasks[node.index].status == TaskRecord.DONE
        for place in (node.otherwise if tasks[node.index].holds else node.then)
    }
    for node in definition.flow_nodes:
        has_begun = any(tasks[index].status not in _NOT_BEGUN for index in node.all_after)
        if node.index not in known and (is_over or has_begun or node.index in untaken):
            tasks[node.index].status = TaskRecord.PASSED


def _check_position(
    definition: Definition, record: SagaRecord, tasks: list[TaskRecord], known: Collection[int]
) -> None:
    """What has begun has nothing before it that is not settled, and the point of no return is on one side of both."""
    for node in definition.flow_nodes:
        for index in node.before:
            if tasks[node.index].status not in _NOT_BEGUN and tasks[index].status not in SETTLED:
                raise Unmovable(
                    f"its step {node.name!r} has begun, and {tasks[index].path!r}, which comes before it now, is "
                    f"{task_name(tasks[index])}"
                )
    pivot = definition.pivot_index
    if record.pivot_passed and (pivot is None or tasks[pivot].status not in SETTLED):
        now = "there is none" if pivot is None else f"{definition.nodes[pivot].name!r}, is not done"
        raise Unmovable(f"it is past its point of no return, and that of its new definition, {now}")
    if pivot is not None and pivot not in known and tasks[pivot].status == TaskRecord.PASSED:
        raise Unmovable(f"{definition.nodes[pivot].name!r}, its new point of no return, comes before what has begun")
