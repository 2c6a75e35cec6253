"""What can be done about a saga as it stands, and what is owed, in lines of text; each act as a command to copy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from runtime.protos.saga_pb2 import SagaRecord, StandingKey, TaskRecord
from runtime.saga.view import Phase, phase_of

__all__ = ["acts_for", "can_do", "keys", "owed", "repaired"]

_COMMAND = "python -m runtime.admin repair"
_TASKS_MAX = 5  # whose acts are shown; `repair` takes the others as well
_ENDED = (SagaRecord.NONE, SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)


def acts_for(record: SagaRecord) -> Iterator[tuple[str, str, str]]:
    """Act, path of its task or nothing, and what it does in words. The saga itself may yet refuse one, and says why."""
    if record.status in _ENDED:
        return
    if record.suspended:
        yield "resume", "", f"it goes on, with {len(record.held)} answers and timers that came meanwhile"
    else:
        if record.status == SagaRecord.STUCK:
            yield "retry", "", "the cause is mended: what is stuck is tried anew"
        for task in [one for one in record.tasks if one.stuck][:_TASKS_MAX]:
            yield from _of_stuck(record, task)
        for task in [one for one in record.tasks if _is_open(one)][:_TASKS_MAX]:
            yield "force", task.path, "it counts as done, though nobody knows whether it is"
        for task in [one for one in record.tasks if phase_of(one) is Phase.TO_APPROVE][:_TASKS_MAX]:
            yield "approve", task.path, f"{task.path} is approved: {task.asks}"
            yield "decline", task.path, f"{task.path} is declined, and it turns back"
        if _goes_forward(record) and not record.pivot_passed:
            yield "cancel", "", "it turns back"
        yield "suspend", "", "it sends nothing until it is resumed"
    yield "abandon", "", "it ends as it is"


def _goes_forward(record: SagaRecord) -> bool:
    is_stuck_at_keys = record.stuck_in == SagaRecord.RUNNING and not any(task.stuck for task in record.tasks)
    return record.status == SagaRecord.RUNNING or (record.status == SagaRecord.STUCK and is_stuck_at_keys)


def _of_stuck(record: SagaRecord, task: TaskRecord) -> Iterator[tuple[str, str, str]]:
    if task.status == TaskRecord.OWED:
        yield "mark-undone", task.path, "its undo was done by hand"
        yield "skip", task.path, "its undo is given up, and the saga ends as abandoned"
    elif task.address:
        yield "mark-done", task.path, "it was done by hand"
        if record.pivot_passed or record.stuck_in == SagaRecord.COMPENSATING:
            yield "skip", task.path, "the rest goes on without it"


def _is_open(task: TaskRecord) -> bool:
    return task.status == TaskRecord.RUNNING and bool(task.do.command_id)


def can_do(record: SagaRecord, address: str) -> Iterator[str]:
    """The acts as commands, at the revision that the record has."""
    for act, task, about in acts_for(record):
        named = f" --task {shlex.quote(task)}" if task else ""
        digests = [one.digest for one in record.tasks if one.path == task and one.digest]
        digest = "".join(f" --digest {one}" for one in digests if act in ("approve", "decline"))
        command = f"{_COMMAND} {act} {shlex.quote(address)}{named}{digest} --expect {record.revision} --reason TEXT"
        yield f"{about}: {command}"


def owed(record: SagaRecord) -> Iterator[str]:
    """Undos that are owed, or were given up; the last done first, as they are undone."""
    for task in reversed(record.tasks):
        if task.status in (TaskRecord.OWED, TaskRecord.GIVEN_UP):
            given_up = f" ({task.by_hand})" if task.status == TaskRecord.GIVEN_UP else ""
            yield f"undo of {task.path} at {task.address}{given_up}"


def repaired(record: SagaRecord) -> Iterator[str]:
    """What operators did, oldest first."""
    for one in record.repairs:
        yield f"{one.who}: {one.text}; because: {one.reason}"


def keys(record: SagaRecord) -> Iterator[str]:
    """The keys by which events find the instance, as far as it has learned them."""
    for key in record.keys:
        if key.status == StandingKey.REFUSED:
            yield f"{key.name} refused: {key.error}"
        elif key.value:
            asked = "" if key.status == StandingKey.HELD else ", which it has asked for"
            yield f"{key.name} {key.value!r}{asked}"
