"""A message that a test expects, by its value or by its type: whether one fits it, and how both are told."""

from __future__ import annotations

from google.protobuf.message import Message

__all__ = ["fits", "told"]


def fits(sent: Message, wanted: Message | type[Message]) -> bool:
    return isinstance(sent, wanted) if isinstance(wanted, type) else sent == wanted


def told(message: Message | type[Message]) -> str:
    if isinstance(message, type):
        return message.__name__
    return f"{type(message).__name__}({str(message).strip()})"
