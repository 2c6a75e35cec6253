"""The delivery by which a transcript gives its saga a message, as the turn of a node would make it."""

from __future__ import annotations

import itertools

from google.protobuf.message import Message

from runtime.durable.behaviour import Delivery
from runtime.envelope import Address, Envelope, message_id

__all__ = ["delivery_of"]

_CONVERSATION = bytes(range(16))


def delivery_of(
    to: Address,
    message: Message,
    id: bytes,
    now_s: float,
    revision: int,
    *,
    in_reply_to: bytes = b"",
    reply_to: str = "",
    timer: str = "",
    body_bytes_max: int = 0,
    state_bytes_max: int = 0,
) -> Delivery:
    """`timer` is the name of the timer that fires, `reply_to` who waits for an answer."""
    envelope = Envelope(
        id=id,
        kind=to[0],
        key=to[1],
        type=message.DESCRIPTOR.full_name,
        body=message.SerializeToString(),
        conversation=_CONVERSATION,
        sent_at_s=now_s,
        in_reply_to=in_reply_to,
        reply_to=reply_to,
        timer=timer,
    )
    positions = itertools.count(1)
    return Delivery(
        envelope,
        message,
        now_s,
        0,
        revision,
        lambda destination, content: message_id(now_s, id, next(positions), destination, content),
        body_bytes_max=body_bytes_max,
        state_bytes_max=state_bytes_max,
    )
