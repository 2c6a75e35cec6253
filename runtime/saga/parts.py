"""The parts that a catalogue is made of: each is what its place is for, or is refused by its place, with the cure."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence, Set
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FileDescriptor

from runtime.contracts import is_message_type
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography
from runtime.saga.functions import takes
from runtime.saga.saga import Saga

__all__ = ["check_parts", "check_provides"]


def check_parts(
    contracts: object, services: object, choreographies: object, unstarted: object, several: object
) -> None:
    """Raises InvalidDefinition on the first part that is none."""
    for module in _several("contracts", contracts, "protobuf modules: [trip_pb2]"):
        if not isinstance(module, ModuleType) or not isinstance(getattr(module, "DESCRIPTOR", None), FileDescriptor):
            raise InvalidDefinition(f"catalogue, contracts: {_shown(module)} is no module that protobuf has made")
    if not isinstance(services, Mapping):
        raise InvalidDefinition(
            f"catalogue, services: {_shown(services)} is not service names with their classes: {{'trips': [Trips]}}"
        )
    for name, hosted in services.items():
        _check_service(name, hosted)
    for one in _several("choreographies", choreographies, "choreographies: [BookByEvents]"):
        _check_class("choreographies", one, (Choreography,), "choreography")
    _check_unstarted({} if unstarted is None else unstarted)
    _check_started({} if several is None else several)


def check_provides(services: Sequence[type[Service[Any]]], provides: object) -> None:
    """Raises InvalidDefinition unless each service is given what it needs, and nothing is provided in vain."""
    if not isinstance(provides, Mapping):
        raise InvalidDefinition(f"catalogue, provides: {_shown(provides)} is no mapping: {{Bank: open_bank}}")
    for type_, factory in provides.items():
        _check_factory(type_, factory)
    for service in services:
        for need in service.needs:
            if need.type_ not in provides and not need.is_optional:
                title = need.type_.__name__
                raise InvalidDefinition(
                    f"service {service.__name__}: its __init__ takes {need.name}: {title}, which the catalogue "
                    f"does not provide; name what makes one for a node: Catalogue(..., provides={{{title}: ...}})"
                )
    wanted = {need.type_ for service in services for need in service.needs}
    for type_ in provides:
        if type_ not in wanted:
            raise InvalidDefinition(
                f"catalogue, provides: no service takes a {_shown(type_)} in its __init__; take it out, or have a "
                "service take it"
            )


def _check_factory(type_: object, factory: object) -> None:
    if not isinstance(type_, type):
        raise InvalidDefinition(
            f"catalogue, provides: {_shown(type_)} is no type; name the class that services take, with what makes one"
        )
    where = f"catalogue, provides[{type_.__name__}]"
    if not callable(factory):
        raise InvalidDefinition(
            f"{where}: {_shown(factory)} is shared by all nodes, and each has to have its own; write a function that "
            "makes one"
        )
    for one in (factory, getattr(factory, "__call__", None)):  # noqa: B004 # whichever of them has the code
        if inspect.iscoroutinefunction(one):
            raise InvalidDefinition(
                f"{where}: {_shown(factory)} is async; write a plain `def`, and connect at first use"
            )
        if inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one):
            raise InvalidDefinition(
                f"{where}: {_shown(factory)} has a `yield`, and makes a generator; write a plain `def` that returns "
                "the object, and give the object a `close` or `aclose`, which the node calls when it stops"
            )
    if not takes(factory, 0):
        raise InvalidDefinition(f"{where}: {_shown(factory)} takes arguments, and is called without; wrap it")


def _check_service(name: object, hosted: object) -> None:
    if not isinstance(name, str) or not name.isprintable() or "," in name or name != name.strip() or not name:
        raise InvalidDefinition(
            f"catalogue, services: {_shown(name)} is no name that a node can be launched with; take a text without "
            "commas, and without blanks around it"
        )
    where = f"services[{name!r}]"
    several = _several(where, hosted, "classes: [Trips]")
    if not several:
        raise InvalidDefinition(f"catalogue, {where} stands for no kind, so that its nodes would host nothing")
    for one in several:
        _check_class(where, one, (Service, Saga), "service or saga")


def _check_unstarted(unstarted: object) -> None:
    if not isinstance(unstarted, Mapping):
        raise InvalidDefinition(f"catalogue, unstarted: {_shown(unstarted)} is not events by process")
    for name, events in unstarted.items():
        for event in _several(f"unstarted[{name!r}]", events, "events: (SomeEvent,)"):
            if not is_message_type(event):
                raise InvalidDefinition(f"catalogue, unstarted[{name!r}]: {_shown(event)} is no message type")


def _check_started(several: object) -> None:
    if not isinstance(several, Mapping):
        raise InvalidDefinition(f"catalogue, several: {_shown(several)} is not processes by event")
    for event, names in several.items():
        if not is_message_type(event):
            raise InvalidDefinition(f"catalogue, several: {_shown(event)} is no message type")
        where = f"several[{event.__name__}]"
        if isinstance(names, Set):
            raise InvalidDefinition(f"catalogue, {where}: a set has no order, and the first one drives; take a tuple")
        named = _several(where, names, "names of processes: ('book-trip', 'collect-miles')")
        if len(set(named)) != len(named) or len(named) < 2:
            raise InvalidDefinition(f"catalogue, {where}: it starts two processes or more; name each once")


def _several(where: str, parts: object, wanted: str) -> list[object]:
    if not isinstance(parts, Iterable) or isinstance(parts, str | bytes | Mapping | type):
        raise InvalidDefinition(f"catalogue, {where}: {_shown(parts)} is not several {wanted}")
    return list(parts)


def _check_class(where: str, part: object, bases: tuple[type, ...], what: str) -> None:
    if not isinstance(part, type):
        raise InvalidDefinition(f"catalogue, {where}: {_shown(part)} is no class of a {what}; name the class itself")
    if not issubclass(part, bases) or part in bases:
        raise InvalidDefinition(f"catalogue, {where}: {part.__name__} is no {what}; derive one, or put it in its place")


def _shown(part: object) -> str:
    return part.__name__ if isinstance(part, type) else repr(part)[:80]
