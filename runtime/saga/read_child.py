"""From an author's child saga to its node of a definition: a step that is answered by the child's end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durations import in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import SagaCompensated, SagaCompleted, SagaStuck, SagaUnderWay, StartRefused, UndoSaga
from runtime.saga.child import Child
from runtime.saga.definition import Definition
from runtime.saga.functions import called, check_state, parameter_of, returned_by, takes, with_item
from runtime.saga.node import ChildDefinition, Meaning, Role, full_name
from runtime.saga.on import On
from runtime.saga.patience import check_pace, check_timeout
from runtime.saga.step import Budget, Step

__all__ = ["read_child"]

_MEANINGS: dict[type[Message], Meaning] = {
    SagaCompleted: Meaning.DONE,
    SagaCompensated: Meaning.REFUSED,
    StartRefused: Meaning.REFUSED,
    SagaStuck: Meaning.WORKING,
    SagaUnderWay: Meaning.WORKING,
}


def read_child(
    where: str,
    state_type: type[Message],
    name: str,
    index: int,
    part: Child,
    role: Role,
    item_type: type[Any] | None = None,
) -> ChildDefinition:
    """`where` is the place of the child, for errors. Of a list's child, the functions take an item.

    Raises InvalidDefinition.
    """
    child = getattr(part.saga, "definition", None)
    if not isinstance(child, Definition):
        raise InvalidDefinition(f"{where}: {shown(part.saga)} is no saga; name its class: Child(RentCar, start=...)")
    if role is Role.RETRIABLE:
        raise InvalidDefinition(
            f"{where}: it comes after the pivot, from where there is no way back, and a child saga may end undone; put "
            "it before the pivot, or have the child started by an event: Publish(...)"
        )
    _check_times(part, where)
    start = _start(part, where, state_type, child, item_type)
    key_field = start.key or contract_of(start.event_type).key_field
    function = part.start
    return ChildDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        command=Contract(full_name(start.event_type), start.event_type, child.name, key_field),
        do=_given(function, f"{where}.start", state_type, item_type),
        meanings=_MEANINGS,
        undo=_no_undo_by_state,
        undo_command=Contract(full_name(UndoSaga), UndoSaga, child.name, "key"),
        undone=frozenset((SagaCompensated,)),
        undo_working=(SagaStuck, SagaUnderWay),
        no_undo="",
        dones=(full_name(SagaCompleted),),
        refusals=(full_name(SagaCompensated), full_name(StartRefused)),
        on_answer=_keepers(part, f"{where}.on_done", item_type or state_type, child),
        timeout_s=in_seconds(part.timeout),
        every_s=in_seconds(part.every),
        at_most_s=in_seconds(part.at_most or 0.0),
        budget=Budget(),
        saga=child.name,
        result_type=child.result_type,
        may_stay=_reason(part.may_stay, where),
    )


def _no_undo_by_state(_state: Any, _reason: str) -> Message:
    raise AssertionError("which child is undone is told by the record, and not by the state")


def _check_times(part: Child, where: str) -> None:
    step = Step(part.start, SagaCompleted, working=SagaUnderWay, timeout=part.timeout, every=part.every)
    check_timeout(step, where)
    check_pace(Step(part.start, SagaCompleted, working=SagaUnderWay, every=part.every, at_most=part.at_most), where)


def _given(
    function: Callable[..., Any], where: str, state_type: type[Message], item_type: type[Any] | None
) -> Callable[..., Message]:
    if item_type is None:
        return lambda state, _reason: function(state)
    return with_item(function, where, state_type, item_type)


def _start(part: Child, where: str, state_type: type[Message], child: Definition, item_type: type[Any] | None) -> On:
    function = part.start
    check_state(function, f"{where}.start", state_type)
    made = returned_by(function, f"{where}.start")
    starts = [one for one in child.starts if one.event_type is made]
    if not starts or (item_type is None and not takes(function, 1)):
        events = " or ".join(full_name(one.event_type) for one in child.starts)
        raise InvalidDefinition(
            f"{where}.start: {called(function)} takes the state alone, and is annotated with the event that it makes; "
            f"{child.title} is started by {events}"
        )
    return starts[0]


def _reason(may_stay: object, where: str) -> str:
    if not isinstance(may_stay, str):
        raise InvalidDefinition(f"{where}: may_stay says in words why the child may stay; it is {shown(may_stay)}")
    return may_stay.strip()


def _keepers(
    part: Child, where: str, changed: type[Any], child: Definition
) -> dict[type[Message], Callable[[Any, Any], object]]:
    function = part.on_done
    if function is None:
        return {}
    wanted = child.result_type
    if wanted is None:
        raise InvalidDefinition(f"{where}: {child.title} makes no result; give it one (result = ...), or take this out")
    if changed is str:
        raise InvalidDefinition(f"{where}: its items are texts, which keep nothing; let the items be messages")
    check_state(function, where, changed)
    if not takes(function, 2) or parameter_of(function, where) is not wanted:
        raise InvalidDefinition(
            f"{where}: {called(function)} takes the state and the result of {child.title}, a {full_name(wanted)}; "
            "no more"
        )

    def keep(state: Any, end: SagaCompleted) -> object:
        if end.result_type != full_name(wanted):
            raise ValueError(f"the child has completed without a {full_name(wanted)}: {end.error or end.result_type}")
        return function(state, wanted.FromString(end.result))

    return {SagaCompleted: keep}
