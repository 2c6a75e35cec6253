"""What would start one process in the conversation of another, and starts nothing there.

A conversation is driven by one process. Where a command of that leads to an event that starts another, the other is not
started; so either that is a mistake, or it is meant and said: Catalogue(..., unstarted={process: (SomeEvent, ...)}).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.errors import InvalidDefinition
from runtime.saga.choreography import Choreography, sent_commands
from runtime.saga.definition import Definition
from runtime.saga.endings import Handlers, events_after
from runtime.saga.node import full_name

__all__ = ["Driver", "check_unstarted", "driver_of_choreography", "driver_of_saga"]


@dataclass(frozen=True, slots=True)
class Driver:
    """One process: what it is started by, and every command that it may send."""

    name: str
    title: str
    starts: tuple[type[Message], ...]
    commands: tuple[Contract, ...]


def driver_of_saga(saga: Definition) -> Driver:
    commands = [one for step in saga.steps for one in (step.command, step.undo_command) if one is not None]
    commands += [one.contract for one in saga.reminders if one.contract.is_command]
    return Driver(saga.name, saga.title, tuple(start.event_type for start in saga.starts), tuple(commands))


def driver_of_choreography(process: type[Choreography]) -> Driver:
    return Driver(process.name, process.__name__, (process.starts.event_type,), sent_commands(process))


def check_unstarted(
    drivers: Sequence[Driver], handler_of: Handlers, unstarted: Mapping[str, Sequence[type[Message]]]
) -> None:
    """Raises InvalidDefinition for a start that would be dropped, unless that is said, and for what is said in vain."""
    said = {(name, event) for name, events in unstarted.items() for event in events}
    met: set[tuple[str, type[Message]]] = set()
    for driver in drivers:
        for command, event in events_after(driver.commands, handler_of):
            started = [one.title for one in drivers if one.name != driver.name and event in one.starts]
            met |= {(driver.name, event)} if started else set()
            if started and (driver.name, event) not in said:
                raise InvalidDefinition(
                    f"{driver.title}: {command.name} may be answered with {full_name(event)}, which starts "
                    f"{started[0]}, but not in a conversation that {driver.name} drives; let a client's command of its "
                    f"own start that, or say that nothing starts there: Catalogue(..., "
                    f"unstarted={{'{driver.name}': ({event.__name__},)}})"
                )
    _refuse_vain(said - met)


def _refuse_vain(vain: Collection[tuple[str, type[Message]]]) -> None:
    for name, event in sorted(vain, key=lambda one: (one[0], full_name(one[1]))):
        raise InvalidDefinition(
            f"unstarted: no command of {name!r} leads to {full_name(event)} and so keeps another process from "
            "starting; take it out"
        )
