"""The deadline of a choreography's conversations, as its class declares it.

    class BookByEvents(Choreography, name="book-by-events", deadline=minutes(5)):
        settled_by = (TripConfirmed, TripCancelled)    # one of them meets the deadline; `ends` when nothing is said
        on_overdue = give_up                           # def give_up(event: TripStarted) -> CancelTrip | None

The time begins with the event that starts the conversation. Who keeps it is told in `overdue`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durations import Span, check_span, in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.saga.functions import called, command_of, parameter_of, takes
from runtime.saga.node import full_name
from runtime.saga.on import On
from runtime.saga.read_step import message_types

__all__ = ["Deadline", "OnOverdue", "read_deadline"]

OnOverdue = Callable[[Any], Message | None]
"""Of the event that started the conversation, makes the command that is sent when its time is over, or None."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long a conversation may take, what meets that, and what is sent when nothing has."""

    process: str
    title: str
    starts: On
    within_s: float
    settled_by: tuple[type[Message], ...]
    function: OnOverdue | None
    command: Contract | None  # what the function makes

    @property
    def kind(self) -> str:
        """The kind of the durable actors that keep the time, one for each conversation."""
        return f"{self.process}-deadline"


def read_deadline(cls: type[Any], process: str, deadline: Span) -> Deadline | None:
    """The deadline of a choreography; None when it declares none. Raises InvalidDefinition.

    The class has `starts`, `ends`, `settled_by` and `on_overdue`, of which the first two are checked already.
    """
    title = cls.__name__
    check_span(deadline, "a deadline is finite and above 0", f"choreography {title}", or_none=True)
    if not deadline:
        if cls.settled_by != ():
            _settled_by(cls, title)
        if cls.on_overdue is not None:
            raise InvalidDefinition(
                f"{title}.on_overdue belongs to a deadline, and there is none: take it out, or write "
                f"class {title}(Choreography, name=..., deadline=minutes(5))"
            )
        return None
    settled_by = _settled_by(cls, title)
    function = cls.on_overdue
    command = None if function is None else _command(function, cls.starts, f"{title}.on_overdue")
    return Deadline(process, title, cls.starts, in_seconds(deadline), settled_by, function, command)


def _settled_by(cls: type[Any], title: str) -> tuple[type[Message], ...]:
    where = f"{title}.settled_by"
    if not isinstance(cls.settled_by, tuple):
        raise InvalidDefinition(f"{where} is a tuple of events: settled_by = (SomeEvent, ...)")
    settled_by = message_types(cls.settled_by or cls.ends, where)
    if not settled_by:
        raise InvalidDefinition(
            f"{title} has a deadline, and neither ends nor settled_by, so that nothing would meet it: "
            "settled_by = (SomeEvent, ...)"
        )
    for event in settled_by:
        if contract_of(event).is_command:
            raise InvalidDefinition(f"{where}: {full_name(event)} is a command; a conversation is settled by events")
        if event is cls.starts.event_type:
            raise InvalidDefinition(
                f"{where}: {full_name(event)} starts the conversation, which would be settled at once; name the "
                "events that it should come to"
            )
    if len(set(settled_by)) < len(settled_by):
        raise InvalidDefinition(f"{where}: an event stands there twice; take one out")
    return settled_by


def _command(function: OnOverdue, starts: On, where: str) -> Contract:
    command = command_of(function, where, optional=True)
    declared = parameter_of(function, where)
    if declared is not starts.event_type or not takes(function, 1):
        raise InvalidDefinition(
            f"{where}: {called(function)} takes {shown(declared)}; it is given the event that began the conversation, "
            f"and no more: def {called(function)}(event: {starts.event_type.DESCRIPTOR.name})"
        )
    return command
