"""The results of one run, by the names of the program. They are read once, at rest, and only from the ledger.

Ledger ──▶ Evidence ──▶ entries by deed, records by run, letters and handled commands by deed ──▶ the promises
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.durable.caused import came_of
from runtime.envelope import Address, Envelope
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, HistoryRow, Outcome
from runtime.testing.rules.ledger import Ledger
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.program import first_names
from tests.proof.programs.vocabulary import ORIGIN, PARTICIPANTS, SLOTS, STARTING, deed_of

__all__ = ["DeedCommand", "Evidence"]


_BUSY = tuple(words.busy.DESCRIPTOR.full_name for words in PARTICIPANTS)


@dataclass(frozen=True, slots=True)
class DeedCommand:
    """One command that names a deed, and its outcome."""

    envelope: Envelope
    handled: HistoryRow | None
    place: int  # The place in the history of its conversation; -1 if it is not there.
    parked: str

    @property
    def took_effect(self) -> bool:
        return self.handled is not None and self.handled.outcome in (Outcome.HANDLED, Outcome.UNDONE)

    @property
    def has_settled(self) -> bool:
        """Whether it took effect, and its answer was not "not finished yet"."""
        if self.handled is None or not self.took_effect:
            return False
        return all(one.type not in _BUSY for one in came_of(self.handled).caused)

    @property
    def was_given_up(self) -> bool:
        """Whether it is parked, was discarded by an operator, or was given up for its undo."""
        given_up = (Outcome.IGNORED, Outcome.FAULTED)
        return bool(self.parked) or (self.handled is not None and self.handled.outcome in given_up)


@dataclass(slots=True)
class Evidence:
    """Everything that is known of a run at rest."""

    ledger: Ledger
    participants: dict[Address, tuple[pb.ParticipantState, ActorRow]] = field(default_factory=dict)
    entries: dict[str, tuple[pb.Entry, ActorRow]] = field(default_factory=dict)  # The keys are deeds.
    origins: dict[str, pb.OriginState] = field(default_factory=dict)  # The keys are runs.
    records: dict[str, tuple[SagaRecord, ActorRow]] = field(default_factory=dict)  # The keys are runs.
    orders: dict[tuple[str, bool], list[DeedCommand]] = field(
        default_factory=dict
    )  # The keys are a deed, and whether the command is its undo.
    starts: dict[str, list[DeedCommand]] = field(default_factory=dict)  # The starting events of each run.
    handled: dict[bytes, HistoryRow] = field(default_factory=dict)  # The keys are messages.
    twice: list[str] = field(default_factory=list)  # Deeds that two participants have done.

    def __post_init__(self) -> None:
        for words in PARTICIPANTS:
            for row in self.ledger.rows_of(words.kind):
                self._read_participant(row)
        for row in self.ledger.rows_of(ORIGIN):
            self.origins[row.key] = pb.OriginState.FromString(row.state)
        for slot in SLOTS:
            for row in self.ledger.rows_of(slot.kind):
                self.records[f"{slot.kind}|{row.key}"] = (_with_first_names(SagaRecord.FromString(row.state)), row)
        self._read_orders()

    def entry(self, deed: str) -> pb.Entry:
        """The entry of a deed in its participant's books; an empty entry if there is none."""
        found = self.entries.get(deed)
        return pb.Entry() if found is None else found[0]

    def conversation(self, deed: str) -> bytes:
        found = self.entries.get(deed)
        orders = self.orders.get((deed, False), [])
        if orders:
            return orders[0].envelope.conversation
        return b"" if found is None else found[1].conversation

    def given_up(self, deed: str, *, of_undo: bool) -> bool:
        """Whether some command of this deed was parked, discarded, or given up."""
        return any(order.was_given_up for order in self.orders.get((deed, of_undo), []))

    def place_of(self, conversation: bytes, id: bytes) -> int:
        """The place of a message in the history of a conversation; -1 if it is not there."""
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
            self.handled.update(rows)
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


def _with_first_names(record: SagaRecord) -> SagaRecord:
    for task in record.tasks:
        task.path = first_names(task.path)
    record.stuck_reason = first_names(record.stuck_reason)
    return record


def _run_started_by(envelope: Envelope) -> str:
    """A saga's run has its kind and key. The event names the run of its leader, which is that of a relay."""
    for event_type in STARTING:
        if envelope.type == event_type.DESCRIPTOR.full_name:
            is_of_saga = any(slot.kind == envelope.kind for slot in SLOTS)
            return f"{envelope.kind}|{envelope.key}" if is_of_saga else event_type.FromString(envelope.body).run
    return ""
