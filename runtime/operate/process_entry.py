"""One process that nobody drives, as its start, its mail and its deadline tell."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.envelope import Envelope, address_of, parse_address
from runtime.errors import InvalidMessage
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.store.records import HistoryRow, MailRow

__all__ = ["AT_REST", "OVERDUE", "ProcessEntry", "ProcessId", "process_entry"]

AT_REST = "at rest"
OVERDUE = "overdue"

ProcessId = tuple[str, bytes]
"""The process and its conversation."""


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process that nobody drives. Instants are seconds since 1970."""

    kind: str  # the choreography's name
    key: str  # of the actor whose event started it
    conversation: str
    status: str  # "parked", "overdue", "waiting" for mail that there is; else "at rest": nobody has anything to do
    open: tuple[str, ...]  # what is parked or waits, and for whom
    started_at_s: float
    dead_letters: int
    overdue_since_s: float = 0.0  # when its deadline was; 0 unless it has one that is not met

    @property
    def needs_a_person(self) -> bool:
        return self.dead_letters > 0 or self.overdue_since_s > 0


def process_entry(
    id: ProcessId, start: HistoryRow | None, mail: list[tuple[MailRow, Envelope]], overdue: DeadlineRecord | None = None
) -> ProcessEntry:
    process, conversation = id
    mail.sort(key=lambda one: (not one[0].parked, one[0].sent_at_s, one[0].id))
    parked = sum(bool(row.parked) for row, _ in mail)
    first = start or min((row for row, _ in mail), key=lambda row: row.sent_at_s, default=None)
    sender = start.sender if start else overdue.started_by if overdue else mail[0][1].sender
    return ProcessEntry(
        kind=process,
        key=_key_of(sender, first.key if first else ""),
        conversation=conversation.hex(),
        status="parked" if parked else OVERDUE if overdue else "waiting" if mail else AT_REST,
        open=tuple(f"{one.type} for {address_of(*row.address)}" for row, one in mail),
        started_at_s=first.sent_at_s if first else overdue.started_at_s if overdue else 0.0,
        dead_letters=parked,
        overdue_since_s=overdue.due_at_s if overdue else 0.0,
    )


def _key_of(sender: str, otherwise: str) -> str:
    """The key of the actor whose event it is. Who reacts to it may have another, such as that of a warehouse."""
    try:
        return parse_address(sender)[1]
    except InvalidMessage:
        return otherwise  # the message is a client's
