"""The tasks of a long record as Python objects, kept while one saga handles answer after answer.

protobuf makes such an object at each look at a task, and drops it again. With thousands of tasks and as many answers
that is most of what a list costs. Nothing is known here that the record does not say: whoever asks gets the tasks of
the record that is given, and where an answer was found last is only where the search for the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord

__all__ = ["MANY", "TasksAtHand"]

MANY = 64
"""Tasks of one record. Fewer are looked at as quickly without this."""

_NEAR = 16  # places before the last one that was found, and twice as many from it on


class _Kept:
    """Of one record. Which task another one is within never changes."""

    __slots__ = ("by_container", "record", "tasks")

    def __init__(self, record: SagaRecord) -> None:
        self.record = record
        self.tasks: list[TaskRecord] = []
        self.by_container: dict[int, list[TaskRecord]] = {}
        self.take_new()

    def stands(self, record: SagaRecord) -> bool:
        """Whether these are its tasks. One that was put back to an earlier state, or carried, has other objects."""
        if self.record is not record or not 0 < len(self.tasks) <= len(record.tasks):
            return False
        return self.tasks[0] is record.tasks[0] and self.tasks[-1] is record.tasks[len(self.tasks) - 1]

    def take_new(self) -> None:
        for task in self.record.tasks[len(self.tasks) :]:
            self.tasks.append(task)
            if task.within:
                self.by_container.setdefault(task.within, []).append(task)


class TasksAtHand:
    """Of all instances of one definition in a process: of the last one with many tasks these are kept."""

    __slots__ = ("_kept", "place")

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self.place = 0  # of the task that an answer was for last

    def __len__(self) -> int:
        """How many are kept."""
        return 0 if self._kept is None else len(self._kept.tasks)

    def of(self, record: SagaRecord) -> Sequence[TaskRecord]:
        """The record's tasks, in order. They are the record's own: what is written to one is written to the record."""
        return self._at_hand(record).tasks

    def within(self, record: SagaRecord, place: int) -> Sequence[TaskRecord]:
        """Those within the task at this place, in order."""
        return self._at_hand(record).by_container.get(place + 1, ())

    def near(self, tasks: Sequence[TaskRecord]) -> Iterable[int]:
        """The places at which to look first: answers come in about the order in which they were asked for."""
        last = min(self.place, len(tasks) - 1)
        return chain(range(last, min(last + 2 * _NEAR, len(tasks))), range(last - 1, max(last - _NEAR, 0) - 1, -1))

    def drop(self) -> None:
        """The saga has ended."""
        self._kept = None

    def _at_hand(self, record: SagaRecord) -> _Kept:
        kept = self._kept
        if kept is None or not kept.stands(record):
            kept = self._kept = _Kept(record)
        elif len(kept.tasks) < len(record.tasks):
            kept.take_new()
        return kept
