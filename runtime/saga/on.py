"""An event, and the condition under which it counts: what starts a saga or a choreography, and what a kind reacts to.

started_by = on(TripStarted, begin, where={"flow": BY_SAGA})
starts     = on(TripStarted, where={"flow": BY_EVENTS})
reactions  = (on(SeatReserved, reserve_room, key="hotel"), ...)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durations import shown
from runtime.errors import InvalidDefinition

__all__ = ["On", "on"]


@dataclass(frozen=True, slots=True)
class On:
    """An event on a condition, and what is made of it."""

    event_type: type[Message]
    function: Callable[[Any], Message | None] | None
    where: Mapping[str, object]
    key: str  # dotted field of the event; empty: the event's own key


def on(
    event_type: type[Message],
    function: Callable[[Any], Message | None] | None = None,
    *,
    where: Mapping[str, object] | None = None,
    key: str = "",
) -> On:
    """This event, if its fields are as `where` says (at most one).

    `function(event)` makes the state of the saga that it starts, or the command by which a kind reacts to it, or None
    for nothing to do. What starts a choreography has none. `key` is the dotted field of the event that names the
    instance or the reacting actor; by default it is the event's own key.

    The value of `where` is of the field's type; one that the field cannot have is refused when the class is made. A
    field that knows whether it was set (`optional`, in a oneof, in a message inside) has to be set, even to its
    default. A plain field that is not set has its default.

    A second event of the same key does not start an instance anew: it is noted as ignored.
    """
    if not isinstance(where or {}, Mapping):
        raise InvalidDefinition(f"on({shown(event_type)}): where is a field's name and its value, not {shown(where)}")
    return On(event_type, function, dict(where or {}), key)
