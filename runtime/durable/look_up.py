"""A look-up: how a service asks an outside system what became of a command that its handler has failed over.

    class Payments(Service[PaymentState], kind="payments"):
        async def pay(self, command: Pay) -> Paid | CardDeclined: ...

        @looks_up(pay)
        async def was_paid(self, command: Pay) -> Paid | CardDeclined | Absent: ...

A probe asks the history of an actor, and the history knows nothing of a command that was given up: its handler may
have had an effect outside before it failed. Then the look-up is run, with the command and the state of the actor.
`self.message_id` is that of the command, so it is the key under which the outside system knows the effect.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.durable.results import outgoing_of
from runtime.durations import shown
from runtime.errors import InvalidDefinition

__all__ = ["Absent", "LookUp", "absent_or", "looked_up_by", "looks_up"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Awaitable[object]])

_MARK = "_looks_up"


@dataclass(frozen=True, slots=True)
class Absent:
    """What a look-up returns when the command has not happened, and no longer can.

    The command is never handled from then on. So the outside system must not carry it out later, either: what it still
    works on is not absent. Raise an error then, and the look-up is run again later.
    """


@dataclass(frozen=True, slots=True)
class LookUp:
    """One look-up of a service, read from its signature."""

    name: str
    command: type[Message]
    answer_types: tuple[type[Message], ...]
    event_types: tuple[type[Message], ...]  # that may come beside an answer
    function: Callable[[Any, Any], Awaitable[object]]


def looks_up(handler: Callable[..., Awaitable[object]]) -> Callable[[FunctionT], FunctionT]:
    """Marks a method as the look-up of the command that `handler`, a method of the same class, handles.

    The method takes the command and returns one of the handler's answers if the command has happened, which then counts
    as if the handler had returned it, or Absent. If it cannot tell, it raises: then it is run again by the `retries` of
    the service, and an error is never taken for "absent". It must not cause the effect that it looks for.
    """
    if not inspect.iscoroutinefunction(handler):
        raise InvalidDefinition(
            f"looks_up names the handler whose command it is about, as in @looks_up(pay); "
            f"{shown(handler)} is no `async def`"
        )

    def mark(function: FunctionT) -> FunctionT:
        is_async: bool = inspect.iscoroutinefunction(function)
        if not is_async:
            raise InvalidDefinition(f"the look-up {_name(function)} is no `async def`; it asks an outside system")
        setattr(function, _MARK, _name(handler))
        return function

    setattr(mark, _MARK, "")  # so that it is found in a class that has forgotten the parentheses
    return mark


def looked_up_by(member: object) -> str | None:
    """The name of the handler whose command this member of a class looks up; None for what is no look-up.

    Empty for `@looks_up` without its parentheses.
    """
    found: str | None = getattr(member, _MARK, None) if inspect.isfunction(member) else None
    return found


def absent_or(result: object, look_up: LookUp) -> tuple[Outgoing, ...] | None:
    """What a look-up returned, to be sent; None for Absent. Raises TypeError for what its signature does not name."""
    if isinstance(result, Absent):
        return None
    if result is None:
        raise TypeError(
            f"the look-up {look_up.name} returned None, which does not say what became of the command; return its "
            "answer or Absent(), or raise an error if it cannot tell"
        )
    return outgoing_of(result, look_up)


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__name__", repr(function))
