"""From an author's `carries` to the migrations of a definition, by the fingerprint that each begins from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import is_message_type
from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.saga.carrying import Migration, Position
from runtime.saga.definition import Definition
from runtime.saga.functions import called, first_parameter_of, takes
from runtime.saga.node import full_name

__all__ = ["read_carries"]

_FINGERPRINT_BYTES = 16


def read_carries(
    title: str, definition: Definition, carries: object
) -> tuple[Mapping[bytes, Migration], Mapping[bytes, Definition]]:
    """The migrations; and by the version that only an older definition carries over, that definition.

    Raises InvalidDefinition for what is no older definition, and what cannot be a migration.
    """
    if not isinstance(carries, Mapping):
        raise InvalidDefinition(f"{title}.carries is older definitions with migrations: {{'9f3c...': migrate}}")
    found: dict[bytes, Migration] = {}
    older: dict[str, Definition | None] = {}
    for key, function in carries.items():
        where = f"{title}.carries[{shown(key)}]"
        fingerprint, old = _older(where, definition, key)
        if fingerprint in found:
            raise InvalidDefinition(f"{where}: this version stands there twice")
        if fingerprint == definition.fingerprint:
            raise InvalidDefinition(f"{where} is this version itself, whose instances go on by themselves; take it out")
        found[fingerprint] = Migration(function, _state_type(where, definition, old, function))
        older[where] = old
    between = _between(title, definition, found, older)
    return {**{one: old.carries[one] for one, old in between.items()}, **found}, between


def _between(
    title: str, definition: Definition, direct: Mapping[bytes, Migration], older: Mapping[str, Definition | None]
) -> Mapping[bytes, Definition]:
    """Each version has one way to this one: a migration that is declared right here, or one older definition."""
    found: dict[bytes, Definition] = {}
    for where, old in older.items():
        if old is None:
            continue
        for fingerprint in old.carries:
            if fingerprint == definition.fingerprint:
                raise InvalidDefinition(
                    f"{where}: {old.title} carries over instances of this very version, so the two would go in a "
                    "circle; take one of both migrations out"
                )
            if fingerprint in direct:
                continue
            if fingerprint in found:
                raise InvalidDefinition(
                    f"{where}: instances of version {fingerprint.hex()} would be carried over by way of "
                    f"{found[fingerprint].title} or of {old.title}; say in {title}.carries how they come right here"
                )
            found[fingerprint] = old
    return found


def _older(where: str, definition: Definition, key: object) -> tuple[bytes, Definition | None]:
    old = getattr(key, "definition", None) if isinstance(key, type) else key
    if isinstance(old, Definition):
        if old.name != definition.name:
            raise InvalidDefinition(f"{where} is of the kind {old.name}, and instances never change their kind")
        return old.fingerprint, old
    try:
        fingerprint = bytes.fromhex(old) if isinstance(old, str) else b""
    except ValueError:
        fingerprint = b""
    if len(fingerprint) != _FINGERPRINT_BYTES:
        raise InvalidDefinition(
            f"{where} is no older definition: name its version, which `amends admin definitions` lists as 32 "
            "hexadecimal digits, or its class"
        )
    return fingerprint, None


def _state_type(
    where: str, definition: Definition, old: Definition | None, function: Callable[[Any, Position], Any]
) -> type[Message]:
    hint = first_parameter_of(function, where)
    if not takes(function, 2):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes the old state and the position, (state, position); no more"
        )
    annotated: type[Message] | None = hint if is_message_type(hint) else None
    if old is None:
        return annotated or definition.state_type
    if annotated not in (None, old.state_type):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes {full_name(annotated)} first, and is given {full_name(old.state_type)}"
        )
    return old.state_type
