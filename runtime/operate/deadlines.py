"""Deadlines of choreographies' conversations as an operator sees them: what is overdue, and what has until when.

the cluster's subscriptions ──▶ the kinds that keep deadlines ──Store.summaries──▶ the overdue ──▶ their records
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from runtime.envelope import Address
from runtime.operate.process_place import ProcessPlace
from runtime.operate.spans import span
from runtime.operate.timer_acts import timer_commands
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.deadline_summary import OVERDUE, WATCHED
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, ClusterView
from runtime.store.summaries import SummaryFilter, SummaryPlace

__all__ = ["DeadlineLines", "StoredDeadline", "deadlines_of", "overdue_among", "overdue_conversations"]

_TYPE = DeadlineRecord.DESCRIPTOR.full_name
_PAGE = 100
_LONG_S = 10.0  # A timer that is due for so long has nobody who fires it.


@dataclass(frozen=True, slots=True)
class StoredDeadline:
    """The deadline of one conversation, as what keeps it tells."""

    process: str
    conversation: bytes
    record: DeadlineRecord

    @property
    def id(self) -> tuple[str, bytes]:
        return self.process, self.conversation


@dataclass(frozen=True, slots=True)
class DeadlineLines:
    """The deadlines of one conversation, in lines of text."""

    waits_for: tuple[str, ...]
    can_do: tuple[str, ...]  # each with a command to copy


async def overdue_conversations(
    store: OperatorStore, view: ClusterView, *, process: str = "", is_said: bool, after: ProcessPlace | None = None
) -> AsyncIterator[StoredDeadline]:
    """Conversations that were said to be overdue, or else those of which nobody has said so; of one process, if named.

    They come process by process, and of each the longest overdue first; those behind a place, if one is named. They are
    found by indexed columns, and their records are read a page at a time, as far as the caller goes. Raises StoreError.
    """
    late_s = view.now_s - _LONG_S
    for name, kind in _keepers(view):
        if process not in ("", name) or (after is not None and name < after.process):
            continue
        said = SummaryFilter(kind=kind, statuses=(OVERDUE,))
        unsaid = SummaryFilter(kind=kind, statuses=(WATCHED,), progressed_by_s=late_s)
        place = None
        if after is not None and name == after.process:
            place = SummaryPlace(after.at_s, kind, after.conversation.hex())
        async for one in _chosen(store, view, name, said if is_said else unsaid, place):
            yield one


async def overdue_among(
    store: OperatorStore, view: ClusterView, ids: Collection[tuple[str, bytes]]
) -> dict[tuple[str, bytes], DeadlineRecord]:
    """Those of these processes and conversations that are overdue. Raises StoreError."""
    kinds = dict(_keepers(view))
    wanted = [(kinds[process], conversation.hex()) for process, conversation in ids if process in kinds]
    found = await _read(store, {kind: process for process, kind in kinds.items()}, wanted)
    return {one.id: one.record for one in found if _is_overdue(one.record, view.now_s)}


async def deadlines_of(store: OperatorStore, view: ClusterView, conversation: bytes) -> DeadlineLines:
    """What is worth knowing of the deadlines of one conversation; nothing of those that were met. Raises StoreError."""
    keepers = _keepers(view)
    rows = await store.load([(kind, conversation.hex()) for _, kind in keepers]) if keepers else []
    awaited = [(row, record) for row in rows if row is not None and (record := _record(row)) and _is_awaited(record)]
    return DeadlineLines(
        tuple(_line(record, view.now_s) for _, record in awaited),
        tuple(line for row, _ in awaited for line in timer_commands(row)),
    )


def _keepers(view: ClusterView) -> list[tuple[str, str]]:
    """Each process that has a deadline, with the kind that keeps it: its key is the conversation."""
    return sorted({(one.process, one.kind) for one in view.subscriptions if one.process and not one.key_field})


async def _chosen(
    store: OperatorStore, view: ClusterView, process: str, wanted: SummaryFilter, after: SummaryPlace | None
) -> AsyncIterator[StoredDeadline]:
    while page := await store.summaries(wanted, limit=_PAGE, after=after):
        after = page[-1].place
        for one in await _read(store, {wanted.kind: process}, [(row.kind, row.key) for row in page]):
            if _is_overdue(one.record, view.now_s):
                yield one


async def _read(
    store: OperatorStore, processes: Mapping[str, str], addresses: Sequence[Address]
) -> list[StoredDeadline]:
    """What is kept there; `processes` has the process of each kind."""
    found = list[StoredDeadline]()
    for start in range(0, len(addresses), _PAGE):
        for row in await store.load(addresses[start : start + _PAGE]):
            record = None if row is None else _record(row)
            if row is not None and record is not None:
                found.append(StoredDeadline(processes[row.kind], row.conversation, record))
    return found


def _record(row: ActorRow) -> DeadlineRecord | None:
    """The record; None for what is none, or cannot be read, which `explain` shows."""
    try:
        return DeadlineRecord.FromString(row.state) if row.state_type == _TYPE else None
    except DecodeError:
        return None


def _is_awaited(record: DeadlineRecord) -> bool:
    return _is_open(record) or record.status == DeadlineRecord.UNLIMITED


def _is_open(record: DeadlineRecord) -> bool:
    return record.status in (DeadlineRecord.WATCHED, DeadlineRecord.OVERDUE)


def _is_overdue(record: DeadlineRecord, now_s: float) -> bool:
    """Also if its time is over and nobody has said so: no node may run that keeps it."""
    return _is_open(record) and (record.status == DeadlineRecord.OVERDUE or now_s - record.due_at_s > _LONG_S)


def _line(record: DeadlineRecord, now_s: float) -> str:
    awaited = " or ".join(one.rpartition(".")[2] for one in record.awaited)
    if record.status == DeadlineRecord.UNLIMITED:
        return (
            f"others, in its conversation: {awaited}, expected by {record.process} without a deadline, which was "
            f"cancelled by {record.cancelled}"
        )
    if _is_overdue(record, now_s):
        late = span(now_s - record.due_at_s)
        return f"others, in its conversation: {awaited}, overdue in {record.process} since {late} ago"
    left = span(max(0.0, record.due_at_s - now_s))
    return f"others, in its conversation: {awaited}, expected by {record.process} within {left}"
