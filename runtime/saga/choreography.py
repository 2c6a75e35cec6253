"""Choreographies: a process that nobody drives. Each kind reacts to the events of others with a command to itself.

    class BookByEvents(Choreography, name="book-by-events"):
        starts = on(TripStarted, where={"flow": BY_EVENTS})
        reactions = (on(TripStarted, reserve_seat), on(SeatReserved, reserve_room, key="hotel"), ...)
        ends = (TripConfirmed, ...)

where `reserve_seat(event: TripStarted) -> ReserveSeat` translates the event into a command of the kind that reacts,
which handles it in the same turn; None means that there is nothing to do. An event reaches only kinds that react to it
in the process that drives its conversation, so a choreography and a saga can share all services and never both drive
one trip. What its commands may be answered with, and nobody reacts to, stands in `ends`; the catalogue refuses what was
forgotten.
"""

from __future__ import annotations

from typing import Any, ClassVar

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.declared import take_options
from runtime.durable.reaction import Reaction
from runtime.durations import Span, shown
from runtime.envelope import wrong_kind
from runtime.errors import InvalidDefinition
from runtime.saga.checks import check_condition, check_key_path
from runtime.saga.deadline import Deadline, OnOverdue, read_deadline
from runtime.saga.functions import command_of, parameter_of, takes
from runtime.saga.node import full_name
from runtime.saga.on import On
from runtime.saga.read_step import message_types

__all__ = ["Choreography", "sent_commands"]


class Choreography:
    """Base of choreographies. The class is a definition and has no instances."""

    name: ClassVar[str] = ""
    starts: ClassVar[On]
    reactions: ClassVar[tuple[On, ...]] = ()
    ends: ClassVar[tuple[type[Message], ...]] = ()  # events to which nobody has to react
    settled_by: ClassVar[tuple[type[Message], ...]] = ()  # events of which one settles a conversation; empty: `ends`
    on_overdue: ClassVar[OnOverdue | None] = None  # what is sent when the deadline is not met
    commands: ClassVar[tuple[Contract, ...]] = ()  # what each reaction leads to
    deadline: ClassVar[Deadline | None] = None
    compiled: ClassVar[tuple[Reaction, ...]] = ()  # as the kinds that react are given them

    def __init_subclass__(cls, *, name: str = "", deadline: Span = 0.0, **rest: Any) -> None:
        """`deadline`: how long from the event that starts a conversation to one that settles it; 0 for none."""
        take_options(super().__init_subclass__, rest, f"choreography {cls.__name__}", "name and deadline")
        if not isinstance(name, str) or not name:
            raise InvalidDefinition(f"choreography {cls.__name__} needs a name: class X(Choreography, name='x')")
        if wrong := wrong_kind(name.replace("/", ".")):
            raise InvalidDefinition(f"choreography {cls.__name__} needs, as its name, {wrong}")
        _check_starts(cls)
        if not isinstance(cls.reactions, tuple) or not all(isinstance(one, On) for one in cls.reactions):
            raise InvalidDefinition(f"{cls.__name__} needs reactions = (on(SomeEvent, function), ...)")
        _check_ends(cls)
        cls.name = name
        cls.commands = tuple(_command(cls, one) for one in cls.reactions)
        pairs = zip(cls.reactions, cls.commands, strict=True)
        cls.compiled = tuple(_reaction(cls, one, command) for one, command in pairs)
        _check(cls)
        cls.deadline = read_deadline(cls, name, deadline)


def sent_commands(process: type[Choreography]) -> tuple[Contract, ...]:
    """Every command that a process sends: those of its reactions, and that of an overdue conversation."""
    overdue = None if process.deadline is None else process.deadline.command
    return process.commands if overdue is None else (*process.commands, overdue)


def _check_starts(cls: type[Choreography]) -> None:
    starts = getattr(cls, "starts", None)
    if not isinstance(starts, On):
        raise InvalidDefinition(f"{cls.__name__} needs starts = on(SomeEvent)")
    message_types(starts.event_type, f"{cls.__name__}.starts")
    if starts.function is not None or starts.key:
        raise InvalidDefinition(
            f"{cls.__name__}.starts says which event starts the process, and on which condition; what is done, and by "
            "whom (key=), say its reactions to that event"
        )


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
    if one.function is None:
        raise InvalidDefinition(f"{where}: it says nothing to do; name the function that makes the command")
    declared = parameter_of(one.function, where)
    if declared is not one.event_type:
        raise InvalidDefinition(f"{where}: the function takes {shown(declared)}; annotate it with {contract.name}")
    if not takes(one.function, 1):
        raise InvalidDefinition(f"{where}: the function takes the event; no more")
    return command_of(one.function, where, optional=True)


def _reaction(cls: type[Choreography], one: On, command: Contract) -> Reaction:
    where = _where(cls, one)
    key_field = one.key or contract_of(one.event_type).key_field
    check_key_path(one.event_type, key_field, where)
    starts = one.event_type is cls.starts.event_type
    field, value = check_condition(one.event_type, dict(cls.starts.where) if starts else {}, where, key_field)
    assert one.function is not None
    only = check_condition(one.event_type, dict(one.where), where)
    return Reaction(
        one.event_type, command.kind, one.function, key_field, cls.name, starts, field, value, command, *only
    )


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
