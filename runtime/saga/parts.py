"""The parts that a catalogue is made of: each is what its place is for, or is refused by its place, with the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType

from google.protobuf.descriptor import FileDescriptor

from runtime.contracts import is_message_type
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography
from runtime.saga.saga import Saga

__all__ = ["check_parts"]


def check_parts(contracts: object, services: object, choreographies: object, unstarted: object) -> None:
    """Raises InvalidDefinition on the first part that is none."""
    for module in _several("contracts", contracts, "protobuf modules: [sales_pb2, billing_pb2]"):
        if not isinstance(module, ModuleType) or not isinstance(getattr(module, "DESCRIPTOR", None), FileDescriptor):
            raise InvalidDefinition(f"catalogue, contracts: {_shown(module)} is no module that protobuf has made")
    if not isinstance(services, Mapping):
        raise InvalidDefinition(
            f"catalogue, services: {_shown(services)} is not service names with their classes: {{'sales': [Sales]}}"
        )
    for name, hosted in services.items():
        _check_service(name, hosted)
    for one in _several("choreographies", choreographies, "choreographies: [OrderChoreography]"):
        _check_class("choreographies", one, (Choreography,), "choreography")
    _check_unstarted({} if unstarted is None else unstarted)


def _check_service(name: object, hosted: object) -> None:
    if not isinstance(name, str) or not name.isprintable() or "," in name or name != name.strip() or not name:
        raise InvalidDefinition(
            f"catalogue, services: {_shown(name)} is no name that a node can be launched with; take a text without "
            "commas, and without blanks around it"
        )
    where = f"services[{name!r}]"
    several = _several(where, hosted, "classes: [Sales]")
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
