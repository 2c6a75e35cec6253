"""From an author's list, or alternatives, to its node of a definition."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import field_text, is_message_type
from runtime.durations import check_count, shown
from runtime.envelope import check_key
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.saga.checks import check_key_path
from runtime.saga.child import Child
from runtime.saga.each import AT_ONCE, AT_ONCE_MAX, Each
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Part
from runtime.saga.functions import called, check_state, returned_by, takes
from runtime.saga.inner import path_of
from runtime.saga.lock import Lock
from runtime.saga.node import EachDefinition, FirstOfDefinition, Role, StepDefinition
from runtime.saga.read_child import read_child
from runtime.saga.read_lock import read_lock
from runtime.saga.read_step import read_step
from runtime.saga.step import Step

__all__ = ["read_each", "read_first_of"]


def read_each(where: str, state_type: type[Message], name: str, index: int, each: Each, role: Role) -> EachDefinition:
    """`where` is the place of the list, for errors. Raises InvalidDefinition."""
    item_type = _item_type(where, state_type, each)
    _check_counts(where, each, role)
    inner = _Inner(f"{where}.step", state_type, path_of(name, "step"), index, role, item_type)
    return EachDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        items=lambda state, _reason: each.items(state),
        item_type=item_type,
        key=_key(where, each, item_type),
        step=inner.read(each.step),
        at_once=1 if each.in_order else each.at_once,
        in_order=each.in_order,
        at_least=each.at_least or 0,
        tolerate=each.tolerate,
        on_done=_on_done(where, state_type, each),
    )


def read_first_of(
    where: str, state_type: type[Message], name: str, index: int, first_of: FirstOf, role: Role
) -> FirstOfDefinition:
    """`where` is the place of the alternatives, for errors. Raises InvalidDefinition."""
    if len(first_of.alternatives) < 2:
        raise InvalidDefinition(
            f"{where}: alternatives are two steps or more, each with a name: FirstOf(card=Step(...), cash=Step(...))"
        )
    for one in first_of.alternatives:
        try:
            check_key(path_of(name, one), f"{name}[NAME]")
        except InvalidMessage as error:
            raise InvalidDefinition(f"{where}: an alternative has a name that cannot name its task: {error}") from error
    # Past the pivot the last is asked until it is done. The others are what they are before the pivot.
    *_, last = first_of.alternatives
    alternatives = tuple(
        _Inner(
            f"{where}.{one}", state_type, path_of(name, one), index, role if one == last else Role.COMPENSATABLE, None
        ).read(step)
        for one, step in first_of.alternatives.items()
    )
    return FirstOfDefinition(index=index, name=name, role=role, timer=name, alternatives=alternatives)


@dataclass(frozen=True, slots=True)
class _Inner:
    """The place of a step within another node."""

    where: str
    state_type: type[Message]
    name: str
    index: int  # of the other node
    role: Role
    item_type: type[Any] | None  # of a list

    def read(self, part: object) -> StepDefinition:
        """Raises InvalidDefinition."""
        where = self.where
        if isinstance(part, Child):
            return read_child(where, self.state_type, self.name, self.index, part, self.role, self.item_type)
        if isinstance(part, Lock) and self.item_type is not None:
            return read_lock(where, self.state_type, self.name, self.index, part, self.role, self.item_type)
        if not isinstance(part, Step):
            deeper = "; put it into the flow of a saga of its own, and have that as a Child here"
            hint = "; take the lock before" if isinstance(part, Lock) else deeper if isinstance(part, Part) else ""
            known = "a Step, a Child or a Lock" if self.item_type is not None else "a Step or a Child"
            raise InvalidDefinition(f"{where}: it is {known}, not {shown(part)}{hint}")
        if part.pivot:
            raise InvalidDefinition(
                f"{where}: the pivot stands within another node, and is passed only when the whole of it is done; let "
                "a step behind it be the pivot"
            )
        return read_step(where, self.state_type, self.name, self.index, part, self.role, self.item_type)


def _item_type(where: str, state_type: type[Message], each: Each) -> type[Any]:
    check_state(each.items, f"{where}.items", state_type)
    if not takes(each.items, 1):
        raise InvalidDefinition(f"{where}.items: {called(each.items)} takes the state; no more, and no less")
    returned = returned_by(each.items, f"{where}.items")
    inner = typing.get_args(returned)[:1]
    if not inner or not (inner[0] is str or is_message_type(inner[0])):
        raise InvalidDefinition(
            f"{where}.items: annotate what {called(each.items)} returns with the type of the items, a message or a "
            f"text: `-> list[OrderLine]`; it has {shown(returned)}"
        )
    item_type: type[Any] = inner[0]
    return item_type


def _key(where: str, each: Each, item_type: type[Any]) -> Callable[[Any], str]:
    if item_type is str:
        if each.key:
            raise InvalidDefinition(f"{where}.key: its items are texts, and name themselves; take the key out")
        return lambda item: item
    key = each.key
    if isinstance(key, str):
        if not key:
            raise InvalidDefinition(f"{where}: say which text field names an item among the others (key='sku')")
        check_key_path(item_type, key, f"{where}.key")
        return lambda item: field_text(item, key)
    if not callable(key) or not takes(key, 1):
        raise InvalidDefinition(f"{where}.key: it is a field's name, or a function of the item, not {shown(key)}")
    return key


def _check_counts(where: str, each: Each, role: Role) -> None:
    rule = "how many items may be under way (at_once) is a whole number from 1"
    check_count(each.at_once, rule, where, least=1, most=AT_ONCE_MAX)
    if not isinstance(each.in_order, bool):
        raise InvalidDefinition(f"{where}: in_order is True or False, not {shown(each.in_order)}")
    if each.in_order and each.at_once not in (1, AT_ONCE):
        raise InvalidDefinition(
            f"{where}: in order one item is under way at a time, and at_once={each.at_once} says more; take one out"
        )
    check_count(each.tolerate, "how many items may fail (tolerate) is a whole number from 0", where, least=0)
    if each.at_least is not None:
        check_count(each.at_least, "how many have to be done (at_least) is a whole number from 1", where, least=1)
    if each.at_least is not None and each.tolerate:
        raise InvalidDefinition(f"{where}: at_least says how many have to be done, tolerate how many need not; say one")
    if role is Role.RETRIABLE and (each.tolerate or each.at_least is not None):
        raise InvalidDefinition(
            f"{where}: past the pivot each item is asked until it is done, and none is counted as failed; take "
            "at_least and tolerate out, and let the step say past_pivot='skip' if it may be left out"
        )


def _on_done(where: str, state_type: type[Message], each: Each) -> Callable[[Any, list[Any]], object] | None:
    if each.on_done is None:
        return None
    check_state(each.on_done, f"{where}.on_done", state_type)
    if not takes(each.on_done, 2):
        raise InvalidDefinition(f"{where}.on_done: {called(each.on_done)} takes the state and the items; no more")
    if returned_by(each.on_done, where) not in (None, types.NoneType, Any):
        raise InvalidDefinition(
            f"{where}.on_done: {called(each.on_done)} says that it returns something, which would be lost; it changes "
            "the state in place, and returns None"
        )
    return each.on_done
