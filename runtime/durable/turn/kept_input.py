"""What the history keeps of a message that a saga was given, so that the saga can be run over it once more."""

from __future__ import annotations

from runtime.envelope import Envelope
from runtime.protos import durable_pb2

__all__ = ["keep_input"]

_KEPT_BYTES_MAX = 1 << 16
"""The longest body that is kept; of a longer one the length is."""


def keep_input(kept: durable_pb2.KeptInput, given: Envelope, number: int) -> None:
    """`number`: how many messages the turn has handled before this one."""
    if len(given.body) <= _KEPT_BYTES_MAX:
        kept.body = given.body
    else:
        kept.left_out = len(given.body)
    if given.in_reply_to:
        kept.is_answer = True
        if given.in_reply_to != given.cause:
            kept.answers = given.in_reply_to
    if given.reply_to:
        kept.is_asked = True
    if number:
        kept.number = number
