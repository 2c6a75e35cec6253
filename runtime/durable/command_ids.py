"""Ids that clients choose: each tells when it was made, and belongs to one command, waiting or handled."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.envelope import Address, Envelope, address_of, decode
from runtime.errors import InvalidMessage, MessageTooOld
from runtime.store.records import MailRow

__all__ = ["ID_BYTES", "check_alone", "check_id", "check_same", "type_of"]

ID_BYTES = 16
"""Of a message, and of a conversation, which has the id of the command that began it."""


def check_id(id: bytes, now_s: float, retention_s: float) -> None:
    if len(id) != ID_BYTES:
        raise InvalidMessage(f"a message id has {ID_BYTES} bytes, not {len(id)}")
    made_at_s = int.from_bytes(id[:6], "big") / 1000
    if made_at_s < now_s - retention_s:
        raise MessageTooOld(
            f"the message {id.hex()} was made {now_s - made_at_s:.0f} s ago, and messages are remembered for "
            f"{retention_s:.0f} s: whether it was handled is no longer known. Read the state; to do it again, send it "
            "under a new id"
        )


def type_of(row: MailRow) -> str:
    try:
        return decode(row.envelope).type
    except InvalidMessage:
        return ""  # nobody can tell


def check_same(envelope: Envelope, type: str, address: Address) -> None:
    """Whether the message that is known by an id is the one that was asked for. Raises InvalidMessage."""
    if address != envelope.address or (type and type != envelope.type):
        raise InvalidMessage(
            f"the message id {envelope.id.hex()} was used for two commands: {type or 'one'} for {address_of(*address)} "
            f"and {envelope.type} for {address_of(*envelope.address)}. The first of them has the id, the other will "
            "not be handled; send it under an id of its own"
        )


def check_alone(envelope: Envelope, mail: Sequence[MailRow]) -> None:
    """Whether the id of a command waits for no other actor, in its conversation. Raises InvalidMessage."""
    for row in mail:
        if row.id == envelope.id and not row.sequence:
            check_same(envelope, type_of(row), row.address)
