"""Deadlines of choreographies' conversations as an operator sees them: what is overdue, and what has until when.

the cluster's subscriptions ──▶ the kinds that keep deadlines ──▶ their rows
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from google.protobuf.message import DecodeError

from runtime.operate.spans import span
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.store.port import OperatorStore
from runtime.store.records import ActorRow, ClusterView

__all__ = ["deadline_lines", "overdue_conversations"]

_TYPE = DeadlineRecord.DESCRIPTOR.full_name
_PAGE = 500
_LONG_S = 10.0  # A timer that is due for so long has nobody who fires it.


async def overdue_conversations(
    store: OperatorStore, view: ClusterView, *, process: str = ""
) -> Mapping[tuple[str, bytes], DeadlineRecord]:
    """Every conversation that is overdue, by process and conversation; of this process alone, if one is named.

    Reads all deadlines that are kept, a page at a time, and keeps those that are over. Raises StoreError.
    """
    found: dict[tuple[str, bytes], DeadlineRecord] = {}
    for name, kind in _keepers(view):
        if process not in ("", name):
            continue
        async for row in _rows(store, kind):
            record = _record(row)
            if record is not None and _is_overdue(record, view.now_s):
                found[name, row.conversation] = record
    return found


async def deadline_lines(store: OperatorStore, view: ClusterView, conversation: bytes) -> list[str]:
    """What is worth knowing of the deadlines of one conversation, in words; none for those that were met in time."""
    keepers = _keepers(view)
    rows = await store.load([(kind, conversation.hex()) for _, kind in keepers]) if keepers else []
    records = [_record(row) for row in rows if row is not None]
    return [_line(record, view.now_s) for record in records if record is not None and _is_open(record)]


def _keepers(view: ClusterView) -> list[tuple[str, str]]:
    """Each process that has a deadline, with the kind that keeps it: its key is the conversation."""
    return sorted({(one.process, one.kind) for one in view.subscriptions if one.process and not one.key_field})


async def _rows(store: OperatorStore, kind: str) -> AsyncIterator[ActorRow]:
    after = ""
    while rows := await store.actors(kind, limit=_PAGE, after=after):
        after = rows[-1].key
        for row in rows:
            yield row


def _record(row: ActorRow) -> DeadlineRecord | None:
    """The record; None for what is none, or cannot be read, which `explain` shows."""
    try:
        return DeadlineRecord.FromString(row.state) if row.state_type == _TYPE else None
    except DecodeError:
        return None


def _is_open(record: DeadlineRecord) -> bool:
    return record.status in (DeadlineRecord.WATCHED, DeadlineRecord.OVERDUE)


def _is_overdue(record: DeadlineRecord, now_s: float) -> bool:
    """Also if its time is over and nobody has said so: no node may run that keeps it."""
    return _is_open(record) and (record.status == DeadlineRecord.OVERDUE or now_s - record.due_at_s > _LONG_S)


def _line(record: DeadlineRecord, now_s: float) -> str:
    awaited = " or ".join(one.rpartition(".")[2] for one in record.awaited)
    if _is_overdue(record, now_s):
        late = span(now_s - record.due_at_s)
        return f"others, in its conversation: {awaited}, overdue in {record.process} since {late} ago"
    left = span(max(0.0, record.due_at_s - now_s))
    return f"others, in its conversation: {awaited}, expected by {record.process} within {left}"
