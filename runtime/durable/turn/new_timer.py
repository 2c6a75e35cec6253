"""A timer that a handler sets: what is wrong with it, and how the row of its actor has it.

Decision.timers ──check_timer──▶ InvalidMessage    ──new_timer──▶ amends.Timer, in the Draft
"""

from __future__ import annotations

from functools import lru_cache

from google.protobuf.message import Message

from runtime.contracts import Contracts
from runtime.durable.behaviour import SetTimer
from runtime.envelope import body_of, check_key, check_size, is_instant
from runtime.errors import InvalidMessage
from runtime.protos import durable_pb2

__all__ = ["check_timer", "new_timer"]

_FIRED = durable_pb2.TimerFired.DESCRIPTOR.full_name


def check_timer(timer: SetTimer, contracts: Contracts, message_bytes_max: int) -> None:
    """Refuse what could not be written into the actor's row, or never be delivered. Raises InvalidMessage."""
    name: object = timer.name
    if not isinstance(name, str):
        raise InvalidMessage(f"a timer is known by a name; {name!r} is no text")
    check_key(name, "the name of a timer")
    if not is_instant(timer.due_at_s):
        raise InvalidMessage(f"the timer {name!r} is due at {timer.due_at_s}, which is no instant since 1970")
    message: object = timer.message
    if message is None:
        return
    if not isinstance(message, Message):
        raise InvalidMessage(f"the timer {name!r} would bring a {type(message).__name__}, which is no message")
    contract = contracts.of(message)
    check_size(contract.name, body_of(message), message_bytes_max)


def new_timer(
    change: SetTimer, set_by: bytes, conversation: bytes, process: str, traceparent: str
) -> durable_pb2.Timer:
    """The timer that a message has set, whose id is `set_by`. What is empty is left out: to set it costs as much."""
    timer = durable_pb2.Timer()
    timer.name, timer.due_at_s, timer.set_by = change.name, change.due_at_s, set_by
    if change.message is None:
        timer.type, timer.body = _FIRED, _fired(change.name)
    else:
        timer.type, timer.body = change.message.DESCRIPTOR.full_name, change.message.SerializeToString()
    if change.after_mail:
        timer.after_mail = True
    if conversation:
        timer.conversation = conversation
    if process:
        timer.process = process
    if traceparent:
        timer.traceparent = traceparent
    return timer


@lru_cache(maxsize=1024)
def _fired(name: str) -> bytes:
    """What a timer brings by itself. Most sagas set timers of the same few names."""
    return durable_pb2.TimerFired(name=name).SerializeToString()
