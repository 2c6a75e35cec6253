"""The successful end of a saga, and the result that its class makes of its state."""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.instance import Instance

__all__ = ["complete", "owes_within"]

_ROOM_BYTES = 1024  # of the answer that carries the result; the result has the rest of what a message may have


def complete(saga: Instance) -> None:
    """All is done, and stays done: a result that cannot be made is told as missing, and raises an alarm."""
    saga.end(SagaRecord.COMPLETED)
    definition, record = saga.definition, saga.record
    if definition.result is None or definition.result_type is None:
        return
    wanted = definition.result_type
    try:
        made = author.made_by(definition, record, "result", definition.result)
        record.result = _body(made, wanted, saga.bounds.message_bytes_max)
    except AuthorFailed as error:
        record.result_error = saga.alarm = str(error)
    else:
        record.result_type = wanted.DESCRIPTOR.full_name


def _body(made: object, wanted: type[Message], bytes_max: int) -> bytes:
    """Raises AuthorFailed."""
    if not isinstance(made, wanted):
        raise AuthorFailed(f"result made a {type(made).__name__}, not a {wanted.DESCRIPTOR.full_name}")
    return author.body("result", made, max(1, bytes_max - _ROOM_BYTES) if bytes_max else 0)


def owes_within(saga: Instance) -> bool:
    """Whether a task that the flow does without is still being undone."""
    return any(task.status == TaskRecord.OWED for task in saga.tasks[len(saga.definition.nodes) :])
