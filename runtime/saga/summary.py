"""What a saga tells of itself in columns of its row: a function of its record."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
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
_RUNNING, _OWED = TaskRecord.RUNNING, TaskRecord.OWED
_MORE = "..."


def summary_of(record: Message, before: ActorSummary | None) -> ActorSummary | None:
    """None of a record without an instance: a cancellation that came before the start has left it."""
    assert isinstance(record, SagaRecord)
    status = record.status
    if status == _NONE:
        return None
    names, owes, is_unknown = [], False, False
    if status not in _ENDED:
        for task in record.tasks[:]:  # As a list: made at once, it costs a third less to go through.
            of_task = task.status
            if of_task == _RUNNING:
                names.append(task.path)
                is_unknown = is_unknown or _is_unknown(task)
            elif of_task == _OWED:
                names.append(task.path)
                owes = True
    step = ", ".join(names)
    return ActorSummary(
        SUSPENDED if record.suspended else _WORDS.get(status) or status_name(record),
        step if len(step) <= STEP_CHARS_MAX else _cut(step),
        record.fingerprint.hex(),
        record.started_at_s if before is None else before.started_at_s,
        record.last_progress_at_s,
        "" if status in _WELL else _error(record),
        _since(record, None if before is None else before.owed_at_s) if owes else None,
        _since(record, None if before is None else before.unknown_at_s) if is_unknown else None,
    )


def _is_unknown(task: TaskRecord) -> bool:
    """Whether a command of a task that runs has met silence or a fault, and no answer has settled the task since.

    That it is asked again does not end this, since nobody has told what became of the earlier command.
    """
    do = task.do
    return do.status == Exchange.UNKNOWN or (do.status == Exchange.OPEN and bool(do.earlier_ids or do.faulted_ids))


def _since(record: SagaRecord, before_s: float | None) -> float:
    """A turn that changes how a task stands is progress, so what was not so before began with the last one."""
    return record.last_progress_at_s if before_s is None else before_s


def _cut(step: str) -> str:
    step = step[: STEP_CHARS_MAX - len(_MORE)]
    whole, comma, _ = step.rpartition(", ")
    return (whole + comma or step) + _MORE


def _error(record: SagaRecord) -> str:
    error = record.stuck_reason or record.reason
    return error if len(error) <= ERROR_CHARS_MAX else error[: ERROR_CHARS_MAX - len(_MORE)] + _MORE
