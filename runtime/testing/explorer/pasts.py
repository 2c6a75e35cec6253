"""The past of a saga that has turned back: how its steps went until they were settled, or owed.

a record ──split──▶ what counts of it, and the past of its exchanges ──joined──▶ a record with another past

a task that is settled   all that it has asked and heard
one that owes its undo   how its do went: whether it was done, and which commands before the last may be carried out
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord

__all__ = ["Past", "SplitRecord", "joined", "split"]

_SETTLED = (TaskRecord.UNDONE, TaskRecord.REFUSED, TaskRecord.SKIPPED)


class Past(NamedTuple):
    """The past of one exchange of a task."""

    of: tuple[int, str, bytes]  # The task's place in the record, the exchange, and what counts of the task.
    body: bytes  # A TaskRecord that has this past alone.


class SplitRecord(NamedTuple):
    """A record in two: what counts of it, and its past."""

    counts: bytes
    reason: str  # Why the saga has turned back. Only functions of the author read it.
    pasts: tuple[Past, ...]


def split(record: SagaRecord) -> SplitRecord:
    """Splits the record of a saga that has turned back. The record is used up."""
    pasts: list[Past] = []
    for place, task in enumerate(record.tasks):
        removed = _remove_past(task)
        counts = task.SerializeToString(deterministic=True) if removed else b""
        for name, past in removed.items():
            pasts.append(Past((place, name, counts), past.SerializeToString(deterministic=True)))
    reason, record.reason = record.reason, ""
    return SplitRecord(record.SerializeToString(deterministic=True), reason, tuple(pasts))


def joined(parts: SplitRecord, reason: str, bodies: Sequence[bytes]) -> SagaRecord:
    """The record with another past. There is one body for each of its pasts."""
    record = SagaRecord.FromString(parts.counts)
    record.reason = reason
    for past, body in zip(parts.pasts, bodies, strict=True):
        record.tasks[past.of[0]].MergeFromString(body)
    return record


def _remove_past(task: TaskRecord) -> dict[str, TaskRecord]:
    """Takes the past out of a task, by exchange."""
    if task.status in _SETTLED:
        do, undo, probe = TaskRecord(), TaskRecord(), TaskRecord()
        if task.HasField("do"):
            do.do.CopyFrom(task.do)
        if task.HasField("undo"):
            undo.undo.CopyFrom(task.undo)
        if task.HasField("probe"):
            probe.probe.CopyFrom(task.probe)
        for name in ("do", "undo", "probe"):
            task.ClearField(name)
        return {"do": do, "undo": undo, "probe": probe}
    if task.status == TaskRecord.OWED and task.HasField("do"):
        return {"do": _remove_past_of_do(task.do)}
    return {}


def _remove_past_of_do(do: Exchange) -> TaskRecord:
    past = Exchange(
        status=do.status,
        outcome=do.outcome,
        error=do.error,
        earlier_ids=do.earlier_ids,
        faulted_ids=do.faulted_ids,
    )
    for name in ("status", "outcome", "error", "earlier_ids", "faulted_ids"):
        do.ClearField(name)
    return TaskRecord(do=past)
