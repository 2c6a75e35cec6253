"""The history of one saga instance: what it was given, and what that did to its state, its tasks and its timers.

    rows of history ──▶ KeptMessage ──saga/replay.py──▶ HistoryEntry, each with the record before and after

The store keeps no states of the past. Where this build carries the definition that began the instance, its records are
made again from its messages; else the history tells messages alone, and `untold` says why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from runtime.contracts import Contracts
from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.durable.caused import readable_came_of
from runtime.envelope import Address, Envelope, address_of
from runtime.errors import AmendsError
from runtime.observe.conversation import Conversation, TracedMessage, read_conversation
from runtime.operate.dead_letters import NotFound
from runtime.operate.present_bounds import present_bounds
from runtime.operate.saga_record import record_of
from runtime.operate.stored_kinds import stored_address
from runtime.protos.durable_pb2 import KeptInput, TimerFired
from runtime.protos.lock_pb2 import DeadlockSearch, LockReleased
from runtime.protos.saga_pb2 import (
    CancelSaga,
    EventCame,
    KeyHeld,
    KeyTaken,
    RepairSaga,
    RetrySaga,
    SagaRecord,
    StoppedWaiting,
)
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.node import LOCK_NEWS, full_name
from runtime.saga.node_bounds import NodeBounds
from runtime.saga.pausing import HELD
from runtime.saga.replay import KeptMessage, Replayed, run_again
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, HistoryRow, Outcome

__all__ = ["HistoryEntry", "InstanceHistory", "answered_by", "asked_by", "read_history"]

_PAGE = 500
_OF_OPERATORS = (CancelSaga, RetrySaga, RepairSaga)
_OF_KEYS = (EventCame, KeyHeld, KeyTaken, StoppedWaiting, LockReleased, DeadlockSearch, *LOCK_NEWS)
_FROM_ELSEWHERE = tuple(map(full_name, (*_OF_OPERATORS, *_OF_KEYS)))
_NOT_RUN = (Outcome.FAULTED, Outcome.UNDONE)  # Outcomes of messages that changed nothing.


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One message that the instance was given."""

    number: int
    row: HistoryRow
    message: Message | None  # None: the history did not keep it, or no contract knows its type
    sent: tuple[TracedMessage, ...]  # what came of it, and what became of that
    replayed: Replayed | None = None
    timers: tuple[str, ...] = ()  # each that was set, moved or cancelled, in words

    @property
    def revision(self) -> int | None:
        """The saga's, as acts of operators expect it, after this message; None where its records cannot be told."""
        known = self.replayed is not None and not self.replayed.difference
        return self.replayed.after.revision if known and self.replayed else None

    @property
    def came(self) -> str:
        """The type of the message, without its package; of a timer, its name."""
        if isinstance(self.message, TimerFired):
            return f"timer {self.message.name!r}"
        return self.row.type.rpartition(".")[2] or "?"


@dataclass(frozen=True, slots=True)
class InstanceHistory:
    row: ActorRow
    record: SagaRecord
    entries: tuple[HistoryEntry, ...]
    conversation: Conversation  # those of its messages alone
    untold: str  # why some entries have no records; empty when all have, and the last is what the store has
    name: str  # of the author's class; empty where this build has none of this kind

    @property
    def address(self) -> str:
        return address_of(self.row.kind, self.row.key)

    def record_at(self, revision: int) -> SagaRecord:
        """The record that the instance had last at a revision of the saga. Raises NotFound."""
        found = SagaRecord() if revision == 0 else None
        for entry in self.entries:
            if entry.revision == revision and entry.replayed is not None:
                found = entry.replayed.after
        if found is None:
            why = f": {self.untold}" if self.untold else f"; its last is {self.record.revision}"
            raise NotFound(f"there is no record of {self.address} at revision {revision}{why}")
        return found


async def read_history(
    store: OperatorStore, contracts: Contracts, behaviours: Mapping[str, SagaBehaviour], address: Address
) -> InstanceHistory:
    """`behaviours`: those that this build carries, by kind. Raises NotFound, StoreError."""
    address = await stored_address(store, address)
    row, last = await record_of(store, address)
    own = await store.conversation(row.conversation)
    rows = [one for one in own if (one.kind, one.key) == address and one.revision]
    talk = await read_conversation(store, row.conversation)
    found = {one.id: one for one in talk.messages}
    behaviour, bounds = behaviours.get(row.kind), await present_bounds(store)

    def told() -> tuple[list[HistoryEntry], str]:
        rows.sort(key=lambda one: (one.revision, readable_came_of(one).input.number))
        made = [_entry(number, one, contracts, found) for number, one in enumerate(rows, 1)]
        return _replayed(made, row, last, behaviour, bounds)

    entries, untold = told()
    # One commit may have handled several messages, so that a revision may be there though a message of it is not.
    if untold or len({one.revision for one in rows}) < row.revision:
        known = {one.id for one in rows}
        if elsewhere := [one async for one in _from_elsewhere(store, address) if one.id not in known]:
            rows += elsewhere
            entries, untold = told()
    where = address_of(*address)
    own_talk = Conversation(talk.id, tuple(one for one in talk.messages if where in (one.sender, one.to)))
    name = behaviour.definition.title if behaviour else ""
    return InstanceHistory(row, last, tuple(entries), own_talk, untold, name)


