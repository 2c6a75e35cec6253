"""Reads the look-ups of a service from its class. Each mistake names the method and the cure."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from runtime.contracts import contract_of
from runtime.durable.handlers import HandlerSpec, hints_of, outputs_of
from runtime.durable.look_up import Absent, LookUp, looked_up_by
from runtime.errors import InvalidDefinition

__all__ = ["look_ups_of"]


def look_ups_of(cls: type[Any], handlers: Mapping[str, HandlerSpec]) -> dict[str, LookUp]:
    """The look-ups, by the full name of the command of each. Raises InvalidDefinition."""
    by_method = {spec.name: spec for spec in handlers.values()}
    found: dict[str, LookUp] = {}
    for name in dir(cls):
        member: Any = inspect.getattr_static(cls, name)
        handler = looked_up_by(member)
        if handler is None:
            continue
        where = f"{cls.__name__}.{name}"
        if not handler:
            raise InvalidDefinition(f"{where}: name the handler whose command it looks up: @looks_up(handler)")
        if handler not in by_method:
            raise InvalidDefinition(
                f"{where} looks up what {handler!r} handles, and that is no handler of {cls.__name__}; "
                f"there are {', '.join(by_method)}"
            )
        command = by_method[handler].input_type.DESCRIPTOR.full_name
        if command in found:
            raise InvalidDefinition(f"{where} and {cls.__name__}.{found[command].name} both look up {command}")
        found[command] = _look_up(member, name, where, by_method[handler])
    return found


def _look_up(function: Callable[..., Any], name: str, where: str, handler: HandlerSpec) -> LookUp:
    command = handler.input_type
    title = command.DESCRIPTOR.full_name
    if not contract_of(command).is_command:
        raise InvalidDefinition(f"{where} looks up {title}, which is no command: only a command of a step is probed")
    hints = hints_of(function, where)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if len(parameters) != 1 or hints.get(parameters[0].name) is not command:
        raise InvalidDefinition(f"{where} takes one parameter, annotated with what {handler.name} handles: {title}")
    answers, events = outputs_of(_without_absent(hints.get("return"), where), where)
    strange = [one for one in answers if one not in handler.answer_types]
    strange += [one for one in events if one not in handler.event_types]
    if strange:
        raise InvalidDefinition(
            f"{where} may return {strange[0].DESCRIPTOR.full_name}, which {handler.name} does not: what a look-up "
            "finds counts as the answer of the handler, so take one of its answers"
        )
    return LookUp(name, command, answers, events, function)


def _without_absent(annotation: Any, where: str) -> Any:
    is_union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    parts = typing.get_args(annotation) if is_union else (annotation,)
    events = [one for one in parts if one is not Absent]
    if not events or any(one in (None, types.NoneType) for one in events):
        raise InvalidDefinition(
            f"{where} needs a return annotation that says what it may find: answers of the handler, and Absent; None "
            "says nothing"
        )
    return typing.Union[tuple(events)]  # noqa: UP007 # the members are known at run time only
