"""The handlers of a service, read from its class: every public method that takes a message is one, or is refused.

    async def pay(self, command: Pay) -> Paid | CardDeclined

What looks like a handler and could not be called as one would vanish without a word: its messages would be parked. So
it is refused when the class is made. A helper that takes a message begins its name with an underscore.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, contract_of, is_message_type
from runtime.durable.look_up import looked_up_by
from runtime.durable.results import Answer
from runtime.errors import InvalidDefinition
from runtime.protos import durable_pb2

__all__ = ["HandlerSpec", "check_names", "handlers_of", "hints_of", "outputs_of"]

_HELPER = "if it is no handler, begin its name with an underscore"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class HandlerSpec:
    """One handler of a service, read from its signature."""

    name: str
    input_type: type[Message]
    answer_types: tuple[type[Message], ...]
    event_types: tuple[type[Message], ...]  # that may come beside an answer
    function: Callable[[Any, Any], Awaitable[object]]

    @property
    def output_types(self) -> tuple[type[Message], ...]:
        """All that it may return."""
        return tuple(dict.fromkeys((*self.answer_types, *self.event_types)))


def handlers_of(cls: type[Any], base: type[Any]) -> dict[str, HandlerSpec]:
    """The handlers, by the full name of the message that each handles. Methods of `base` itself are none."""
    handlers: dict[str, HandlerSpec] = {}
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if name.startswith("_") or member is inspect.getattr_static(base, name, None) or isinstance(member, type):
            continue
        if looked_up_by(member):
            continue
        where = f"{cls.__name__}.{name}"
        if not (inspect.isfunction(member) and inspect.iscoroutinefunction(member)):
            _refuse_seeming(member, where)
            continue
        spec = _spec(cls, name, member)
        wire_name = spec.input_type.DESCRIPTOR.full_name
        if wire_name in handlers:
            raise InvalidDefinition(f"{where} and {cls.__name__}.{handlers[wire_name].name} both handle {wire_name}")
        handlers[wire_name] = spec
    return handlers


def check_names(cls: type[Any], base: type[Any]) -> None:
    """Raises InvalidDefinition for a handler of a name that every service uses; before anything is set on the class."""
    for name in sorted({*vars(base), *base.__annotations__}):
        if inspect.iscoroutinefunction(inspect.getattr_static(cls, name, None)):
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: every service has something of this name; give the handler another"
            )


def _refuse_seeming(member: object, where: str) -> None:
    """Raises InvalidDefinition for what was meant as a handler, and is none."""
    if isinstance(member, property):
        return
    is_static = isinstance(member, staticmethod)
    function = member if inspect.isfunction(member) else _inner(member)
    if function is None:
        return
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidDefinition(
            f"{where} is a {type(member).__name__} around an async function, or yields; a handler is an `async def` "
            f"method that takes one message and returns its events; {_HELPER}"
        )
    if _takes_a_message(function, 0 if is_static else 1, where):
        raise InvalidDefinition(
            f"{where} takes a message and is not `async def`, so nothing would ever be handled by it: write "
            f"`async def` (a decorator has to return an async function); {_HELPER}"
        )


def _inner(member: object) -> Any:
    """The function inside a static method, a class method, a partial, or what a decorator made; None without one."""
    for name in ("__func__", "func", "__wrapped__"):
        function = getattr(member, name, None)
        if inspect.isfunction(function):
            return function
    return None


def _takes_a_message(function: Callable[..., Any], skipped: int, where: str) -> bool:
    parameters = list(inspect.signature(function).parameters.values())
    if any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters[:skipped]):
        skipped = 0  # (*args): what a decorator leaves of a signature
    required = [one for one in parameters[skipped:] if one.default is inspect.Parameter.empty]
    if not required or len([one for one in required if one.kind in _POSITIONAL]) > 1:
        return False
    hints = hints_of(function, where)
    given = hints.get(required[0].name)
    if given is None:
        return "return" not in hints or any(map(is_message_type, _parts(hints["return"])))
    return any(map(is_message_type, _parts(given)))


def _parts(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *(inner for one in typing.get_args(annotation) for inner in _parts(one)))


def hints_of(function: Callable[..., Any], where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (AttributeError, NameError, SyntaxError, TypeError) as error:
        raise InvalidDefinition(f"{where}: its annotations cannot be read: {error}; {_HELPER}") from error


def _spec(cls: type[Any], name: str, function: Callable[..., Any]) -> HandlerSpec:
    where = f"{cls.__name__}.{name}"
    hints = hints_of(function, where)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    is_one = len(parameters) == 1 and parameters[0].kind in _POSITIONAL
    input_type = hints.get(parameters[0].name) if is_one else None
    if not is_message_type(input_type):
        raise InvalidDefinition(f"{where} needs one parameter annotated with the message it handles; {_HELPER}")
    assert input_type is not None
    if "return" not in hints:
        raise InvalidDefinition(f"{where} needs a return annotation: the events it may return, or None")
    contract = contract_of(input_type)
    answers, events = outputs_of(hints["return"], where)
    for one in (*answers, *events, *(() if input_type is durable_pb2.TimerFired else (input_type,))):
        if one.DESCRIPTOR.file.package == RUNTIMES_OWN:
            raise InvalidDefinition(
                f"{where}: {one.DESCRIPTOR.full_name} is the runtime's own; take a message of yours"
            )
    if contract.is_command and contract.kind not in cls.kind_names:
        raise InvalidDefinition(
            f"{where} handles {contract.name}, which is addressed to {contract.kind}, not {cls.kind}"
        )
    return HandlerSpec(name, input_type, answers, events, function)


def outputs_of(annotation: Any, where: str) -> tuple[tuple[type[Message], ...], tuple[type[Message], ...]]:
    """Answers, and events that may come beside one. Raises InvalidDefinition for what a handler may not return."""
    answers: list[type[Message]] = []
    events: list[type[Message]] = []
    for part in _alternatives(annotation):
        if typing.get_origin(part) is Answer:
            its_answer, its_events = typing.get_args(part)
            answers += _messages(its_answer, where)
            events += _messages(its_events, where)
        else:
            answers += _messages(part, where)
    return tuple(dict.fromkeys(answers)), tuple(dict.fromkeys(events))


def _messages(annotation: Any, where: str) -> list[type[Message]]:
    parts = [part for part in _alternatives(annotation) if part not in (None, types.NoneType)]
    for part in parts:
        if part is tuple or typing.get_origin(part) is tuple:
            raise InvalidDefinition(
                f"{where} returns a tuple, which does not say what the answer is; write Answer[Paid, LimitReached] and "
                "return Answer(Paid(...), events=(LimitReached(...),)), with None for no answer"
            )
        if not is_message_type(part):
            raise InvalidDefinition(f"{where} may return a message, an Answer[...] of messages, or None, not {part}")
    return parts


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    return typing.get_args(annotation) if is_union else (annotation,)
