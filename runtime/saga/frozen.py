"""States as they were: the undo of a step is given the state of the instant at which the step was done.

    on_answer changes the state ──freeze──▶ earlier_states   an undo ──state_for──▶ the state of its own instant

A state is stored when the next one replaces it, and only if a step that may have to be undone needs it. So a task names
no state as long as the present one is its own. Each is stored as what differs from the one stored before it: an answer
changes a few bytes, also in the state of a saga with a thousand items. All are forgotten at the end,
unless a parent may still have the saga undone.
Of a step whose outcome is unknown the state is the one that its last command was made from.
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.protos.saga_pb2 import EarlierState, SagaRecord, TaskRecord
from runtime.saga.definition import Definition

__all__ = ["earlier", "forget", "freeze", "put_earlier", "state_for", "take_present"]

_MAY_BE_UNDONE = frozenset((TaskRecord.RUNNING, TaskRecord.DONE, TaskRecord.OWED))


def freeze(definition: Definition, record: SagaRecord, answered: TaskRecord | None) -> None:
    """The state is about to be replaced: keep it for those tasks whose undo has to be given this one.

    `answered` is the task by whose answer it is replaced, whose own state will be the next one.
    """
    is_past_pivot, tasks = record.pivot_passed, record.tasks
    if is_past_pivot and not definition.undone_past_pivot:  # nothing that is done will be undone
        return
    places = (*definition.undoable, *range(len(definition.nodes), len(tasks)))
    concerned = [
        task
        for task in [tasks[place] for place in places]
        if _is_concerned(task)
        and (answered is None or task.path != answered.path)
        and (not is_past_pivot or task.within in definition.undone_past_pivot)
    ]
    if not concerned:
        return
    before = _rebuilt(record.earlier_states)
    record.earlier_states.append(_difference(before, record.state))
    for task in concerned:
        task.undo_state = len(record.earlier_states)


def take_present(task: TaskRecord) -> None:
    """From now on the state of this task is the present one: its command is made from it, or its step is done."""
    if task.undo_state:
        task.ClearField("undo_state")


def state_for(record: SagaRecord, task: TaskRecord) -> bytes:
    """The state that the undo of this task is given."""
    return _rebuilt(record.earlier_states[: task.undo_state]) if task.undo_state else record.state


def earlier(record: SagaRecord) -> list[bytes]:
    """Each of the states that undos are given, but for the present one."""
    return [_rebuilt(record.earlier_states[: number + 1]) for number in range(len(record.earlier_states))]


def put_earlier(record: SagaRecord, states: Iterable[bytes]) -> None:
    """Replace each of them, in the same order."""
    record.ClearField("earlier_states")
    before = b""
    for state in states:
        record.earlier_states.append(_difference(before, state))
        before = state


def forget(record: SagaRecord) -> None:
    """Nothing will be undone any more."""
    if record.earlier_states:
        record.ClearField("earlier_states")
        for task in record.tasks:
            take_present(task)


def _is_concerned(task: TaskRecord) -> bool:
    return task.status in _MAY_BE_UNDONE and not task.undo_state and task.do.attempts > 0


def _rebuilt(states: Iterable[EarlierState]) -> bytes:
    """The last of these states, each of which says what differs from the one before it."""
    state = b""
    for one in states:
        state = state[: one.same_before] + one.between + state[len(state) - one.same_behind :]
    return state


def _difference(before: bytes, after: bytes) -> EarlierState:
    same_before = _same_bytes(before, after)
    left = min(len(before), len(after)) - same_before
    same_behind = _same_bytes(before[len(before) - left :][::-1], after[len(after) - left :][::-1])
    between = after[same_before : len(after) - same_behind]
    return EarlierState(same_before=same_before, same_behind=same_behind, between=between)


def _same_bytes(one: bytes, other: bytes) -> int:
    """With how many bytes both begin; by halves, since slices are compared faster than bytes one by one."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least
