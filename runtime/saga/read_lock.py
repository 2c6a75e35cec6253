"""From an author's lock to its node of a definition: a step that asks the actor of the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.durations import check_span, in_seconds, shown
from runtime.envelope import wrong_kind
from runtime.errors import InvalidDefinition
from runtime.protos.lock_pb2 import AcquireLock, LockGranted, LockReleased, ReleaseLock
from runtime.saga.functions import called, check_state, returned_by, takes
from runtime.saga.lock import Lock
from runtime.saga.node import LockDefinition, Meaning, Role, full_name
from runtime.saga.step import Budget

__all__ = ["lock_kind", "read_lock"]


def lock_kind(name: str) -> str:
    """The kind of the durable actors that know who holds which key of what has this name."""
    return f"{name}-lock"


def read_lock(
    where: str,
    state_type: type[Message],
    name: str,
    index: int,
    part: Lock,
    role: Role,
    item_type: type[Any] | None = None,
) -> LockDefinition:
    """`where` is the place of the lock, for errors; `item_type` that of a list. Raises InvalidDefinition."""
    _check(part, where, role)
    kind = lock_kind(part.name)
    return LockDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        command=Contract(full_name(AcquireLock), AcquireLock, kind, "key"),
        do=_asks(part, f"{where}.key", state_type, item_type),
        meanings={LockGranted: Meaning.DONE},
        undo=_no_undo_by_state,
        undo_command=Contract(full_name(ReleaseLock), ReleaseLock, kind, "key"),
        undone=frozenset((LockReleased,)),
        undo_working=(),
        no_undo="",
        dones=(full_name(LockGranted),),
        refusals=(),
        on_answer={},
        timeout_s=in_seconds(part.within),
        every_s=0.0,
        at_most_s=0.0,
        budget=Budget(),
        lock=part.name,
        expires_s=in_seconds(part.expires or 0.0),
    )


def _no_undo_by_state(_state: Any, _reason: str) -> Message:
    raise AssertionError("what a saga releases is told by its record, and not by the state")


def _check(part: Lock, where: str, role: Role) -> None:
    if not isinstance(part.name, str) or (wrong := wrong_kind(part.name)):
        said = wrong if isinstance(part.name, str) else f"a text; it has {part.name!r}"
        raise InvalidDefinition(f"{where}: the name of what is locked becomes a part of a kind, and needs {said}")
    if part.within is None:
        raise InvalidDefinition(f"{where}: it does not say how long to wait for the lock: within=minutes(5)")
    check_span(part.within, "a wait for a lock has a finite span above 0 (within)", where)
    if part.expires is not None:
        check_span(part.expires, "a lock is held for a finite span above 0 (expires), or until the end", where)
    if role is Role.RETRIABLE:
        raise InvalidDefinition(
            f"{where}: it comes after the pivot, from where there is no way back, and two sagas that wait for each "
            "other could never go on; take the lock before the pivot"
        )


def _asks(part: Lock, where: str, state_type: type[Message], item_type: type[Any] | None) -> Callable[..., Message]:
    """The author's key as what asks its actor. Who asks, and for which of its tasks, is added when it does."""
    key, expires_s = part.key, in_seconds(part.expires or 0.0)
    check_state(key, where, state_type)
    if not takes(key, 1 if item_type is None else 2):
        given = "the state" if item_type is None else "the state and the item"
        raise InvalidDefinition(f"{where}: {called(key)} takes {given}; no more, and no less")
    if (made := returned_by(key, where)) not in (str, None, Any):
        raise InvalidDefinition(
            f"{where}: {called(key)} returns {shown(made)} by its annotation; it has to return a str"
        )

    def ask(state: Any, _reason: str, *item: Any) -> Message:
        value: object = key(state, *item)
        if not isinstance(value, str) or not value:
            raise ValueError(f"key made {shown(value)}; it has to be the text that says which {part.name} is locked")
        return AcquireLock(key=value, expires_s=expires_s)

    return ask
