"""Choreographies: a process that nobody drives. Each kind reacts to the events of others with a command to itself.

    class OrderChoreography(Choreography, name="order-choreography"):
        starts = when(OrderPlaced, flow=Flow.CHOREOGRAPHY)
        reactions = (on(OrderPlaced, bill), on(OrderBilled, ship, key="line.sku"), ...)
        ends = (OrderReadyToShip, ...)

where `bill(event: OrderPlaced) -> BillOrder` translates the event into a command of the kind that reacts, which handles
it in the same turn; None means that there is nothing to do. An event reaches only kinds that react to it in the process
that drives its conversation, so a choreography and a saga can share all services and never both drive one order. What
its commands may be answered with, and nobody reacts to, stands in `ends`; the catalogue refuses what was forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.declared import take_options
from runtime.durable.service import Reaction
from runtime.envelope import wrong_kind
from runtime.errors import InvalidDefinition
from runtime.saga.checks import check_condition, check_key_path
from runtime.saga.definition import full_name
from runtime.saga.functions import command_of, parameter_of, takes
from runtime.saga.reading import message_types

__all__ = ["Choreography", "On", "When", "on", "when"]


@dataclass(frozen=True, slots=True)
class When:
    """The event that starts a process, and what one of its fields has to be."""

    event_type: type[Message]
    where: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class On:
    """One reaction, as an author writes it."""

    event_type: type[Message]
    translate: Callable[[Any], Message | None]
    key: str


def when(event_type: type[Message], **where: object) -> When:
    """The process is started by this event, if its field is as given (at most one; as in `starts(..., where=...)`)."""
    return When(event_type, tuple(where.items()))


def on(event_type: type[Message], translate: Callable[[Any], Message | None], *, key: str = "") -> On:
    """React to an event: `translate(event)` gives a command to the kind that handles it, or None.

    `key` is the dotted field of the event that names the reacting actor; by default the event's own key.
    """
    return On(event_type, translate, key)


class Choreography:
    """Base of choreographies. The class is a definition and has no instances."""

    name: ClassVar[str] = ""
    starts: ClassVar[When]
    reactions: ClassVar[tuple[On, ...]] = ()
    ends: ClassVar[tuple[type[Message], ...]] = ()  # events to which nobody has to react
    commands: ClassVar[tuple[Contract, ...]] = ()  # what each reaction leads to
    compiled: ClassVar[tuple[Reaction, ...]] = ()  # as the kinds that react are given them

    def __init_subclass__(cls, *, name: str = "", **rest: Any) -> None:
        take_options(super().__init_subclass__, rest, f"choreography {cls.__name__}", "name")
        if not isinstance(name, str) or not name:
            raise InvalidDefinition(f"choreography {cls.__name__} needs a name: class X(Choreography, name='x')")
        if wrong := wrong_kind(name.replace("/", ".")):
            raise InvalidDefinition(f"choreography {cls.__name__} needs, as its name, {wrong}")
        if not isinstance(getattr(cls, "starts", None), When):
            raise InvalidDefinition(f"{cls.__name__} needs starts = when(SomeEvent)")
        message_types(cls.starts.event_type, f"{cls.__name__}.starts")
        if not isinstance(cls.reactions, tuple) or not all(isinstance(one, On) for one in cls.reactions):
            raise InvalidDefinition(f"{cls.__name__} needs reactions = (on(SomeEvent, translate), ...)")
        _check_ends(cls)
        cls.name = name
        cls.commands = tuple(_command(cls, one) for one in cls.reactions)
        pairs = zip(cls.reactions, cls.commands, strict=True)
        cls.compiled = tuple(_reaction(cls, one, command) for one, command in pairs)
        _check(cls)


def _where(cls: type[Choreography], one: On) -> str:
    return f"{cls.__name__}: on {one.event_type.DESCRIPTOR.name}"


def _command(cls: type[Choreography], one: On) -> Contract:
    message_types(one.event_type, f"{cls.__name__}.reactions")
    where = _where(cls, one)
    contract = contract_of(one.event_type)
    if contract.is_command:
        raise InvalidDefinition(f"{where}: {contract.name} is a command; react to events")
    if not one.key and not contract.key_field:
        raise InvalidDefinition(f"{where}: {contract.name} has no key; declare it an event with one, or name key=...")
    declared = parameter_of(one.translate, where)
    if declared is not one.event_type:
        raise InvalidDefinition(f"{where}: the function takes {declared!r}; annotate it with {contract.name}")
    if not takes(one.translate, 1):
        raise InvalidDefinition(f"{where}: the function takes the event; no more")
    return command_of(one.translate, where, optional=True)


def _reaction(cls: type[Choreography], one: On, command: Contract) -> Reaction:
    where = _where(cls, one)
    key_field = one.key or contract_of(one.event_type).key_field
    check_key_path(one.event_type, key_field, where)
    starts = one.event_type is cls.starts.event_type
    field, value = check_condition(one.event_type, dict(cls.starts.where) if starts else {}, where, key_field)
    return Reaction(one.event_type, command.kind, one.translate, key_field, cls.name, starts, field, value, command)


def _check_ends(cls: type[Choreography]) -> None:
    where = f"{cls.__name__}.ends"
    if not isinstance(cls.ends, tuple):
        raise InvalidDefinition(f"{where} is a tuple of events: ends = (SomeEvent, ...)")
    for event in message_types(cls.ends, where):
        if contract_of(event).is_command:
            raise InvalidDefinition(f"{where}: {full_name(event)} is a command; a process ends with events")
        if event in [one.event_type for one in cls.reactions]:
            raise InvalidDefinition(f"{where}: {full_name(event)} has a reaction, so nothing ends there; take one out")


def _check(cls: type[Choreography]) -> None:
    seen: set[tuple[str, type[Message]]] = set()
    for reaction in cls.compiled:
        if (reaction.kind, reaction.event_type) in seen:
            raise InvalidDefinition(
                f"{cls.__name__}: {reaction.kind} reacts twice to {full_name(reaction.event_type)}; let one function "
                "answer it with one command whose handler does both, or give the second to another kind"
            )
        seen.add((reaction.kind, reaction.event_type))
    if not any(reaction.starts for reaction in cls.compiled):
        raise InvalidDefinition(
            f"{cls.__name__} is started by {full_name(cls.starts.event_type)}, and nothing reacts to it"
        )
