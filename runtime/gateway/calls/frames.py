"""Frames of a stream of calls: what makes one wrong, and how many answers or calls go into the next one.

Nothing here waits or acts. Both ends use it, so that they agree on sizes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from runtime.errors import InvalidMessage
from runtime.protos import calls_pb2

__all__ = ["FRAME_BYTES_MAX", "RESPONSE_BYTES_MAX", "CallLimits", "check_calls", "how_many_fit", "read_calls"]

FRAME_BYTES_MAX: Final = 256 * 1024
"""A frame ends with the call, or the answer, that takes it to so many bytes: larger frames are no cheaper."""

RESPONSE_BYTES_MAX: Final = 1024 * 1024
"""The largest response on a stream. A client that takes messages of up to 4 MiB, as gRPC's do, can read each frame."""

_WRAPPING_BYTES: Final = 12  # what a frame holds for each of its messages, at most

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What a node bears of its streams of calls."""

    calls_max: int = 1024  # calls of one stream without an answer; a client that begins more ends its stream
    all_calls_max: int = 10_000  # calls of all streams without an answer; more are answered RESOURCE_EXHAUSTED
    frame_bytes_max: int = 2 * 1024 * 1024  # largest frame from a client
    age_s: float = 10.0  # a stream that old takes no new calls: its connection may end soon (`connection_age_s`)
    unread_bytes_max: int = 4 * 1024 * 1024  # answers that a client does not read: beyond, no more is read from it


def read_calls(encoded: bytes) -> calls_pb2.Calls:
    """Raises InvalidMessage."""
    try:
        return calls_pb2.Calls.FromString(encoded)
    except DecodeError as error:
        raise InvalidMessage(
            f"{len(encoded)} bytes are no frame of calls: send messages of the type amends.Calls, or the method's own"
        ) from error


def check_calls(calls: Iterable[calls_pb2.Call], last_id: int, under_way: int, calls_max: int) -> int:
    """The last id of a frame after a frame that ended with `last_id`. Raises InvalidMessage for what breaks the rules.

    Nothing of a wrong frame is begun.
    """
    for call in calls:
        if call.id <= last_id:
            raise InvalidMessage(f"ids of calls rise from call to call, from 1; {call.id} came after {last_id}")
        if not 0 <= call.timeout_s < float("inf"):
            raise InvalidMessage(f"timeout_s is 0 or more seconds; call {call.id} has {call.timeout_s}")
        last_id = call.id
        under_way += 1
    if under_way > calls_max:
        raise InvalidMessage(
            f"{under_way} calls are without an answer on this stream, and at most {calls_max} may be, as its first "
            "message has said; wait for answers before you send more"
        )
    return last_id


def how_many_fit(messages: Iterable[Message], bytes_max: int, most: int) -> int:
    """How many of the first ones go into a frame of so many bytes: one at least, and `most` at the most."""
    size, count = 0, 0
    for message in messages:
        if count >= most:
            break
        size += message.ByteSize() + _WRAPPING_BYTES
        if count and size > bytes_max:
            break
        count += 1
    return count
