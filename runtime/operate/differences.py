"""What differs between two records of a saga: its status, its tasks, and the fields of its business state, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.contracts import Contracts
from runtime.errors import AmendsError
from runtime.observe.plain import as_plain
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.view import status_name, task_name

__all__ = ["Difference", "differences"]

_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` is status, reason, "task NAME" or "state FIELD". Values are text; empty where there was, or is, none."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before or 'none'} -> {self.after or 'none'}"


def differences(contracts: Contracts, before: SagaRecord, after: SagaRecord) -> tuple[Difference, ...]:
    old, new = dict(_facts(contracts, before)), dict(_facts(contracts, after))
    found = []
    for name in dict.fromkeys((*old, *new)):
        never = "waiting" if name.startswith("task ") else ""
        if (was := old.get(name, never)) != (now := new.get(name, never)):
            found.append(Difference(name, was, now))
    return tuple(found)


def _facts(contracts: Contracts, record: SagaRecord) -> Iterator[tuple[str, str]]:
    if not record.definition:
        return
    yield "status", status_name(record)
    yield "reason", record.stuck_reason or record.reason
    for task in record.tasks:
        error = task.undo.error or task.do.error
        yield f"task {task.path}", task_name(task) + (f" ({error})" if error else "")
    try:
        yield from _fields("state", as_plain(contracts.parse(record.state_type, record.state)))
    except AmendsError as error:
        yield "state", f"{len(record.state)} bytes of which nothing is known: {error}"


def _fields(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _fields(f"{path}.{name}" if "." in path or path != "state" else f"state {name}", inner)
        return
    text = str(value)
    yield path, text if len(text) <= _CHARS_MAX else f"{text[:_CHARS_MAX]}..."
