"""One running saga while one input is applied to it: its record, and the few ways in which that may change.

    interpreter (forward) ─┐
                           ├──▶ Instance ──▶ commands and timers that go out, the next record
    compensation (back) ───┘

The record that was given is changed in place, as a handler changes its state: of an input that could not be applied
the turn puts it back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.durable.behaviour import CancelTimer, NextId, Outgoing, SetTimer
from runtime.envelope import address_of, body_of, content_of
from runtime.errors import InvalidMessage
from runtime.failures import text_of
from runtime.protos.saga_pb2 import SagaRecord, StepRecord
from runtime.saga.definition import Definition, Role, StepDefinition
from runtime.saga.inputs import Advance
from runtime.store.records import Outcome

__all__ = ["DEADLINE", "OPEN", "OWING", "AuthorFailed", "Instance", "status_name"]

DEADLINE = "saga deadline"
"""The timer of the whole saga's deadline; no step can have this name, for it is no identifier."""

OPEN = frozenset((StepRecord.ASKED, StepRecord.UNKNOWN))
"""An answer to a step's command may still settle it."""

OWING = frozenset((StepRecord.OWED, StepRecord.UNDOING))
"""The undo of a step is not confirmed yet."""


class AuthorFailed(Exception):
    """A function of the definition raised, or returned what it may not."""


