"""Of a saga that was carried over from another definition: that was declared, and nothing got lost."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.definition import Definition
from runtime.saga.migration import way_of
from runtime.saga.view import ids_of, task_name

__all__ = ["badly_carried"]


def badly_carried(definition: Definition, earlier: SagaRecord, record: SagaRecord) -> Iterator[tuple[str, str]]:
    """Which promise is broken, and what was seen. `earlier` is the same instance by its older definition."""
    if earlier.fingerprint not in definition.carries:
        yield "I6", f"it was carried over from version {earlier.fingerprint.hex()}, of which no migration is declared"
        return
    if list(record.earlier_fingerprints) != [*earlier.earlier_fingerprints, *way_of(definition, earlier.fingerprint)]:
        yield "I11", f"it was carried over from version {earlier.fingerprint.hex()}, and its record does not say so"
    known = {id for task in record.tasks for ids in ids_of(task) for id in ids}
    for task in earlier.tasks:
        is_open = task.status in (TaskRecord.RUNNING, TaskRecord.OWED) and task.do.command_id
        if is_open and task.do.command_id not in known:
            yield "I4", f"step {task.path} was {task_name(task)}, and got lost as the saga was carried over"
