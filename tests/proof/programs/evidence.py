"""What one run has left behind, by the names of the program: read once, at rest, from the ledger and nowhere else.

Ledger ──▶ Evidence ──▶ entries by deed, records by run, letters and handled commands by deed ──▶ the promises
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.envelope import Address, Envelope
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.vocabulary import ORIGIN, PARTICIPANTS, SLOTS, deed_of

__all__ = ["DeedCommand", "Evidence"]


@dataclass(frozen=True, slots=True)
class DeedCommand:
    """One command that names a deed, and what became of it."""

    envelope: Envelope
    handled: HistoryRow | None
    place: int  # in the history of its conversation; -1 while it is not there
    parked: str

    @property
    def took_effect(self) -> bool:
        return self.handled is not None and self.handled.outcome in (Outcome.HANDLED, Outcome.UNDONE)

    @property
    def was_given_up(self) -> bool:
        """Parked where an operator sees it, discarded by one, or put to rest by an undo."""
        given_up = (Outcome.IGNORED, Outcome.FAULTED)
        return bool(self.parked) or (self.handled is not None and self.handled.outcome in given_up)


@dataclass(slots=True)
class Evidence:
    """All that is at rest."""

    ledger: Ledger
    participants: dict[Address, tuple[pb.ParticipantState, ActorRow]] = field(default_factory=dict)
    entries: dict[str, tuple[pb.Entry, ActorRow]] = field(default_factory=dict)  # by deed
    origins: dict[str, pb.OriginState] = field(default_factory=dict)  # by run
    records: dict[str, tuple[SagaRecord, ActorRow]] = field(default_factory=dict)  # by run
    orders: dict[tuple[str, bool], list[DeedCommand]] = field(
        default_factory=dict
    )  # by deed, and whether it is its undo
    starts: dict[str, list[DeedCommand]] = field(default_factory=dict)  # events that were to start it, by run
    twice: list[str] = field(default_factory=list)  # deeds that two participants have

    def __post_init__(self) -> None:
        for words in PARTICIPANTS:
            for row in self.ledger.rows_of(words.kind):
                self._read_participant(row)
        for row in self.ledger.rows_of(ORIGIN):
            self.origins[row.key] = pb.OriginState.FromString(row.state)
        for slot in SLOTS:
            for row in self.ledger.rows_of(slot.kind):
                self.records[f"{slot.kind}|{row.key}"] = (SagaRecord.FromString(row.state), row)
        self._read_orders()

    def entry(self, deed: str) -> pb.Entry:
        """What a participant's books say of a deed; an empty entry if it never heard of it."""
        found = self.entries.get(deed)
        return pb.Entry() if found is None else found[0]

    def conversation(self, deed: str) -> bytes:
        found = self.entries.get(deed)
        orders = self.orders.get((deed, False), [])
        if orders:
            return orders[0].envelope.conversation
        return b"" if found is None else found[1].conversation

    def given_up(self, deed: str, *, of_undo: bool) -> bool:
        """Whether some command of this deed lies, or lay, where an operator sees it."""
        return any(order.was_given_up for order in self.orders.get((deed, of_undo), []))

    def place_of(self, conversation: bytes, id: bytes) -> int:
        """In the history of a conversation; -1 if it is not there."""
        return self._places.get((conversation, id), -1)

    _places: dict[tuple[bytes, bytes], int] = field(default_factory=dict)

    def _read_participant(self, row: ActorRow) -> None:
        state = pb.ParticipantState.FromString(row.state)
        self.participants[row.address] = (state, row)
        for entry in state.entries:
            if entry.deed in self.entries:
                self.twice.append(entry.deed)
            self.entries[entry.deed] = (entry, row)

    def _read_orders(self) -> None:
        for conversation, rows in self.ledger.history.items():
            self._places.update(((conversation, id), place) for place, id in enumerate(rows))
        for row, envelope in self.ledger.sent():
            if envelope is None:
                continue
            handled = self.ledger.history.get(row.conversation, {}).get(row.id)
            waiting = self.ledger.waiting.get(row.id)
            place = self.place_of(row.conversation, row.id)
            order = DeedCommand(envelope, handled, place, waiting.parked if waiting is not None else "")
            self._file(order)

    def _file(self, order: DeedCommand) -> None:
        envelope = order.envelope
        started = _run_started_by(envelope)
        if started:
            self.starts.setdefault(started, []).append(order)
        deed = deed_of(envelope)
        if deed is not None:
            self.orders.setdefault(deed, []).append(order)


def _run_started_by(envelope: Envelope) -> str:
    for event_type in (pb.Begun, pb.Resumed):
        if envelope.type == event_type.DESCRIPTOR.full_name:
            return event_type.FromString(envelope.body).run
    return ""
