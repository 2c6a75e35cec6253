"""Since when the columns of a saga's row say that it owes an undo, or that an outcome is not known."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.store.summaries import ActorSummary

__all__ = ["badly_dated"]

_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


def badly_dated(
    where: str, record: SagaRecord, before: ActorSummary | None, told: ActorSummary | None
) -> Iterator[tuple[str, str]]:
    """The columns say so exactly while the record does, and the instant stays the same until then."""
    if told is None:
        return
    tasks = () if record.status in _ENDED else record.tasks
    owes = any(task.status == TaskRecord.OWED for task in tasks)
    unknown = any(task.status == TaskRecord.RUNNING and _is_in_doubt(task.do) for task in tasks)
    pairs = (
        ("owes an undo", owes, told.owed_at_s, None if before is None else before.owed_at_s),
        ("has a step of unknown outcome", unknown, told.unknown_at_s, None if before is None else before.unknown_at_s),
    )
    for what, is_so, at_s, was_at_s in pairs:
        since_s = None if not is_so else record.last_progress_at_s if was_at_s is None else was_at_s
        if at_s != since_s:
            yield "I11", f"{where} {what}: {is_so}, since {since_s}, and its row says since {at_s}"


def _is_in_doubt(do: Exchange) -> bool:
    asked_again = do.status == Exchange.OPEN and len(do.earlier_ids) + len(do.faulted_ids) > 0
    return do.status == Exchange.UNKNOWN or asked_again
