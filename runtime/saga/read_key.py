"""From an author's key to what an interpreter needs of it: who tells it, and which events are awaited by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.saga.definition import KeyDefinition
from runtime.saga.functions import check_text_of_state
from runtime.saga.key import STUCK, TURN_BACK, Key
from runtime.saga.node import AwaitDefinition, Node, full_name

__all__ = ["read_keys"]


def read_keys(
    title: str, state_type: type[Message], keys: Mapping[str, Key], nodes: Sequence[Node]
) -> tuple[KeyDefinition, ...]:
    """In the order of the class. Raises InvalidDefinition."""
    awaits = [node for node in nodes if isinstance(node, AwaitDefinition)]
    _check_one_key_each(title, awaits)
    read = []
    for name, key in keys.items():
        where = f"{title}.{name}"
        check_text_of_state(key.of, f"{where}.of", state_type)
        if key.taken not in (TURN_BACK, STUCK):
            raise InvalidDefinition(f"{where}: taken is {TURN_BACK!r} or {STUCK!r}, not {shown(key.taken)}")
        events = dict.fromkeys(full_name(one.event) for one in awaits if one.standing == name)
        if not events:
            raise InvalidDefinition(
                f"{where}: no event is awaited by this key, so that it would find nothing; have one wait by it: "
                f"Await(..., key={name}), or take it out"
            )
        read.append(KeyDefinition(name, key.of, tuple(events), key.taken == STUCK))
    return tuple(read)


def _check_one_key_each(title: str, awaits: Sequence[AwaitDefinition]) -> None:
    """The actor of a key knows an event by its type alone, and cannot tell by which key of the class it is meant."""
    first: dict[type[Message], AwaitDefinition] = {}
    for one in awaits:
        other = first.setdefault(one.event, one)
        if other.standing != one.standing:
            keys = " and ".join(each.standing or "a function of its own" for each in (other, one))
            raise InvalidDefinition(
                f"{title}.{one.name}: {other.name} waits for {full_name(one.event)} as well, and by another key: "
                f"{keys}; let both wait by the same"
            )
