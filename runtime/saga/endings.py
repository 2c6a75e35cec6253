"""Where a choreography goes: whatever its commands may lead to is heard in it, or is declared as an end.

start ─▶ reaction ─▶ command ─▶ handler ─▶ events: each has a reaction in the same process, or stands in `ends`

An event reaches no other process once its conversation has one, so what starts another does not hear it. What the
timers of a handler lead to is not known here: it sets them while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.handlers import HandlerSpec
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography, sent_commands
from runtime.saga.node import full_name

__all__ = ["check_ends", "check_settled", "events_after"]

Handlers = Callable[[Contract], HandlerSpec | None]


def check_ends(process: type[Choreography], handler_of: Handlers) -> None:
    """Raises InvalidDefinition for an event that nobody hears, and for an end that nothing comes to."""
    heard = {reaction.event_type for reaction in process.compiled}
    reached: set[type[Message]] = set()
    for command, event in events_after(sent_commands(process), handler_of):
        reached.add(event)
        if event not in heard and event not in process.ends:
            name = full_name(event)
            raise InvalidDefinition(
                f"{process.__name__}: {command.name} may be answered with {name}, which nobody hears in "
                f"{process.name}; react to it with on({event.__name__}, ...), or say that the process ends there: "
                f"ends = ({event.__name__}, ...)"
            )
    for event in process.ends:
        if event not in reached:
            raise InvalidDefinition(
                f"{process.__name__}.ends: none of its commands is ever answered with {full_name(event)}; "
                "take it out, or add the reaction that leads there"
            )


def check_settled(process: type[Choreography], handlers: Iterable[HandlerSpec]) -> None:
    """Raises InvalidDefinition for an event that is to settle conversations, and that no command is answered with.

    A command from outside may join a conversation, so the handlers of all commands count. What a timer of a service
    leads to belongs to no process.
    """
    said = {event for one in handlers if contract_of(one.input_type).is_command for event in one.output_types}
    for event in process.settled_by:
        if event not in said:
            raise InvalidDefinition(
                f"{process.__name__}.settled_by: no command is ever answered with {full_name(event)}, so it settles "
                "nothing; take it out"
            )


def events_after(commands: Iterable[Contract], handler_of: Handlers) -> Iterator[tuple[Contract, Any]]:
    """Each event that follows, with the command whose handler returns it; commands are followed to their handlers."""
    left = list(commands)
    seen: set[str] = set()
    while left:
        command = left.pop(0)
        handler = None if command.name in seen else handler_of(command)
        seen.add(command.name)
        for made in () if handler is None else handler.output_types:
            contract = contract_of(made)
            if contract.is_command:
                left.append(contract)
            else:
                yield command, made
