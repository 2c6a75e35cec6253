"""What a saga tells whoever waits for its end: a function of its record, for actors that ask it and for clients."""

from __future__ import annotations

from runtime.protos.saga_pb2 import SagaAbandoned, SagaCompensated, SagaCompleted, SagaRecord, SagaStuck, SagaUnderWay

__all__ = ["SagaAnswer", "SagaEnd", "answer_of", "end_of"]

SagaEnd = SagaCompleted | SagaCompensated | SagaStuck | SagaAbandoned
"""How a saga has ended, or that it is stuck; then it may end after all."""

SagaAnswer = SagaEnd | SagaUnderWay

_REASON_CHARS_MAX = 4000
"""A longer reason is cut, so that the answer can be sent; `explain` has all of it."""


def end_of(record: SagaRecord) -> SagaEnd | None:
    """None while it is under way, and of a record without an instance."""
    if record.status == SagaRecord.COMPLETED:
        return SagaCompleted(result_type=record.result_type, result=record.result, error=record.result_error)
    if record.status == SagaRecord.COMPENSATED:
        return SagaCompensated(reason=record.reason[:_REASON_CHARS_MAX])
    if record.status == SagaRecord.ABANDONED:
        return SagaAbandoned(reason=record.reason[:_REASON_CHARS_MAX])
    if record.status == SagaRecord.STUCK:
        return SagaStuck(reason=record.stuck_reason[:_REASON_CHARS_MAX])
    return None


def answer_of(record: SagaRecord) -> SagaAnswer:
    return end_of(record) or SagaUnderWay()
