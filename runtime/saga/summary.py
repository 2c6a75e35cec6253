"""What a saga tells of itself in columns of its row: a function of its record."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.view import status_name
from runtime.store.summaries import ActorSummary

__all__ = ["ERROR_CHARS_MAX", "STEP_CHARS_MAX", "SUSPENDED", "summary_of"]

SUSPENDED = "suspended"
"""What a suspended instance tells for its status, whatever that is; `explain` has both."""

STEP_CHARS_MAX = 200
"""Names of tasks under way that do not fit in so many characters are left out, and "..." stands for them."""

ERROR_CHARS_MAX = 400
"""A longer text is cut, and ends in "..."; `explain` has all of it."""

# Looked up once, since each turn of a saga reads them.
_WORDS = {number: word.lower() for word, number in SagaRecord.Status.items()}
_NONE = SagaRecord.NONE
_WELL = frozenset((SagaRecord.RUNNING, SagaRecord.COMPLETED))
_ENDED = frozenset((SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED))
_UNDER_WAY = frozenset((TaskRecord.RUNNING, TaskRecord.OWED))
_MORE = "..."


def summary_of(record: Message, before: ActorSummary | None) -> ActorSummary | None:
    """None of a record without an instance: a cancellation that came before the start has left it."""
    assert isinstance(record, SagaRecord)
    status = record.status
    if status == _NONE:
        return None
    names = []
    if status not in _ENDED:
        for task in record.tasks[:]:  # As a list: made at once, it costs a third less to go through.
            if task.status in _UNDER_WAY:
                names.append(task.path)
    step = ", ".join(names)
    return ActorSummary(
        SUSPENDED if record.suspended else _WORDS.get(status) or status_name(record),
        step if len(step) <= STEP_CHARS_MAX else _cut(step),
        record.fingerprint.hex(),
        record.started_at_s if before is None else before.started_at_s,
        record.last_progress_at_s,
        "" if status in _WELL else _error(record),
    )


def _cut(step: str) -> str:
    step = step[: STEP_CHARS_MAX - len(_MORE)]
    whole, comma, _ = step.rpartition(", ")
    return (whole + comma or step) + _MORE


def _error(record: SagaRecord) -> str:
    error = record.stuck_reason or record.reason
    return error if len(error) <= ERROR_CHARS_MAX else error[: ERROR_CHARS_MAX - len(_MORE)] + _MORE
