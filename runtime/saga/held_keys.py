"""The keys that an instance holds: as its state tells them, they are asked for and given up in the commit of the turn.

    the state tells a key ──HoldKey──▶ KIND-keys/VALUE ──KeyHeld──▶ HELD
                                               └──KeyTaken──▶ REFUSED: the saga turns back, or is stuck
    the state tells another, or none; the saga has ended ──ReleaseKey──▶ KIND-keys/VALUE

What an input means for a key is recorded at once (`hears`). What follows for the saga, comes after the turn (`follow`):
so a suspended instance, which sends nothing, has its keys follow once it is resumed. What follows may end a saga that
owes nothing. So its keys are given up once more after that (`give_up`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from runtime.durable.behaviour import Outgoing
from runtime.durations import shown
from runtime.envelope import address_of, body_of, check_key, content_of, parse_address
from runtime.errors import InvalidMessage
from runtime.protos.saga_pb2 import (
    Exchange,
    HoldKey,
    KeyHeld,
    KeyTaken,
    ReleaseKey,
    SagaRecord,
    StandingKey,
    TaskRecord,
)
from runtime.saga import author, compensation, inputs
from runtime.saga.author import AuthorFailed
from runtime.saga.definition import KeyDefinition
from runtime.saga.instance import Instance
from runtime.saga.node import Node
from runtime.saga.nodes import awaits
from runtime.saga.read_await import keys_kind
from runtime.saga.verdict import TaskVerdict, failed

__all__ = ["follow", "give_up", "hears"]

_ENDED = (SagaRecord.NONE, SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


def hears(saga: Instance, given: inputs.Input) -> bool:
    """Whether the input is what the actor of a key says of it; then the record knows it now."""
    if not isinstance(given, inputs.Answered | inputs.Faulted):
        return False
    keys = saga.record.keys
    entry = next((one for one in keys if one.command_id == given.command_id), None) if keys else None
    if entry is None:
        return False
    match given:
        case inputs.Faulted():
            _refuse(entry, f"the actor of the key {entry.value!r} has given up: {given.error}")
        case inputs.Answered(message=KeyTaken() as taken):
            held = f", in its step {taken.task}" if taken.task else ""
            _refuse(entry, f"{taken.holder} holds the key {entry.value!r} already{held}")
        case inputs.Answered(message=KeyHeld()):
            entry.status = StandingKey.HELD
    return True


def follow(saga: Instance) -> Iterator[tuple[Node, TaskRecord, TaskVerdict]]:
    """Ask for the keys that the state tells now, and give up the others. What that means for tasks is acted on."""
    give_up(saga)
    if saga.record.suspended:
        return
    for key in _wanted(saga):
        entry = _entry(saga, key)
        try:
            value = _value(saga, key)
        except AuthorFailed as error:
            _refuse(entry, str(error))
        else:
            yield from _moved_to(saga, key, entry, value)
        if entry.status == StandingKey.HELD:
            yield from _waits_begun(saga, key)
        _fail(saga, key, entry)
        if saga.record.status in _ENDED:
            return


def give_up(saga: Instance) -> None:
    """Give up each key that the instance needs no more: all of them, once it has ended."""
    record = saga.record
    if record.suspended:
        return
    wanted = {key.name for key in _wanted(saga)}
    for entry in [one for one in record.keys if one.name not in wanted]:
        _release(saga, entry)
        record.keys.remove(entry)


def _wanted(saga: Instance) -> Sequence[KeyDefinition]:
    return () if saga.record.status in _ENDED else saga.definition.keys


def _moved_to(
    saga: Instance, key: KeyDefinition, entry: StandingKey, value: str
) -> Iterator[tuple[Node, TaskRecord, TaskVerdict]]:
    if value == entry.value:
        if value and entry.status == StandingKey.UNASKED:
            _ask(saga, key, entry)
        return
    _release(saga, entry)
    entry.value, entry.error, entry.status = value, "", StandingKey.UNASKED
    if value:
        _ask(saga, key, entry)
    yield from _waits_moved(saga, key, value)


def _waits_moved(saga: Instance, key: KeyDefinition, value: str) -> Iterator[tuple[Node, TaskRecord, TaskVerdict]]:
    """A wait that is under way goes on by the new key, in the time that it has left. By none it fails, begun or not."""
    if saga.heading != SagaRecord.RUNNING:
        return
    for node in saga.definition.awaits:
        task = saga.tasks[node.index]
        is_under_way = task.status == TaskRecord.RUNNING and parse_address(task.address)[1] != value
        if node.standing == key.name and not value and (is_under_way or _was_refused(task)):
            gone = f"the key {key.name} is empty now, by which {node.event.DESCRIPTOR.name} was to come"
            yield node, task, failed(gone)
        elif node.standing == key.name and is_under_way:
            yield node, task, awaits.moved(saga, node, task)


def _waits_begun(saga: Instance, key: KeyDefinition) -> Iterator[tuple[Node, TaskRecord, TaskVerdict]]:
    """A wait that was refused while another instance held the key."""
    if saga.heading != SagaRecord.RUNNING:
        return
    for node in saga.definition.awaits:
        task = saga.tasks[node.index]
        if node.standing == key.name and _was_refused(task):
            yield node, task, awaits.begin(saga, node, task)


def _was_refused(task: TaskRecord) -> bool:
    """Of a wait that begins once the saga holds its key, at which it is stuck."""
    return task.status == TaskRecord.WAITING and task.do.status == Exchange.REFUSED


def _value(saga: Instance, key: KeyDefinition) -> str:
    """Raises AuthorFailed."""

    def of(state: Any, _reason: str) -> object:
        return key.of(state)

    what = f"key {key.name}"
    value: object = author.made_by(saga.definition, saga.record, what, of)
    if not isinstance(value, str):
        raise AuthorFailed(f"{what} made {shown(value)}, which is no text")
    try:
        return check_key(value) if value else ""
    except InvalidMessage as error:
        raise AuthorFailed(f"{what} made {shown(value)}: {error}") from error


def _entry(saga: Instance, key: KeyDefinition) -> StandingKey:
    found = next((one for one in saga.record.keys if one.name == key.name), None)
    return saga.record.keys.add(name=key.name) if found is None else found


def _ask(saga: Instance, key: KeyDefinition, entry: StandingKey) -> None:
    asked = HoldKey(key=entry.value, name=key.name, event_types=key.events)
    kind, body = keys_kind(saga.definition.name), body_of(asked)
    entry.command_id = saga.next_id(address_of(kind, entry.value), content_of(HoldKey.DESCRIPTOR.full_name, body, b""))
    entry.status = StandingKey.ASKED
    saga.outgoing.append(Outgoing(asked, kind, entry.value, entry.command_id, wants_reply=True, body=body))


def _release(saga: Instance, entry: StandingKey) -> None:
    if entry.stuck:
        saga.unstick(entry)
    if entry.value:
        release = ReleaseKey(key=entry.value, name=entry.name)
        saga.outgoing.append(Outgoing(release, keys_kind(saga.definition.name), entry.value))


def _refuse(entry: StandingKey, error: str) -> None:
    entry.status, entry.error = StandingKey.REFUSED, error


def _fail(saga: Instance, key: KeyDefinition, entry: StandingKey) -> None:
    """What a key that is refused means for a saga that goes forward. On its way back it needs none."""
    if entry.status != StandingKey.REFUSED or entry.stuck or saga.heading != SagaRecord.RUNNING:
        return
    if key.sticks or saga.no_way_back():
        saga.stick_at_key(entry)
    else:
        compensation.turn_back(saga, f"key {key.name}: {entry.error}")
