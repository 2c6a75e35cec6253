"""Frames: how one is read, how one says goodbye, and how large a message may be that one of them takes."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from runtime.errors import InvalidMessage
from runtime.protos import mesh_pb2

__all__ = [
    "FRAME_BYTES_MAX",
    "FRAME_MESSAGES_MAX",
    "decode_frame",
    "frame_limit",
    "goodbye_frame",
    "message_room",
    "without_body",
]

FRAME_BYTES_MAX = 256 * 1024  # a message that is larger is a frame by itself
FRAME_MESSAGES_MAX = 512

_WRAPPING_BYTES = 4096  # what a frame holds beside its messages, at most
_FRAME_BYTES_UNSAID = 1024 * 1024  # what a peer takes whose version does not say it
_SLACK_BYTES = 1024 * 1024  # beside one message of any size, or many of 256 KiB in all
_FAULT_SHOWN_MAX = 1000  # characters of a fault's text, in an answer that is too large


def decode_frame(encoded: bytes) -> mesh_pb2.Frame:
    """Raises InvalidMessage if the bytes are no frame."""
    try:
        return mesh_pb2.Frame.FromString(encoded)
    except DecodeError as error:
        raise InvalidMessage(f"{len(encoded)} bytes are no frame") from error


def goodbye_frame(reason: str) -> bytes:
    return mesh_pb2.Frame(goodbye=reason).SerializeToString()


def frame_limit(message_bytes_max: int) -> int:
    """The largest frame or request, in bytes, of a server that is made for messages of that size."""
    return message_bytes_max + _SLACK_BYTES


def message_room(frame_bytes_max: int) -> int:
    """How large one message may be for a peer that takes frames of so many bytes; 0: it did not say."""
    return (frame_bytes_max or _FRAME_BYTES_UNSAID) - _WRAPPING_BYTES


def without_body(signal: mesh_pb2.Signal) -> mesh_pb2.Signal | None:
    """The signal to send instead of one that is too large: it says where in the store its content can be read."""
    match signal.WhichOneof("signal"):
        case "answer":
            answer = signal.answer
            fault = answer.fault[:_FAULT_SHOWN_MAX]
            return mesh_pb2.Signal(answer=mesh_pb2.Answer(call=answer.call, fault=fault, message=answer.message))
        case "changed":
            changed = signal.changed
            return mesh_pb2.Signal(look=mesh_pb2.Look(address=changed.address, revision=changed.revision))
        case _:
            return None
