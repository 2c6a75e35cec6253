"""A saga with some fields of some steps changed: the body of a class derived from its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from runtime.errors import InvalidDefinition
from runtime.saga.attributes import flow_of, steps_of
from runtime.saga.step import Flow, Step

__all__ = ["varied"]

_CLOSING = "closing"


def varied(saga: type[Any], changed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Steps, flow and closing of the variation. Raises InvalidDefinition for a step or field that there is not."""
    steps, flow = steps_of(saga), flow_of(saga)
    for name in changed:
        if name not in steps and not (name == _CLOSING and saga.closing):
            known = ", ".join([*steps, *([_CLOSING] if saga.closing else [])])
            raise InvalidDefinition(f"{saga.__name__} has no step {name!r} to be changed; there are {known}")
    made = {step: _changed(saga, name, step, changed.get(name, {})) for name, step in steps.items()}
    body: dict[str, Any] = {name: made[step] for name, step in steps.items()}
    body["flow"] = Flow(tuple(made[one] for one in flow.steps), tuple((made[a], made[b]) for a, b in flow.edges))
    fields = changed.get(_CLOSING, {})
    if isinstance(saga.closing, tuple):
        body[_CLOSING] = tuple(_changed(saga, _CLOSING, one, fields) for one in saga.closing)
    else:
        body[_CLOSING] = _changed(saga, _CLOSING, saga.closing, fields)
    return {**body, "__module__": saga.__module__, "__qualname__": saga.__qualname__, "__doc__": saga.__doc__}


def _changed(saga: type[Any], name: str, step: Step, fields: Mapping[str, Any]) -> Step:
    known = [one.name for one in dataclasses.fields(Step)]
    if not isinstance(fields, Mapping):
        raise InvalidDefinition(
            f"{saga.__name__}.{name} is changed by its fields, not by {fields!r}: {name}={{'timeout': seconds(5)}}"
        )
    for field in fields:
        if field not in known:
            raise InvalidDefinition(
                f"{saga.__name__}.{name}: a step has no field {field!r} to be changed; there are {', '.join(known)}"
            )
    return dataclasses.replace(step, **fields)
