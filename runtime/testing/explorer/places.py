"""The tasks of one saga by number, and what each of their participants may answer.

The tasks of the definition have the first numbers. A task within another one, as `lines[HAT]`, gets the next number
when a record first has its path: which items a list has is known only then. It keeps the number in all schedules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from google.protobuf.message import Message

from runtime.protos.saga_pb2 import SagaRecord, TaskRecord, UndoRefused
from runtime.saga.definition import Definition
from runtime.saga.inner import inner_node
from runtime.saga.node import (
    ApprovalDefinition,
    ChildDefinition,
    EachDefinition,
    LockDefinition,
    Meaning,
    Node,
    PastPivot,
    StepDefinition,
)
from runtime.testing.explorer.samples import Samples

__all__ = ["Places"]


class _Answers(NamedTuple):
    """The numbers of answers to one step."""

    meaning: dict[Meaning, tuple[int, ...]]
    undone: tuple[int, ...] = ()
    undo_working: tuple[int, ...] = ()
    undo_refused: tuple[int, ...] = ()


class Places:
    """They only grow. The lists have an entry for each place."""

    def __init__(self, definition: Definition, samples: Samples) -> None:
        self._definition = definition
        self._samples = samples
        self._numbers: dict[str, int] = {}
        self._known: dict[tuple[int, str], _Answers] = {}  # All items of a list have the same answers.
        self.answers: list[Message] = []
        self._made: dict[bytes, int] = {}  # The numbers of answers that participants' runtimes have made.
        self.nodes: list[Node] = []
        self.meaning: list[dict[Meaning, tuple[int, ...]]] = []  # The answers of each meaning.
        self.undone: list[tuple[int, ...]] = []  # The answers that confirm an undo.
        self.ends: list[bool] = []  # Whether the node is not asked for ever.
        self.undo_working: list[tuple[int, ...]] = []  # The answers by which an undo is not finished.
        self.undo_refused: list[tuple[int, ...]] = []  # The answers by which a child stays done.
        self.within: list[int | None] = []  # The place of the node that this task is a part of.
        self.approvals = tuple(node for node in definition.nodes if isinstance(node, ApprovalDefinition))
        for node in definition.nodes:
            self._add(node.name, node, None)
        for node in reversed(definition.nodes):
            self._numbers[node.name] = node.index  # A closing step may have the name of a step of the flow.

    def __getitem__(self, path: str) -> int:
        return self._numbers[path]

    def of(self, record: SagaRecord) -> list[int]:
        """The place of each task, in the order of the record."""
        static = len(self._definition.nodes)
        return [*range(min(static, len(record.tasks))), *(self._place(task) for task in record.tasks[static:])]

    def of_timer(self, name: str) -> int | None:
        """The place of the task that waits under this timer."""
        node = self._definition.node_of_timer(name)
        return self._numbers.get(name) if node is None else node.index

    def step(self, place: int) -> StepDefinition:
        """The step at this place, which has sent a command."""
        node = self.nodes[place]
        assert isinstance(node, StepDefinition), "no other node sends commands"
        return node

    def is_lock(self, place: int) -> bool:
        return isinstance(self.nodes[place], LockDefinition)

    def number_of(self, answer: Message) -> int:
        """The number of an answer that is no sample."""
        body = answer.SerializeToString(deterministic=True)
        number = self._made.setdefault(body, len(self.answers))
        if number == len(self.answers):
            self.answers.append(answer)
        return number

    def inner(self, whole: int) -> list[int]:
        """The places within this one that are known."""
        return [place for place, within in enumerate(self.within) if within == whole]

    def _place(self, task: TaskRecord) -> int:
        place = self._numbers.get(task.path)
        if place is None:
            whole = self._definition.nodes[task.within - 1]
            step = inner_node(whole, task)
            index, beside = len(self.nodes), (whole.before, whole.after, whole.all_after)
            node = replace(step, index=index, before=beside[0], after=beside[1], all_after=beside[2])
            place = self._add(task.path, node, whole)
        return place

    def _add(self, path: str, node: Node, whole: Node | None) -> int:
        place = self._numbers[path] = len(self.nodes)
        self.nodes.append(node)
        self.within.append(None if whole is None else whole.index)
        step = node if isinstance(node, StepDefinition) else None
        answers = _Answers(dict.fromkeys(Meaning, ())) if step is None else self._answers(step, whole)
        self.meaning.append(answers.meaning)
        self.undone.append(answers.undone)
        self.undo_working.append(answers.undo_working)
        self.undo_refused.append(answers.undo_refused)
        self.ends.append(step is None or step.past_pivot is not PastPivot.RETRY)
        return place

    def _answers(self, step: StepDefinition, whole: Node | None) -> _Answers:
        key = (whole.index, "") if isinstance(whole, EachDefinition) else (-1, step.timer)
        answers = self._known.get(key)
        if answers is None:
            answers = self._known[key] = _Answers(
                {one: self._said(step, step.types(one)) for one in Meaning},
                self._said(step, sorted(step.undone, key=lambda one: str(one.DESCRIPTOR.full_name))),
                self._said(step, step.undo_working),
                self._said(step, (UndoRefused,) if isinstance(step, ChildDefinition) else ()),
            )
        return answers

    def _said(self, step: StepDefinition, types: Sequence[type[Message]]) -> tuple[int, ...]:
        """Numbers the answers. Each sample is one of them."""
        first = len(self.answers)
        self.answers.extend(sample for one in types for sample in self._samples.of_node(step, one))
        return tuple(range(first, len(self.answers)))