class Instance:
    """The record and what goes out with it."""

    __slots__ = (
        "_body_bytes_max",
        "_next_id",
        "_sticks",
        "definition",
        "note",
        "now_s",
        "outgoing",
        "record",
        "steps",
        "timers",
    )

    def __init__(
        self, definition: Definition, record: SagaRecord, now_s: float, next_id: NextId, body_bytes_max: int = 0
    ) -> None:
        self.definition = definition
        self.record = record
        self.steps = self.record.steps
        self.now_s = now_s
        self.outgoing: list[Outgoing] = []
        self.timers: list[SetTimer | CancelTimer] = []
        self.note = ""  # why the input has no effect
        self._sticks = False  # whether a step got stuck now, for the first time or again
        self._next_id = next_id
        self._body_bytes_max = body_bytes_max

    def result(self) -> Advance:
        outcome = Outcome.IGNORED if self.note else Outcome.HANDLED
        if not self.note:
            self.record.last_progress_at_s = self.now_s
        return Advance(tuple(self.outgoing), tuple(self.timers), outcome, self.note, self._alarm())

    def _alarm(self) -> str:
        return self.record.stuck_reason if self._sticks else ""

    # --- reading ---

    def find(self, command_id: bytes) -> tuple[StepDefinition, StepRecord, bool] | None:
        """The step that sent this command, and whether it was its undo."""
        for index, progress in enumerate(self.steps):
            if command_id == progress.command_id:  # as nearly always, and the other fields cost more to read
                return self.definition.steps[index], progress, False
        for step, progress in zip(self.definition.steps, self.steps, strict=False):
            if command_id in progress.earlier_ids or command_id in progress.faulted_ids:
                return step, progress, False
            if command_id == progress.undo_id or command_id in progress.earlier_undo_ids:
                return step, progress, True
        return None

    def no_way_back(self) -> str:
        """Why a running saga may not turn back; empty if it may."""
        pivot = self.definition.pivot
        if pivot is not None:
            if self.record.pivot_passed:
                return f"there is no way back after {pivot.name}"
            if pivot.undo is None and self.steps[pivot.index].status in OPEN:
                return f"{pivot.name} is under way and cannot be undone"
        return ""

    @property
    def heading(self) -> SagaRecord.Status.ValueType:
        """Which way it is going, or was going when it got stuck."""
        return self.record.stuck_in if self.record.status == SagaRecord.STUCK else self.record.status

    # --- sending ---

    def ask(self, step: StepDefinition, progress: StepRecord) -> None:
        """Send a step's command, for the first time or again. Raises AuthorFailed; then nothing has changed."""
        command = self._made_by(step, "do", step.do)
        key = _key(step, "do", step.command, command)
        body = self._body(step, "do", command)
        progress.address = address_of(step.command.kind, key)
        progress.command_id = self._id_for(command, body, progress.address)
        if progress.earlier_ids:
            for id in [one for one in progress.earlier_ids if one in progress.faulted_ids]:
                progress.earlier_ids.remove(id)  # whoever answers this command knows what became of that one
        progress.status = StepRecord.ASKED
        progress.attempts += 1
        progress.asked_at_s = self.now_s
        if progress.stuck:
            self.unstick(progress)
        self.outgoing.append(
            Outgoing(command, step.command.kind, key, progress.command_id, wants_reply=True, body=body)
        )
        self.timers.append(SetTimer(step.timer, self.now_s + step.patience_s(progress.attempts)))

    def ask_undo(self, step: StepDefinition, progress: StepRecord) -> None:
        """Send a step's undo, for the first time or again. Raises AuthorFailed; then nothing has changed."""
        assert step.undo is not None and step.undo_command is not None  # owed only then
        command = self._made_by(step, "undo", step.undo)
        if command is None:
            progress.status = StepRecord.SKIPPED
            if progress.stuck:
                self.unstick(progress)
            return
        key = _key(step, "undo", step.undo_command, command)
        if address_of(step.undo_command.kind, key) != progress.address:
            raise AuthorFailed(f"undo of step {step.name} goes to key {key!r}; its do went to {progress.address}")
        body = self._body(step, "undo", command)
        if progress.undo_id:
            progress.earlier_undo_ids.append(progress.undo_id)
        progress.undo_id = self._id_for(command, body, progress.address, undo_of=progress.command_id)
        progress.status = StepRecord.UNDOING
        progress.undo_attempts += 1
        progress.asked_at_s = self.now_s
        if progress.stuck:
            self.unstick(progress)
        self.outgoing.append(
            Outgoing(
                command,
                step.undo_command.kind,
                key,
                progress.undo_id,
                wants_reply=True,
                undo_of=progress.command_id,
                refusals=step.refusals,
                dones=step.dones,
                earlier_undos=tuple(progress.earlier_undo_ids),
            )
        )

    def _body(self, step: StepDefinition, what: str, command: Message) -> bytes:
        """The command's bytes. Raises AuthorFailed for what could not be sent."""
        try:
            body = body_of(command)
        except Exception as error:  # of protobuf: a field that has to be set is not, or it is beyond all bounds
            raise AuthorFailed(f"{what} of step {step.name} made what cannot be sent: {text_of(error)}") from error
        if 0 < self._body_bytes_max < len(body):
            raise AuthorFailed(
                f"{what} of step {step.name} made a {command.DESCRIPTOR.full_name} of {len(body):,} bytes; "
                f"the limit is {self._body_bytes_max:,} (setting message_bytes_max)"
            )
        return body

    def _id_for(self, command: Message, body: bytes, address: str, undo_of: bytes = b"") -> bytes:
        return self._next_id(address, content_of(command.DESCRIPTOR.full_name, body, undo_of))

    # --- business state ---

    def keep(self, step: StepDefinition, answer: Message) -> None:
        """Copy facts of an answer into the state. Raises AuthorFailed; then the state is as before."""
        keeper = step.on_answer.get(type(answer))
        if keeper is None:
            return
        state, key_field = self._business(), self.definition.key_field
        key = getattr(state, key_field) if key_field else ""
        given = type(answer)()
        given.CopyFrom(answer)  # what it does to the answer is lost
        try:
            returned = keeper(state, given)
        except BaseException as error:  # as in _made_by
            raise AuthorFailed(f"on_answer of step {step.name} raised {text_of(error)}") from error
        if isinstance(returned, Message) or inspect.iscoroutine(returned):
            _drop(returned)
            raise AuthorFailed(
                f"on_answer of step {step.name} returned a {type(returned).__name__}, which would be lost: it changes "
                "the state in place, and returns None"
            )
        if key_field and getattr(state, key_field) != key:
            raise AuthorFailed(f"on_answer of step {step.name} changed {key_field}, which is the key of the instance")
        try:
            self.record.state = state.SerializeToString()
        except Exception as error:  # of protobuf, as in _body
            raise AuthorFailed(f"on_answer of step {step.name} made no state: {text_of(error)}") from error

    def _business(self) -> Message:
        """The state, anew for each function: what one does to it, only `on_answer` hands on."""
        return self.definition.state_type.FromString(self.record.state)

    def _made_by(self, step: StepDefinition, what: str, function: Callable[[Any, str], Message | None]) -> Any:
        try:
            return function(self._business(), self.record.reason)
        except BaseException as error:  # the author's code: its bug, or exit, has to end in a state of the saga
            raise AuthorFailed(f"{what} of step {step.name} raised {text_of(error)}") from error

    # --- rest ---

    def stick(self, step: StepDefinition, error: str) -> None:
        """Come to rest where only a person, or an answer that comes after all, can help. Steps beside it go on."""
        record, progress = self.record, self.steps[step.index]
        if record.status != SagaRecord.STUCK:
            record.stuck_in, record.status = record.status, SagaRecord.STUCK
        progress.stuck, progress.error = True, error
        self._sticks = True
        record.stuck_reason = self._why_stuck()
        self.timers.append(CancelTimer(step.timer))

    def unstick(self, progress: StepRecord) -> None:
        """What was missing of a step has come after all: the saga goes on, unless another step is stuck as well."""
        record = self.record
        if record.status != SagaRecord.STUCK:
            return
        progress.stuck = False
        if any(step.stuck for step in self.steps):
            record.stuck_reason = self._why_stuck()
        else:
            record.status, record.stuck_in, record.stuck_reason = record.stuck_in, SagaRecord.NONE, ""

    def end(self, status: SagaRecord.Status.ValueType) -> None:
        self.record.status = status
        self.record.ended_at_s = self.now_s

    def _why_stuck(self) -> str:
        reasons = []
        for step, progress in zip(self.definition.steps, self.steps, strict=True):
            if progress.stuck:
                back = self.record.stuck_in == SagaRecord.COMPENSATING and step.role is not Role.CLOSING
                reasons.append(f"{'undo of ' if back else ''}step {step.name}: {progress.error}")
        return "; ".join([*reasons, self._remains()])

    def _remains(self) -> str:
        undone = [step for step in self.definition.flow_steps if self.steps[step.index].status != StepRecord.DONE]
        if self.record.stuck_in == SagaRecord.RUNNING:
            return f"still to do: {_names(undone)}"
        owed = [step for step in reversed(self.definition.flow_steps) if self.steps[step.index].status in OWING]
        closing = [step for step in self.definition.closing_steps if self.steps[step.index].status != StepRecord.DONE]
        return f"still to undo: {_names(owed)}; then to confirm: {_names(closing)}"


def status_name(record: SagaRecord | StepRecord) -> str:
    """The status of a saga or step as people write it; by its number if only a newer version has the word."""
    try:
        if isinstance(record, SagaRecord):
            return SagaRecord.Status.Name(record.status).lower()
        return StepRecord.Status.Name(record.status).lower()
    except ValueError:
        return f"status {record.status}"


def _names(steps: list[StepDefinition]) -> str:
    return ", ".join(step.name for step in steps) or "nothing"


def _key(step: StepDefinition, what: str, contract: Contract, command: object) -> str:
    if type(command) is not contract.message_type:
        _drop(command)
        raise AuthorFailed(f"{what} of step {step.name} made a {type(command).__name__}, not a {contract.name}")
    try:
        return contract.key(command)
    except InvalidMessage as error:
        raise AuthorFailed(f"{what} of step {step.name}: {error}") from error


def _drop(made: object) -> None:
    """Close a coroutine that nobody will await, which Python would complain of."""
    if inspect.iscoroutine(made):
        made.close()
