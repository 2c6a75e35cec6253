"""What an author says of instances that an older definition began: how they become instances of this one.

class BookTrip(Saga[BookTripState], kind="book-trip"):
    ...
    carries = {
        "9f3c...": with_fee,                      # a version as listings show it, or the class of it
        "41d0...": renames(seat="flight"),        # the same state, and some tasks have other names
    }

def with_fee(old: OldState, position: Position) -> Carried:
    return Carried(BookTripState(trip_id=old.trip_id, fee_cents=500), tasks={"seat": "flight", "weigh": ""})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from runtime.durations import shown
from runtime.errors import InvalidDefinition

__all__ = ["Carried", "Migration", "Position", "renames"]


@dataclass(frozen=True, slots=True)
class Position:
    """Where an instance stands when it is carried over.

    status  running, compensating, completed, compensated or stuck
    tasks   where each task of the old definition stands, by its name: waiting, asked, working, unknown, done, refused,
            owed, undoing, undone, skipped, timed or passed
    """

    status: str
    tasks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Carried:
    """What becomes of an instance.

    state  its business state from now on
    tasks  by the name of an old task, that of the new one which goes on in its place; by default that of the same name.
           An empty name says of a task that is done that nothing of it will ever have to be undone
    """

    state: Message
    tasks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migration:
    """From one older definition."""

    function: Callable[[Any, Position], Message | Carried]
    state_type: type[Message]  # of the older definition


def renames(**tasks: str) -> Callable[[Message, Position], Carried]:
    """A migration that keeps the state, and has tasks go on under other names: renames(seat="flight").

    Raises InvalidDefinition for what is no name of a task.
    """
    for old, new in tasks.items():
        if not isinstance(new, str) or not (new.isidentifier() or not new):
            raise InvalidDefinition(f"renames({old}={shown(new)}): name the task that goes on in place of {old}")

    def renamed(state: Message, position: Position) -> Carried:
        return Carried(state, {old: new for old, new in tasks.items() if old in position.tasks})

    return renamed
