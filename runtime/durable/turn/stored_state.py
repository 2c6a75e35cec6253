"""What an actor begins a turn with, as its row has it: state and timers."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError, Message

from runtime.protos import durable_pb2
from runtime.store.records import ActorRow

__all__ = ["encoded_timers", "state_and_timers"]


def state_and_timers(row: ActorRow | None, state_type: type[Message]) -> tuple[Message, dict[str, durable_pb2.Timer]]:
    """What an actor begins a turn with. Raises DecodeError."""
    state = state_type()
    if row is None:
        return state, {}
    if row.state_type != state_type.DESCRIPTOR.full_name:
        raise DecodeError(f"it is a {row.state_type}, not a {state_type.DESCRIPTOR.full_name}")
    state.MergeFromString(row.state)
    return state, {timer.name: timer for timer in durable_pb2.Timers.FromString(row.timers).timers}


def encoded_timers(timers: Mapping[str, durable_pb2.Timer]) -> bytes:
    """Timers as a row has them. They are added one by one: the constructor would copy them by way of their bytes."""
    row = durable_pb2.Timers()
    for timer in timers.values():
        row.timers.add().CopyFrom(timer)
    return row.SerializeToString()
