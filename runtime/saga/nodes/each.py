"""A step for each item of a list: the list is taken once, and each item has a task of its own.

begin ──▶ tasks `lines[HAT]`, at most so many under way ──came──▶ DONE, REFUSED, FAILED
undo  ──▶ those that may have happened, in any order    ──came──▶ UNDONE
                                        or in reverse, one after another, if the list is in order
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.durations import shown
from runtime.envelope import check_key
from runtime.errors import InvalidMessage
from runtime.failures import text_of
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.each import ITEMS_MAX, LOCKS_MAX
from runtime.saga.inner import path_of
from runtime.saga.instance import Instance
from runtime.saga.node import EachDefinition, LockDefinition
from runtime.saga.nodes import within
from runtime.saga.verdict import DONE, Came, TaskVerdict, begun, failed, refused

__all__ = ["begin", "came", "retry", "undo"]

_TASK_BYTES = 200  # Of the record, for what an item's task says of its command and of its undo.
_TAKEN_BACK = (TaskRecord.OWED, TaskRecord.UNDONE, TaskRecord.SKIPPED, TaskRecord.GIVEN_UP)
_LOST = frozenset((TaskRecord.REFUSED, TaskRecord.LEFT_OUT, *_TAKEN_BACK))
_OPEN = frozenset((TaskRecord.RUNNING, TaskRecord.OWED))


def begin(saga: Instance, each: EachDefinition, task: TaskRecord) -> TaskVerdict:
    try:
        items = _items(saga, each)
    except AuthorFailed as error:
        return failed(str(error))
    if task.stuck:
        saga.unstick(task)
    saga.set_status(task, TaskRecord.RUNNING)
    task.inner = len(items)
    for key, body in items.items():
        saga.tasks.add(path=path_of(task.path, key), within=each.index + 1, item=body)
    return _go_on(saga, each, task)


def retry(saga: Instance, each: EachDefinition, task: TaskRecord) -> TaskVerdict:
    return _go_on(saga, each, task) if task.HasField("inner") else begin(saga, each, task)


def came(saga: Instance, each: EachDefinition, task: TaskRecord, one: TaskRecord, verdict: TaskVerdict) -> TaskVerdict:
    """What came of the item `one`."""
    if saga.heading not in (SagaRecord.RUNNING, SagaRecord.COMPLETED):
        return within.back(saga, task, saga.inner(each.index), one, verdict, _undo_order(saga, each))
    if verdict.came is Came.OWES:
        return within.owes(saga, one)
    if verdict.came is Came.FAILED and within.is_final(saga, one):
        if each.in_order:
            return verdict  # What comes after it waits for a person as well.
        waiting = [other for other in saga.inner(each.index) if _is_next(other, one)]
        return verdict._replace(to_begin=tuple(waiting[:1]))  # It rests, so another one may be under way.
    if verdict.came in (Came.REFUSED, Came.FAILED) and (ended := _lost(saga, each, one, verdict)):
        return ended
    return _go_on(saga, each, task) if task.status == TaskRecord.RUNNING else DONE


def _is_next(other: TaskRecord, one: TaskRecord) -> bool:
    return other.status == TaskRecord.WAITING and other.path != one.path


def undo(saga: Instance, each: EachDefinition, task: TaskRecord) -> TaskVerdict:
    return within.undo(saga, task, saga.inner(each.index), _undo_order(saga, each))


def _undo_order(saga: Instance, each: EachDefinition) -> within.UndoOrder:
    return within.UndoOrder(each.at_once, each.in_order, saga.definition.undoes_past_stuck)


def _lost(saga: Instance, each: EachDefinition, one: TaskRecord, verdict: TaskVerdict) -> TaskVerdict | None:
    """What an item that was refused, or has failed, means for the whole; None if it is tolerated."""
    inner = saga.inner(each.index)
    tolerated = len(inner) - each.at_least if each.at_least else each.tolerate
    lost = 1 + sum(other.status in _LOST for other in inner if other.path != one.path)
    if lost <= tolerated:
        if verdict.came is Came.FAILED:
            one.do.error = verdict.why
            within.give_up(saga, one)
        return None
    if not tolerated:
        return verdict
    why = f"{lost} of {len(inner)} are refused or have failed, {tolerated} may; the last: {one.path}: {verdict.why}"
    return refused(why) if verdict.came is Came.REFUSED else failed(why)


def _go_on(saga: Instance, each: EachDefinition, task: TaskRecord) -> TaskVerdict:
    """Begin as many items as may be under way; or the whole is done."""
    inner = saga.inner(each.index)
    statuses = [one.status for one in inner]  # Read once: there may be thousands of items, and as many answers.
    if each.at_least and statuses.count(TaskRecord.DONE) >= each.at_least:
        _do_without(saga, inner, f"{each.at_least} others were done first")
        statuses = [one.status for one in inner]
    under_way, waiting = sum(map(statuses.count, _OPEN)), statuses.count(TaskRecord.WAITING)
    if not under_way and not waiting:
        return _settle(saga, each, task)
    free = max(each.at_once - under_way, 0)
    owed = tuple(within.unasked(inner)) if TaskRecord.OWED in statuses else ()
    return begun(*_first(inner, statuses, min(free, waiting)), to_undo=owed)


def _first(inner: Sequence[TaskRecord], statuses: list[TaskRecord.Status.ValueType], count: int) -> list[TaskRecord]:
    """So many of the items that wait, in the order of the list. No fewer wait."""
    found: list[TaskRecord] = []
    place = -1
    for _ in range(count):
        place = statuses.index(TaskRecord.WAITING, place + 1)
        found.append(inner[place])
    return found


def _do_without(saga: Instance, inner: Sequence[TaskRecord], why: str) -> None:
    """Enough items are done: those that wait are passed over, and those under way are given up."""
    for one in inner:
        if one.status == TaskRecord.WAITING:
            saga.set_status(one, TaskRecord.PASSED)
    for one in inner:
        if one.status == TaskRecord.RUNNING:
            one.do.error = why
            within.give_up(saga, one)


def _settle(saga: Instance, each: EachDefinition, task: TaskRecord) -> TaskVerdict:
    if each.on_done is not None:
        done = [each.item_of(one.item) for one in saga.inner(each.index) if one.status == TaskRecord.DONE]
        try:
            author.change(saga.definition, saga.record, f"on_done of {each.name}", each.on_done, done, saga.bounds)
        except AuthorFailed as error:
            return failed(str(error))
    if task.stuck:
        saga.unstick(task)
    saga.set_status(task, TaskRecord.DONE)
    return DONE


def _items(saga: Instance, each: EachDefinition) -> dict[str, bytes]:
    """Items by key. Raises AuthorFailed."""
    what = f"items of {each.name}"
    made = author.made_by(saga.definition, saga.record, what, each.items)
    items: dict[str, bytes] = {}
    most = LOCKS_MAX if isinstance(each.step, LockDefinition) else ITEMS_MAX
    try:
        for number, item in enumerate(_several(what, made)):
            if number == most:
                raise AuthorFailed(f"{what} made more than {most:,}, which is the limit; split the list")
            key = _key_of(what, each, item)
            if key in items:
                raise AuthorFailed(
                    f"{what} made two of the key {key!r}; an item is known by its key: give each its own"
                )
            items[key] = item.encode() if isinstance(item, str) else item.SerializeToString(deterministic=True)
    except AuthorFailed:
        raise
    except BaseException as error:  # the author's iterable, and the author's key
        raise AuthorFailed(f"{what} raised {text_of(error)}") from error
    _check_room(saga, what, items)
    if len(items) < each.at_least:
        raise AuthorFailed(f"{what} made {len(items)}, and at least {each.at_least} have to be done")
    return items


def _check_room(saga: Instance, what: str, items: dict[str, bytes]) -> None:
    """Whether the record of the instance can hold a task for each item. Raises AuthorFailed."""
    limit = saga.bounds.state_bytes_max
    if not limit or (len(items) * _TASK_BYTES < limit // 8 and sum(map(len, items.values())) < limit // 8):
        return
    size = sum(len(body) + len(key.encode()) + _TASK_BYTES for key, body in items.items())
    room = limit - saga.record.ByteSize()
    if size > room:
        raise AuthorFailed(
            f"{what} made {len(items):,}, for which the record of the saga would need about {size:,} bytes; it has "
            f"room for {max(room, 0):,} (setting state_bytes_max). Give a child saga to each page of the list"
        )


def _several(what: str, made: object) -> Iterable[Any]:
    if isinstance(made, Iterable) and not isinstance(made, str | bytes | Message):
        return made
    raise AuthorFailed(f"{what} made {type(made).__name__}, not several items")


def _key_of(what: str, each: EachDefinition, item: object) -> str:
    if type(item) is not each.item_type:
        raise AuthorFailed(f"{what} made one of type {type(item).__name__}, not {each.item_type.__name__}")
    key = each.key(item)
    if not isinstance(key, str) or not key:
        raise AuthorFailed(f"{what}: an item has the key {shown(key)}, which is no text that names it")
    try:
        check_key(path_of(each.name, key), f"{each.name}[KEY]")
    except InvalidMessage as error:
        raise AuthorFailed(f"{what}: an item has a key that cannot name its task: {error}") from error
    return key
