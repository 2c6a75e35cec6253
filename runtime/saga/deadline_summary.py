"""What the deadline of a conversation tells of itself in columns of its row: a function of its record.

The statuses are none of those of sagas, so that a listing of the ones never shows the others.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.store.summaries import ActorSummary

__all__ = ["DEADLINE_STATUSES", "OVERDUE", "WATCHED", "deadline_summary"]

WATCHED = "watched"
"""The conversation was started, and nothing has met its deadline, which may be over without anyone having said so."""

OVERDUE = "overdue"

_WORDS = {
    DeadlineRecord.WATCHED: WATCHED,
    DeadlineRecord.SETTLED: "settled",
    DeadlineRecord.OVERDUE: OVERDUE,
    DeadlineRecord.LATE: "late",
    DeadlineRecord.UNLIMITED: "unlimited",
}

DEADLINE_STATUSES = tuple(_WORDS.values())


def deadline_summary(record: Message, before: ActorSummary | None) -> ActorSummary | None:
    """None of a record to which nothing has come. In the place of progress stands when the deadline is due."""
    assert isinstance(record, DeadlineRecord)
    status = _WORDS.get(record.status)
    if status is None:
        return None
    return ActorSummary(status, "", "", record.started_at_s, record.due_at_s, "")
