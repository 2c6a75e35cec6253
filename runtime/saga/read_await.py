"""From an author's wait for an event to its node of a definition: a step that asks the actor of the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, Contract, contract_of
from runtime.durations import check_count, check_span, in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import AwaitEvent, KeyTaken, StoppedWaiting, StopWaiting
from runtime.saga.awaiting import DISCARD, FAULT, GO_ON, KEEP, TURN_BACK, Await
from runtime.saga.checks import check_key_path
from runtime.saga.functions import check_text_of_state
from runtime.saga.key import Key
from runtime.saga.node import AwaitDefinition, Meaning, Role, full_name
from runtime.saga.read_step import message_types, read_keepers
from runtime.saga.step import Budget

__all__ = ["keys_kind", "read_await"]

_KEEP_MAX = 1_000


def keys_kind(saga: str) -> str:
    """The kind of the durable actors that know which instance of a saga waits for which key."""
    return f"{saga}-keys"


def read_await(
    where: str,
    saga: str,
    state_type: type[Message],
    name: str,
    index: int,
    part: Await,
    role: Role,
    keys: Mapping[str, Key],
) -> AwaitDefinition:
    """`where` is the place of the wait, for errors; `saga` the kind of its saga, `keys` are those of its class.

    Raises InvalidDefinition.
    """
    event, by = _event(part, where)
    _check_times(part, where, role)
    kind = keys_kind(saga)
    is_past = role is Role.RETRIABLE
    standing, key = _standing(part, where, keys)
    return AwaitDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        command=Contract(full_name(AwaitEvent), AwaitEvent, kind, "key"),
        do=_asks(key, f"{where}.key", state_type, event, name),
        meanings={event: Meaning.DONE} if is_past else {event: Meaning.DONE, KeyTaken: Meaning.REFUSED},
        undo=None if is_past else _no_undo_by_state,
        undo_command=None if is_past else Contract(full_name(StopWaiting), StopWaiting, kind, "key"),
        undone=frozenset(() if is_past else (StoppedWaiting,)),
        undo_working=(),
        no_undo="",
        dones=(full_name(event),),
        refusals=() if is_past else (full_name(KeyTaken),),
        on_answer=read_keepers(part.on_event, f"{where}.on_event", (event,), state_type),
        timeout_s=in_seconds(part.within),
        every_s=0.0,
        at_most_s=0.0,
        budget=Budget(),
        event=event,
        by=by,
        goes_on=part.on_timeout == GO_ON,
        early=part.early,
        keep_max=part.keep,
        keep_for_s=in_seconds(part.keep_for),
        is_outside=part.outside,
        standing=standing,
    )


def _no_undo_by_state(_state: Any, _reason: str) -> Message:
    raise AssertionError("what a wait withdraws is told by its record, and not by the state")


def _standing(part: Await, where: str, keys: Mapping[str, Key]) -> tuple[str, Callable[[Any], str]]:
    """The name of its key in the class, if it is one of those, and what tells it."""
    if not isinstance(part.key, Key):
        return "", part.key
    name = next((name for name, one in keys.items() if one is part.key), "")
    if not name:
        raise InvalidDefinition(
            f"{where}: its key is no attribute of the class; give it a name there: payment = Key(...)"
        )
    return name, part.key.of


def _event(part: Await, where: str) -> tuple[type[Message], str]:
    (event,) = message_types(part.event, f"{where}.event")
    contract = contract_of(event)
    if event.DESCRIPTOR.file.package == RUNTIMES_OWN:
        raise InvalidDefinition(f"{where}: {contract.name} is the runtime's own; wait for an event of yours")
    if contract.is_command:
        raise InvalidDefinition(f"{where}: {contract.name} is a command; a saga waits for an event")
    by: object = contract.key_field if part.by == "" else part.by
    if by == "":
        raise InvalidDefinition(
            f"{where}: {contract.name} has no key; declare it an event with one, or name the text field that holds "
            "it: by='payment_id'"
        )
    if not isinstance(by, str):
        raise InvalidDefinition(f"{where}: by is the dotted name of a field of the event, not {shown(by)}")
    check_key_path(event, by, where)
    if not isinstance(part.outside, bool):
        raise InvalidDefinition(f"{where}: outside is True or False, not {part.outside!r}")
    return event, by


def _check_times(part: Await, where: str, role: Role) -> None:
    if part.within is None:
        raise InvalidDefinition(f"{where}: it does not say how long to wait for the event: within=days(3)")
    check_span(part.within, "a wait for an event has a finite span above 0 (within)", where)
    if part.on_timeout not in (TURN_BACK, GO_ON):
        raise InvalidDefinition(f"{where}: on_timeout is {TURN_BACK!r} or {GO_ON!r}, not {part.on_timeout!r}")
    if role is Role.RETRIABLE and part.on_timeout != GO_ON:
        raise InvalidDefinition(
            f"{where}: it comes after the pivot, from where there is no way back, and the event may never come; say "
            f"that the saga goes on without it (on_timeout={GO_ON!r}), or wait before the pivot"
        )
    if part.early not in (KEEP, DISCARD, FAULT):
        raise InvalidDefinition(f"{where}: early is {KEEP!r}, {DISCARD!r} or {FAULT!r}, not {part.early!r}")
    check_count(part.keep, "keep is how many events that come early are kept", where, least=1, most=_KEEP_MAX)
    check_span(part.keep_for, "events that come early are kept for a finite span above 0 (keep_for)", where)


def _asks(
    key: Callable[[Any], Any], where: str, state_type: type[Message], event: type[Message], task: str
) -> Callable[[Any, str], Message]:
    """The author's key as what asks its actor."""
    check_text_of_state(key, where, state_type)
    event_type = full_name(event)

    def ask(state: Any, _reason: str) -> Message:
        value: object = key(state)
        if not isinstance(value, str) or not value:
            raise ValueError(f"key made {shown(value)}; it has to be the text by which {event_type} is found")
        return AwaitEvent(key=value, event_type=event_type, task=task)

    return ask
