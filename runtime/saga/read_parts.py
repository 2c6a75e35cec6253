"""From an author's wait or choice to its node of a definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, contract_of, is_message_type
from runtime.durations import check_span, in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.saga.approval import Approval
from runtime.saga.flow import Flow, Part
from runtime.saga.functions import called, check_state, returned_by, takes
from runtime.saga.node import ApprovalDefinition, PublishDefinition, Role, WaitDefinition, WhenDefinition, full_name
from runtime.saga.publish import Publish
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.saga.when import When

__all__ = ["read_approval", "read_publish", "read_result", "read_wait", "read_when"]


def read_wait(where: str, state_type: type[Message], name: str, index: int, wait: Wait, role: Role) -> WaitDefinition:
    """`where` is the place of the wait, for errors. Raises InvalidDefinition."""
    if (wait.span is None) == (wait.until is None):
        raise InvalidDefinition(f"{where}: a wait has a span, Wait(days(2)), or an end, Wait(until=function)")
    span_s, until = 0.0, None
    if wait.until is not None:
        until = _of_state(wait.until, f"{where}.until", state_type, datetime)
    else:
        check_span(wait.span, "a wait has a finite span above 0", where)
        assert wait.span is not None
        span_s = in_seconds(wait.span)
    return WaitDefinition(index=index, name=name, role=role, timer=name, span_s=span_s, until=until)


def read_when(
    where: str, state_type: type[Message], name: str, index: int, when: When, role: Role, places: Mapping[Part, int]
) -> WhenDefinition:
    """`places` of all parts of the flow. Raises InvalidDefinition."""
    then, otherwise = when.branches
    return WhenDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        condition=_of_state(when.condition, f"{where}.condition", state_type, bool),
        then=_branch(where, then, places),
        otherwise=() if otherwise is None else _branch(where, otherwise, places),
    )


def read_result(
    where: str, state_type: type[Message], function: Callable[..., Any] | None
) -> tuple[Callable[[Any, str], Any] | None, type[Message] | None]:
    """What makes the result of a saga, and its type; nothing of a saga without one. Raises InvalidDefinition."""
    if function is None:
        return None, None
    check_state(function, where, state_type)
    made = returned_by(function, where)
    if not is_message_type(made) or not takes(function, 1):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes the state alone, and is annotated with the message that it makes: "
            f"def {called(function)}(state: {state_type.DESCRIPTOR.name}) -> SomeMessage"
        )
    return (lambda state, _reason: function(state)), made


def read_publish(
    where: str, state_type: type[Message], name: str, index: int, part: Publish, role: Role
) -> PublishDefinition:
    """`where` is the place of the event, for errors. Raises InvalidDefinition."""
    check_state(part.event, where, state_type)
    made = returned_by(part.event, where)
    if not is_message_type(made) or not takes(part.event, 1):
        raise InvalidDefinition(
            f"{where}: {called(part.event)} takes the state alone, and is annotated with the event that it makes"
        )
    if contract_of(made).is_command:
        raise InvalidDefinition(f"{where}: {full_name(made)} is a command; what a saga publishes is an event")
    if made.DESCRIPTOR.file.package == RUNTIMES_OWN:
        raise InvalidDefinition(f"{where}: {full_name(made)} is the runtime's own; publish an event of yours")
    function = part.event
    return PublishDefinition(
        index=index, name=name, role=role, timer=name, event=lambda state, _reason: function(state), event_type=made
    )


def read_approval(
    where: str, state_type: type[Message], name: str, index: int, part: Approval, role: Role
) -> ApprovalDefinition:
    """`where` is the place of the approval, for errors. Raises InvalidDefinition."""
    check_state(part.asks, f"{where}.asks", state_type)
    asked = returned_by(part.asks, f"{where}.asks")
    if not is_message_type(asked) or not takes(part.asks, 1):
        raise InvalidDefinition(
            f"{where}.asks: {called(part.asks)} takes the state alone, and is annotated with the message that it makes"
        )
    for what, function in (("by", part.by), ("on_approved", part.on_approved)):
        if function is not None:
            check_state(function, f"{where}.{what}", state_type)
            if not takes(function, 2):
                raise InvalidDefinition(f"{where}.{what}: {called(function)} takes the state and who it is; no more")
    if part.within is not None:
        check_span(part.within, "the time for an approval is finite and above 0", where)
    if not isinstance(part.goes_on, bool) or (part.goes_on and part.within is None):
        raise InvalidDefinition(f"{where}: goes_on is True or False, and True needs a time that can be over (within=)")
    asks = part.asks
    return ApprovalDefinition(
        index=index,
        name=name,
        role=role,
        timer=name,
        asks=lambda state, _reason: asks(state),
        asked_type=asked,
        by=part.by,
        within_s=in_seconds(part.within or 0.0),
        goes_on=part.goes_on,
        on_approved=part.on_approved,
    )


def _branch(where: str, branch: Flow, places: Mapping[Part, int]) -> tuple[int, ...]:
    for part in branch.parts:
        if isinstance(part, Step) and part.pivot:
            raise InvalidDefinition(
                f"{where}: the pivot stands in a branch, so that without it nothing would say that there is no way "
                "back; put it behind the choice, or write a saga for each branch"
            )
    return tuple(places[part] for part in branch.parts)


def _of_state(
    function: Callable[[Any], Any], where: str, state_type: type[Message], wanted: type[object]
) -> Callable[[Any, str], Any]:
    """The function as one of (state, reason)."""
    check_state(function, where, state_type)
    if not takes(function, 1):
        raise InvalidDefinition(f"{where}: {called(function)} takes the state; no more, and no less")
    if (made := returned_by(function, where)) not in (wanted, None, Any):
        raise InvalidDefinition(
            f"{where}: {called(function)} returns {shown(made)} by its annotation; it has to return a {wanted.__name__}"
        )
    return lambda state, _reason: function(state)
