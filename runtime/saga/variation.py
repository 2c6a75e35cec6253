"""A saga with some fields of some parts changed: the body of a class derived from its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from runtime.durations import shown
from runtime.errors import InvalidDefinition
from runtime.saga.attributes import flow_of, parts_of, reminders_of
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Flow, Part
from runtime.saga.when import When

__all__ = ["varied"]

_CLOSING = "closing"
_BRANCHES = ("then", "otherwise")

PartT = TypeVar("PartT", bound=Part)
Changes = Mapping[str, Mapping[str, Any]]


def varied(saga: type[Any], changed: Changes) -> dict[str, Any]:
    """Parts, flow and closing of the variation. Raises InvalidDefinition for a step or field that there is not."""
    parts = parts_of(saga)
    for name in changed:
        if name not in parts and not (name == _CLOSING and saga.closing):
            known = ", ".join([*parts, *([_CLOSING] if saga.closing else [])])
            raise InvalidDefinition(f"{saga.__name__} has no step {name!r} to be changed; there are {known}")
    variation = _Variation(saga, {part: name for name, part in parts.items()}, changed)
    body: dict[str, Any] = {name: variation.of(part) for name, part in parts.items()}
    body |= {name: dataclasses.replace(one, of=variation.of(one.of)) for name, one in reminders_of(saga).items()}
    body["flow"] = variation.of_flow(flow_of(saga))
    fields = changed.get(_CLOSING, {})
    if isinstance(saga.closing, tuple):
        body[_CLOSING] = tuple(_changed(saga, _CLOSING, one, fields) for one in saga.closing)
    else:
        body[_CLOSING] = _changed(saga, _CLOSING, saga.closing, fields)
    return {**body, "__module__": saga.__module__, "__qualname__": saga.__qualname__, "__doc__": saga.__doc__}


class _Variation:
    """The new parts, each made once: choices know the parts of their branches."""

    def __init__(self, saga: type[Any], names: Mapping[Part, str], changed: Changes) -> None:
        self._saga = saga
        self._names = names
        self._changed = changed
        self._made: dict[Part, Part] = {}

    def of(self, part: Part) -> Part:
        if part not in self._made:
            name = self._names[part]
            fields = self._changed.get(name, {})
            if isinstance(part, FirstOf):
                new: Part = _changed_alternatives(self._saga, name, part, fields)
            else:
                new = _changed(self._saga, name, part, fields)
            if isinstance(new, When):
                then, otherwise = new.branches
                new = dataclasses.replace(
                    new,
                    then=self.of_flow(then),
                    otherwise=None if otherwise is None else self.of_flow(otherwise),
                )
            self._made[part] = new
        return self._made[part]

    def of_flow(self, flow: Flow) -> Flow:
        return Flow(
            tuple(self.of(one) for one in flow.parts),
            tuple((self.of(a), self.of(b)) for a, b in flow.edges),
            tuple(self.of(one) for one in flow.open_ends),
        )


def _changed_alternatives(saga: type[Any], name: str, first_of: FirstOf, fields: Mapping[str, Any]) -> FirstOf:
    """Alternatives are changed by their fields: pay={"card": {"timeout": seconds(5)}}."""
    for one in fields:
        if one not in first_of.alternatives:
            known = ", ".join(first_of.alternatives)
            raise InvalidDefinition(
                f"{saga.__name__}.{name} has no alternative {one!r} to be changed; there are {known}"
            )
    return FirstOf(
        **{
            one: _changed(saga, f"{name}.{one}", step, fields.get(one, {}))
            for one, step in first_of.alternatives.items()
        }
    )


def _changed(saga: type[Any], name: str, part: PartT, fields: Mapping[str, Any]) -> PartT:
    what = type(part).__name__.lower()
    known = [one.name for one in dataclasses.fields(part) if one.name not in _BRANCHES]  # type: ignore[arg-type]
    if not isinstance(fields, Mapping):
        raise InvalidDefinition(
            f"{saga.__name__}.{name} is changed by its fields, not by {shown(fields)}: {name}={{'timeout': seconds(5)}}"
        )
    for field in fields:
        if field not in known:
            raise InvalidDefinition(
                f"{saga.__name__}.{name}: a {what} has no field {field!r} to be changed; there are {', '.join(known)}"
            )
    return dataclasses.replace(part, **fields)  # type: ignore[type-var]
