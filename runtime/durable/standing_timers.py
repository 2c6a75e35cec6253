"""The timers of an actor as a handler finds them, and as it has left them so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.durable.handlers import HandlerSpec
from runtime.errors import InvalidMessage
from runtime.protos import durable_pb2

__all__ = ["NONE", "due_times", "message_of", "others", "standing"]

_FIRED = durable_pb2.TimerFired.DESCRIPTOR.full_name

Standing = Mapping[str, durable_pb2.Timer]
NONE: Standing = MappingProxyType({})
Changes = Sequence[SetTimer | CancelTimer]


def standing(due: Mapping[str, float]) -> dict[str, durable_pb2.Timer]:
    """Timers without a message of their own, as a test gives them: when each is due, by name."""
    return {name: durable_pb2.Timer(name=name, due_at_s=at_s, type=_FIRED) for name, at_s in due.items()}


def others(timers: Standing, fired: str) -> Standing:
    """All but the one that has fired, if one has: it is set no more."""
    return {name: timer for name, timer in timers.items() if name != fired} if fired else timers


def due_times(timers: Standing, changes: Changes) -> dict[str, float]:
    """When each is due, by name, earliest first."""
    found = {name: timer.due_at_s for name, timer in timers.items()}
    for change in changes:
        found.pop(change.name, None)
        if isinstance(change, SetTimer):
            found[change.name] = change.due_at_s
    return dict(sorted(found.items(), key=lambda one: one[1]))


def message_of(
    name: str, timers: Standing, changes: Changes, handlers: Mapping[str, HandlerSpec], kind: str
) -> Message | None:
    """What a timer would bring; None for amends.TimerFired. Raises InvalidMessage where there is no such timer."""
    last = next((one for one in reversed(changes) if one.name == name), None)
    if isinstance(last, SetTimer):
        return last.message
    timer = timers.get(name)
    if timer is None or last is not None:
        there = ", ".join(due_times(timers, changes)) or "none"
        raise InvalidMessage(f"{kind} has no timer {name!r} that could be moved; there are: {there}")
    if timer.type == _FIRED:
        return None
    if timer.type not in handlers:
        raise InvalidMessage(f"the timer {name!r} brings {timer.type}, and {kind} has no handler for it any more")
    return handlers[timer.type].input_type.FromString(timer.body)
