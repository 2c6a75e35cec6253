"""Which messages the store holds, by who has sent them to whom: by this the arrows of a map of flows are counted.

OperatorStore.every_mail ──mail_by_sender──▶ how many wait, and how many were given up, for each SentBetween
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.envelope import decode, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.standing import StoreStanding, many
from runtime.store.port import OperatorStore
from runtime.store.records import MailRow

__all__ = ["READ_MAX", "MailCount", "SentBetween", "mail_by_sender"]

READ_MAX = 2_000
"""Messages are looked at one by one, since no column of theirs names the sender. Where there are more, none is."""


@dataclass(frozen=True, slots=True)
class SentBetween:
    """What messages have in common that one kind has sent to another."""

    source: str  # a kind; or the sender as the envelope has it, where that is no actor
    target: str  # a kind
    type: str  # full name; empty of what cannot be read


@dataclass(frozen=True, slots=True)
class MailCount:
    waiting: int = 0
    letters: int = 0  # dead letters

    def __add__(self, other: MailCount) -> MailCount:
        return MailCount(self.waiting + other.waiting, self.letters + other.letters)


async def mail_by_sender(store: OperatorStore, standing: StoreStanding) -> Mapping[SentBetween, MailCount] | None:
    """None where there are more than READ_MAX messages, waiting or given up. Raises StoreError."""
    if many(standing.mail)[0] + many(standing.letters)[0] > READ_MAX:
        return None
    rows = await store.every_mail(limit=READ_MAX + 1)
    if len(rows) > READ_MAX:
        return None
    found: dict[SentBetween, MailCount] = {}
    for row in rows:
        sent, one = _sent(row), MailCount(letters=1) if row.parked else MailCount(waiting=1)
        found[sent] = found.get(sent, MailCount()) + one
    return found


def _sent(row: MailRow) -> SentBetween:
    try:
        envelope = decode(row.envelope)
    except InvalidMessage:
        return SentBetween("", row.kind, "")
    try:
        source = parse_address(envelope.sender)[0]
    except InvalidMessage:
        source = envelope.sender
    return SentBetween(source, row.kind, envelope.type)
