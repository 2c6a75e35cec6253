"""An author's functions as a definition sees them: what they take, what they return, and that they are simply called.

What no signature tells, or could only fail whenever it is called, is refused when the class is made.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of, is_message_type
from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.saga.node import full_name

__all__ = [
    "called",
    "check_state",
    "check_text_of_state",
    "command_of",
    "first_parameter_of",
    "parameter_of",
    "returned_by",
    "takes",
    "with_item",
    "with_reason",
]

_Cached = type(functools.cache(len))


def command_of(function: Callable[..., Any], where: str, *, optional: bool = False) -> Contract:
    """The command a function returns, read from its annotation; with `optional` it may also return None."""
    returned = _hints(function, where).get("return")
    if optional and typing.get_origin(returned) in (types.UnionType, typing.Union):
        (returned, *more) = [one for one in typing.get_args(returned) if one is not types.NoneType]
        returned = None if more else returned
    if returned is None or not is_message_type(returned):
        raise InvalidDefinition(f"{where}: annotate what {called(function)} returns with one command type")
    contract = contract_of(returned)
    if not contract.is_command:
        raise InvalidDefinition(f"{where}: {called(function)} returns {contract.name}, which is not a command")
    return contract


def called(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _hints(function: Callable[..., Any], where: str) -> dict[str, Any]:
    if not callable(function):
        raise InvalidDefinition(f"{where}: {shown(function)} is no function")
    _check_plain(function, where)
    try:
        return typing.get_type_hints(function)
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        raise InvalidDefinition(
            f"{where}: the annotations of {called(function)} cannot be read: {error}; write a `def` with annotations "
            "of what is known where it stands"
        ) from error


def _check_plain(function: Callable[..., Any], where: str) -> None:
    """A function that is awaited or iterated does nothing when it is called."""
    if isinstance(function, _Cached):
        raise InvalidDefinition(
            f"{where}: {called(function)} is cached, and no message can be looked up in a cache; take that off"
        )
    for one in (function, getattr(function, "__call__", None), _within(function)):  # noqa: B004 - what calling it runs
        if inspect.iscoroutinefunction(one) or inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one):
            raise InvalidDefinition(
                f"{where}: {called(function)} is async, or a generator; write a plain `def`: what a saga or a "
                "choreography says is computed, and effects belong into the services"
            )
    if not (inspect.isroutine(function) or isinstance(function, type) or hasattr(function, "__wrapped__")):
        raise InvalidDefinition(
            f"{where}: {_shown(function)} is no plain function, so that its annotations cannot be read; write a `def`"
        )


def _within(function: Callable[..., Any]) -> object:
    """What decorators were put around."""
    try:
        return inspect.unwrap(function)
    except ValueError:  # around itself
        return function


def _shown(function: Callable[..., Any]) -> str:
    inner = getattr(function, "func", None)
    return f"a {type(function).__name__}" + (f" of {called(inner)}" if callable(inner) else "")


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many values in a row."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def check_state(function: Callable[..., Any], where: str, state_type: type[Message]) -> None:
    """The first parameter, if annotated, is the saga's state."""
    hints = _hints(function, where)  # refuses what is no function, or none that is simply called
    first = next((one.name for one in _parameters(function)), "")
    if first in ("self", "cls"):
        raise InvalidDefinition(
            f"{where}: {called(function)} is written as a method, and is given the state as {first}; a saga has no "
            f"objects, so take {first} away"
        )
    given: Any = hints.get(first)
    if is_message_type(given) and given is not state_type:
        raise InvalidDefinition(
            f"{where}: {called(function)} takes {full_name(given)} first, and is given the state "
            f"{full_name(state_type)}"
        )


def with_reason(function: Callable[..., Any], where: str, state_type: type[Message]) -> Callable[[Any, str], Any]:
    """The function as one of (state, reason), whether or not it asks for the reason."""
    check_state(function, where, state_type)
    parameters = _parameters(function)
    if len(parameters) == 2 and takes(function, 2):
        _check_reason(function, parameters[1], where)
        return function
    if len(parameters) != 1 or not takes(function, 1):
        raise InvalidDefinition(f"{where}: {called(function)} takes the state, and if it likes the reason; no more")
    return lambda state, _reason: function(state)


def with_item(
    function: Callable[..., Any], where: str, state_type: type[Message], item_type: type[Any]
) -> Callable[[Any, str, Any], Any]:
    """The function as one of (state, reason, item); the author's takes (state, item), and if it likes the reason."""
    check_state(function, where, state_type)
    parameters = _parameters(function)
    if len(parameters) not in (2, 3) or not takes(function, len(parameters)):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes the state and the item, and if it likes the reason; no more"
        )
    given = _hints(function, where).get(parameters[1].name, item_type)
    if given not in (item_type, object, Any):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes {shown(given)} second, and is given the item, a {item_type.__name__}"
        )
    if len(parameters) == 2:
        return lambda state, _reason, item: function(state, item)
    _check_reason(function, parameters[2], where)
    return lambda state, reason, item: function(state, item, reason)


def _check_reason(function: Callable[..., Any], second: inspect.Parameter, where: str) -> None:
    """What has a default is something else than the reason, but by its name; and the reason is a text."""
    hint = _hints(function, where).get(second.name, str)
    is_other = second.default is not inspect.Parameter.empty and second.name != "reason"
    if is_other or hint not in (str, object, Any):
        raise InvalidDefinition(
            f"{where}: {called(function)} would be given the reason why the saga turns back, a text, as its second "
            f"parameter {second.name!r}; name it `reason`, or take it away"
        )


def _parameters(function: Callable[..., Any]) -> Sequence[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some that are built in have no signature
        return []


def returned_by(function: Callable[..., Any], where: str) -> Any:
    """The annotation of what a function returns; None without one."""
    return _hints(function, where).get("return")


def first_parameter_of(function: Callable[..., Any], where: str) -> Any:
    """The annotation of a function's first parameter; None without one."""
    hints = _hints(function, where)
    return next((hints.get(one.name) for one in _parameters(function)), None)


def parameter_of(function: Callable[..., Any], where: str) -> Any:
    """The annotation of a function's last parameter; None without one."""
    hints = [hint for name, hint in _hints(function, where).items() if name != "return"]
    return hints[-1] if hints else None


def check_text_of_state(function: Callable[[Any], Any], where: str, state_type: type[Message]) -> None:
    """Raises InvalidDefinition for what does not make a text of the state."""
    check_state(function, where, state_type)
    if not takes(function, 1):
        raise InvalidDefinition(f"{where}: {called(function)} takes the state; no more, and no less")
    if (made := returned_by(function, where)) not in (str, None, Any):
        raise InvalidDefinition(
            f"{where}: {called(function)} returns {shown(made)} by its annotation; it has to return a str"
        )
