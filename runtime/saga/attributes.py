"""The attributes by which an author's class declares a saga: what starts it, its steps, their flow, and its closing."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.saga.flow import Flow, Part
from runtime.saga.key import Key
from runtime.saga.on import On
from runtime.saga.read_step import message_types
from runtime.saga.remind import Remind
from runtime.saga.step import Step

__all__ = ["check_names", "closing_of", "flow_of", "keys_of", "parts_of", "reminders_of", "starts_of"]

_CLOSING_TIMEOUT_S = 30.0
_CLOSING = "closing"
_NO_PARTS = ("flow", _CLOSING)
_FORMER = ("compensated", "compensated_by", "compensated_within")


def check_names(cls: type[Any], base: type[Any]) -> None:
    """Raises InvalidDefinition for a step of a name that every saga uses; before anything is set on the class."""
    for name in sorted({*vars(base), *base.__annotations__} - {*_NO_PARTS}):
        own = inspect.getattr_static(cls, name, None)
        if isinstance(own, Part | Key | Remind):
            what = "step" if isinstance(own, Part) else "key" if isinstance(own, Key) else "reminder"
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: every saga has something of this name; give the {what} another"
            )
    for name in _FORMER:
        if hasattr(cls, name):
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: what closes a saga that has turned back is a step like others, with a timeout "
                "and a budget: closing = Step(cancel_trip, done=TripCancelled); take this out"
            )


def starts_of(cls: type[Any]) -> tuple[On, ...]:
    several = cls.started_by if isinstance(cls.started_by, tuple) else (cls.started_by,)
    if not several or not all(isinstance(one, On) for one in several):
        raise InvalidDefinition(f"{cls.__name__} needs started_by = on(SomeEvent, begin), one or several")
    for one in several:
        where = f"{cls.__name__}.started_by"
        message_types(one.event_type, where)
        if one.key and not isinstance(one.key, str):
            raise InvalidDefinition(f"{where}: key is the dotted name of a field of the event, not {shown(one.key)}")
        if not isinstance(one.where, Mapping):
            raise InvalidDefinition(f"{where}: where is a field's name and its value, not {shown(one.where)}")
    return several


def parts_of(cls: type[Any]) -> dict[str, Part]:
    """Of the flow, by attribute; those of the classes that it is derived from as well."""
    found: dict[str, Part] = {}
    for base in reversed(cls.__mro__):
        own = {name: one for name, one in vars(base).items() if isinstance(one, Part) and name not in _NO_PARTS}
        found.update(own)
    names: dict[Part, str] = {}
    for name, part in found.items():
        if part in names:
            raise InvalidDefinition(
                f"{cls.__name__}.{name} is the same {type(part).__name__.lower()} as {cls.__name__}.{names[part]}"
            )
        names[part] = name
    return found


def keys_of(cls: type[Any]) -> dict[str, Key]:
    """By attribute; those of the classes that it is derived from as well."""
    found: dict[str, Key] = {}
    for base in reversed(cls.__mro__):
        found.update({name: one for name, one in vars(base).items() if isinstance(one, Key)})
    names: dict[Key, str] = {}
    for name, key in found.items():
        if key in names:
            raise InvalidDefinition(f"{cls.__name__}.{name} is the same key as {cls.__name__}.{names[key]}")
        names[key] = name
    return found


def reminders_of(cls: type[Any]) -> dict[str, Remind]:
    """By attribute; those of the classes that it is derived from as well."""
    found: dict[str, Remind] = {}
    for base in reversed(cls.__mro__):
        found.update({name: one for name, one in vars(base).items() if isinstance(one, Remind)})
    return found


def flow_of(cls: type[Any]) -> Flow:
    flow = getattr(cls, "flow", None)
    if not isinstance(flow, Flow | Part) or (isinstance(flow, Flow) and not flow.parts):
        raise InvalidDefinition(f"{cls.__name__} needs a flow: its steps joined by >>")
    flow = Flow.of(flow)
    if not all(isinstance(one, Part) for one in flow.parts):
        raise InvalidDefinition(f"{cls.__name__}.flow holds what is no step; it is steps joined by >>")
    for name, part in parts_of(cls).items():
        if part not in flow.parts:
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: the {type(part).__name__.lower()} is declared, and not in the flow; join it "
                "by >>, or take it out"
            )
    return flow


def closing_of(cls: type[Any]) -> dict[str, Step]:
    """The steps that close a compensation, by the names under which records have them: closing, or with a number.

    Those names are in the store, and in the fingerprint of running instances.
    """
    where = f"{cls.__name__}.closing"
    several = cls.closing if isinstance(cls.closing, tuple) else (cls.closing,)
    for one in several:
        if not isinstance(one, Step):
            raise InvalidDefinition(f"{where} is a Step, or a tuple of them: closing = Step(cancel, done=Cancelled)")
        if one in parts_of(cls).values():
            raise InvalidDefinition(f"{where}: the step is in the flow as well; write one of its own")
        if one.pivot or one.no_undo:
            raise InvalidDefinition(f"{where}: there is nothing after it to go back from; it has no pivot and no undo")
    names = [_CLOSING] if len(several) == 1 else [f"{_CLOSING}_{n + 1}" for n in range(len(several))]
    timed = [one if one.timeout is not None else replace(one, timeout=_CLOSING_TIMEOUT_S) for one in several]
    return dict(zip(names, timed, strict=True))
