"""What an author writes an event of a saga with: it tells whoever listens, and waits for nobody.

booked = Publish(trip_booked)
flow = seat >> money >> booked >> final
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.saga.flow import Part

__all__ = ["Publish"]


@dataclass(frozen=True, eq=False)
class Publish(Part):
    """An event that leaves in the commit in which its turn has come, once; the saga goes on in the same commit.

    It begins a conversation of its own, which no process drives: it reaches what awaits it, and starts the sagas and
    choreographies that it starts. It is not undone, so one before the pivot says what may be taken back later.

    event  (state) -> event; the return annotation says which
    """

    event: Callable[[Any], Message]
