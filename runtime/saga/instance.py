"""One running saga while one input is applied to it: its record, what goes out, and how it comes to rest.

    interpreter ──▶ nodes ──▶ Instance ──▶ commands and timers that go out, the next record

The record that was given is changed in place, as a handler changes its state: of an input that could not be applied
the turn puts it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

from runtime.durable.behaviour import CancelTimer, NextId, Outgoing, SetTimer
from runtime.protos.saga_pb2 import SagaRecord, StandingKey, TaskRecord
from runtime.saga import frozen, view
from runtime.saga.definition import Definition
from runtime.saga.exchange import has_sent
from runtime.saga.inner import inner_node
from runtime.saga.inputs import Advance, StatusChange
from runtime.saga.node import Node, Role, StepDefinition
from runtime.saga.node_bounds import UNBOUND, NodeBounds
from runtime.saga.tasks_at_hand import MANY
from runtime.store.records import Outcome

__all__ = ["Instance", "Question"]

_NAMED_MAX = 20
"""Of tasks that are stuck; beyond it they are counted."""


class Question(Enum):
    """Which exchange of a task a command is of."""

    DO = auto()
    UNDO = auto()
    PROBE = auto()

    __hash__ = object.__hash__  # Each answer is looked up by it, and an enum's own hash is made in Python.


class Instance:
    """The record and what goes out with it."""

    __slots__ = (
        "_sticks",
        "alarm",
        "begins",
        "bounds",
        "changes",
        "definition",
        "is_aside",
        "next_id",
        "note",
        "now_s",
        "outgoing",
        "record",
        "tasks",
        "timers",
        "undos",
        "was_asked",
    )

    def __init__(
        self, definition: Definition, record: SagaRecord, now_s: float, next_id: NextId, bounds: NodeBounds = UNBOUND
    ) -> None:
        self.definition = definition
        self.record = record
        self.tasks = self.record.tasks
        self.now_s = now_s
        self.next_id = next_id
        self.bounds = bounds
        self.outgoing: list[Outgoing] = []
        self.timers: list[SetTimer | CancelTimer] = []
        self.changes: list[StatusChange] = []
        self.begins: list[TaskRecord] = []  # within others, and their turn has come
        self.undos: list[TaskRecord] = []  # the same of undos
        self.note = ""  # why the input has no effect
        self.was_asked = False  # whoever waits for the end is to be told now how it stands
        self.is_aside = False  # the input has its effect beside the process, which stands as before
        self.alarm = ""  # what a person has to see to, if no task is stuck
        self._sticks = False  # whether a task got stuck now, for the first time or again

    def result(self) -> Advance:
        outcome = Outcome.IGNORED if self.note else Outcome.HANDLED
        if not self.note and not self.is_aside:
            self.record.last_progress_at_s = self.now_s
            self.record.revision += 1
        if self.record.ended_at_s and len(self.tasks) >= MANY:
            self.definition.tasks_at_hand.drop()
        alarm = self.record.stuck_reason if self._sticks else self.alarm
        return Advance(tuple(self.outgoing), tuple(self.timers), outcome, self.note, alarm, self.changes)

    # --- reading ---

    def find(self, command_id: bytes) -> tuple[StepDefinition, TaskRecord, Question] | None:
        """The task that sent this command, and what it has asked by that. No two tasks send the same."""
        tasks: Sequence[TaskRecord] = self.tasks
        if len(tasks) >= MANY:
            tasks = self.definition.tasks_at_hand.of(self.record)
            if (found := self._asked(command_id, self.definition.tasks_at_hand.near(tasks))) is not None:
                return found
        for index, task in enumerate(tasks):
            if command_id == task.do.command_id:  # as nearly always, and the other fields cost more to read
                if len(tasks) >= MANY:
                    self.definition.tasks_at_hand.place = index
                return self._sender(index), task, Question.DO
        return self._asked(command_id, range(len(tasks)))

    def _asked(self, command_id: bytes, places: Iterable[int]) -> tuple[StepDefinition, TaskRecord, Question] | None:
        for index in places:
            task = self.tasks[index]
            if has_sent(task.do, command_id):
                question = Question.DO
            elif has_sent(task.undo, command_id):
                question = Question.UNDO
            elif has_sent(task.probe, command_id):
                question = Question.PROBE
            else:
                continue
            self.definition.tasks_at_hand.place = index
            return self._sender(index), task, question
        return None

    def _sender(self, index: int) -> StepDefinition:
        nodes = self.definition.nodes
        if index >= len(nodes):
            return self.node_of(self.tasks[index])
        node = nodes[index]
        assert isinstance(node, StepDefinition), "no other node sends commands"
        return node

    def node_at(self, place: int) -> Node:
        """The node of the task at this place of the record."""
        nodes = self.definition.nodes
        return nodes[place] if place < len(nodes) else self.node_of(self.tasks[place])

    def node_of(self, inner: TaskRecord) -> StepDefinition:
        """The node of a task that is within another."""
        return inner_node(self.definition.nodes[inner.within - 1], inner)

    def inner(self, place: int) -> Sequence[TaskRecord]:
        """The tasks within the one at this place."""
        if len(self.tasks) >= MANY:
            return self.definition.tasks_at_hand.within(self.record, place)
        return [task for task in self.tasks[len(self.definition.nodes) :] if task.within == place + 1]

    def place_of_timer(self, name: str) -> int | None:
        for node in self.definition.nodes:
            if node.timer == name:
                return node.index
        behind = range(len(self.definition.nodes), len(self.tasks))
        return next((place for place in behind if self.tasks[place].path == name), None)

    def no_way_back(self) -> str:
        """Why a running saga may not turn back; empty if it may."""
        pivot = self.definition.pivot
        if pivot is not None:
            if self.record.pivot_passed:
                return f"there is no way back after {pivot.name}"
            if pivot.undo is None and self.tasks[pivot.index].status == TaskRecord.RUNNING:
                return f"{pivot.name} is under way and cannot be undone"
        return ""

    @property
    def heading(self) -> SagaRecord.Status.ValueType:
        """Which way it is going, or was going when it got stuck."""
        status = self.record.status
        return view.heading(self.record) if status == SagaRecord.STUCK else status

    def moved(self, task: TaskRecord) -> None:
        """Something happens to this task now."""
        self.is_aside = False
        task.moved_at = self.record.revision + 1

    def set_status(self, task: TaskRecord, status: TaskRecord.Status.ValueType) -> None:
        """The status of a task changes here and nowhere else, so that nobody has to compare all tasks to see it."""
        self.changes.append((task, task.status))
        task.status = status

    # --- rest ---

    def stick(self, node: Node, task: TaskRecord, error: str) -> None:
        """Come to rest where only a person, or an answer that comes after all, can help. Tasks beside it go on."""
        (task.undo if task.status == TaskRecord.OWED else task.do).error = error
        self._stick(task)
        self.timers.append(CancelTimer(node.timer))

    def stick_at_key(self, key: StandingKey) -> None:
        """The same of a key that another instance holds."""
        self._stick(key)

    def _stick(self, one: TaskRecord | StandingKey) -> None:
        record = self.record
        if record.status != SagaRecord.STUCK:
            record.stuck_in, record.status = record.status, SagaRecord.STUCK
        one.stuck = True
        self.is_aside = False
        self._sticks = True
        record.stuck_reason = self._why_stuck()

    def ask_again_for_keys(self) -> None:
        """Those at which it is stuck are asked for anew, after this input."""
        for key in self.record.keys:
            if key.stuck:
                key.status = StandingKey.UNASKED
                self.unstick(key)

    def unstick(self, task: TaskRecord | StandingKey) -> None:
        """What was missing of a task has come after all: the saga goes on, unless another is stuck as well."""
        record = self.record
        if record.status != SagaRecord.STUCK:
            return
        task.stuck = False
        if any(task.stuck for task in self.tasks) or any(key.stuck for key in record.keys):
            self.say_why_stuck()
        else:
            record.status, record.stuck_in, record.stuck_reason = record.stuck_in, SagaRecord.NONE, ""

    def say_why_stuck(self) -> None:
        """In the record of a saga that is."""
        if self.record.status == SagaRecord.STUCK:
            self.record.stuck_reason = self._why_stuck()

    def end(self, status: SagaRecord.Status.ValueType) -> None:
        self.record.status = status
        self.record.ended_at_s = self.now_s
        if status == SagaRecord.COMPENSATED or self.record.pivot_passed or not self.record.HasField("asker"):
            frozen.forget(self.record)  # else whoever has asked for it may have it undone

    def _why_stuck(self) -> str:
        stuck = [place for place, task in enumerate(self.tasks) if task.stuck]
        reasons = [f"key {one.name}: {one.error}" for one in self.record.keys if one.stuck]
        reasons += [self._what_failed(place) for place in stuck[:_NAMED_MAX]]
        if len(stuck) > _NAMED_MAX:
            reasons.append(f"and {len(stuck) - _NAMED_MAX} more")
        return "; ".join([*reasons, self._remains()])

    def _what_failed(self, place: int) -> str:
        task = self.tasks[place]
        back = self.record.stuck_in == SagaRecord.COMPENSATING and self.node_at(place).role is not Role.CLOSING
        owed = task.status == TaskRecord.OWED
        error = (task.undo if owed else task.do).error
        return f"{'undo of ' if back or owed else ''}step {task.path}: {error}"

    def _remains(self) -> str:
        flow = self.definition.flow_nodes
        if self.record.stuck_in == SagaRecord.RUNNING:
            return f"still to do: {_names(self._not_done(flow))}"
        owed = [node.name for node in reversed(flow) if self.tasks[node.index].status == TaskRecord.OWED]
        closing = self._not_done(self.definition.closing_steps)
        return f"still to undo: {_names(owed)}; then to confirm: {_names(closing)}"

    def _not_done(self, nodes: Iterable[Node]) -> list[str]:
        return [node.name for node in nodes if self.tasks[node.index].status not in view.SETTLED]


def _names(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