async def _from_elsewhere(store: OperatorStore, address: Address) -> AsyncIterator[HistoryRow]:
    """Acts, awaited events, and news of keys and locks, which may come in other conversations. Reads all history."""
    wanted, after = [(address[0], type_) for type_ in _FROM_ELSEWHERE], (b"", b"")
    while page := await store.handled_of(wanted, limit=_PAGE, after=after):
        after = page[-1].conversation, page[-1].id
        for row in page:
            if row.key == address[1] and row.revision:
                yield row


def _entry(number: int, row: HistoryRow, contracts: Contracts, found: Mapping[bytes, TracedMessage]) -> HistoryEntry:
    sent = tuple(found[one.id] for one in readable_came_of(row).caused if one.id in found)
    return HistoryEntry(number, row, _message(row, contracts), sent)


def _message(row: HistoryRow, contracts: Contracts) -> Message | None:
    kept = _kept(row)
    if kept is None or kept.left_out:
        return None
    try:
        return contracts.parse(row.type, kept.body)
    except AmendsError:
        return None


def _kept(row: HistoryRow) -> KeptInput | None:
    caused = readable_came_of(row)
    return caused.input if caused.HasField("input") else None


def _replayed(
    entries: Iterable[HistoryEntry],
    row: ActorRow,
    last: SagaRecord,
    behaviour: SagaBehaviour | None,
    bounds: NodeBounds,
) -> tuple[list[HistoryEntry], str]:
    """The entries with their records, as far as these can be told, and why not further."""
    made, entries = list[HistoryEntry](), list(entries)
    if behaviour is None:
        return entries, f"this build has no saga of kind {row.kind}; name its catalogue with --catalogue"
    if last.earlier_fingerprints:
        first, ours = last.earlier_fingerprints[0].hex(), last.fingerprint.hex()
        return entries, (
            f"version {first} of {row.kind} began it, and it was carried over to {ours} since: its records of before "
            "cannot be made again by this version"
        )
    if last.fingerprint != behaviour.definition.fingerprint:
        its, ours = last.fingerprint.hex(), behaviour.definition.fingerprint.hex()
        return entries, f"version {its} of {row.kind} began it, and this build has {ours}: use a build that has it"
    record, due = SagaRecord(), dict[str, float]()
    for place, entry in enumerate(entries):
        if entry.row.outcome in _NOT_RUN or entry.row.error.startswith(HELD):
            made.append(entry)
            continue
        if entry.message is None:
            return made + entries[place:], f"{entry.came} is not known in full: {_why_unknown(entry.row)}"
        replayed = run_again(behaviour, record, _given(entry.row, entry.message), bounds)
        if replayed.difference:
            said = f"the functions of {behaviour.definition.title} have changed since: at message {entry.number}, "
            return [*made, replace(entry, replayed=replayed), *entries[place + 1 :]], f"{said}{replayed.difference}"
        made.append(replace(entry, replayed=replayed, timers=_moved(entry, replayed, due)))
        record = replayed.after
    if not _are_same(record, last, behaviour):
        return made, "its messages lead to another record than the store has: some of them are forgotten, or changed"
    return made, ""


def _are_same(made: SagaRecord, stored: SagaRecord, behaviour: SagaBehaviour) -> bool:
    """Business states are compared by their fields, since protobuf writes the entries of a map in any order."""
    state_of, alike = behaviour.definition.state_type.FromString, SagaRecord()
    alike.CopyFrom(made)
    if state_of(made.state) == state_of(stored.state):
        alike.state = stored.state
    return alike == stored


def _given(row: HistoryRow, message: Message) -> KeptMessage:
    kept = _kept(row)
    envelope = Envelope(
        id=row.id,
        kind=row.kind,
        key=row.key,
        type=row.type,
        body=b"" if kept is None else kept.body,
        conversation=row.conversation,
        cause=row.cause,
        sender=row.sender,
        sent_at_s=row.sent_at_s,
        in_reply_to=answered_by(row),
        reply_to=asked_by(row),
        timer=message.name if isinstance(message, TimerFired) else "",
    )
    return KeptMessage(message, envelope, row.handled_at_s, row.outcome, tuple(readable_came_of(row).caused))


def answered_by(row: HistoryRow) -> bytes:
    """The id of the command that this message answers; empty of one that answers none."""
    kept = _kept(row)
    return b"" if kept is None or not kept.is_answer else kept.answers or row.cause


def asked_by(row: HistoryRow) -> str:
    """kind/key of the parent that sent this message and waits for an answer; empty where nobody does."""
    kept = _kept(row)
    return row.sender if kept is not None and kept.is_asked else ""


def _why_unknown(row: HistoryRow) -> str:
    kept = _kept(row)
    if kept is None:
        return 'the instance keeps a brief history (history="brief"), or an older build handled it'
    return f"its {kept.left_out:,} bytes were too many to keep" if kept.left_out else f"no contract knows {row.type}"


def _moved(entry: HistoryEntry, replayed: Replayed, due: dict[str, float]) -> tuple[str, ...]:
    """What became of timers, in words; `due` is what was set before, and is changed."""
    said, at_s = list[str](), entry.row.handled_at_s
    if isinstance(entry.message, TimerFired):
        said.append(f"{entry.message.name} fired" if due.pop(entry.message.name, None) is not None else "")
    for change in replayed.decision.timers:
        match change:
            case SetTimer():
                did = "moved" if change.name in due else "set"
                said.append(f"{change.name} {did}, due after {change.due_at_s - at_s:g} s")
                due[change.name] = change.due_at_s
            case CancelTimer():
                said.append(f"{change.name} cancelled" if due.pop(change.name, None) is not None else "")
    return tuple(one for one in said if one)
