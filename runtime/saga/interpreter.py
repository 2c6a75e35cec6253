"""What one input does to one running saga: a pure function, without I/O, clock or chance.

    definition, record, input, now ──advance──▶ the next record, commands to send, timers to set, a note

    RUNNING ──every step done──────────────────────────────────▶ COMPLETED
       │  refusal, silence, fault, cancellation, deadline; never past the pivot
       ▼
    COMPENSATING ──each owed undo confirmed, last first; closing commands confirmed──▶ COMPENSATED
       │  (either way) out of budget                 ▲ what was missing is confirmed after all
       ▼                                             │
    STUCK ───────────────────────────────────────────┘

An undo is owed from the moment a step's command is sent, and only a refusal, or having no undo, ends that: silence and
faults mean "maybe done". Each undo waits until every step that came after its own owes nothing any more.
The author's functions run inside: what they raise ends in turning back, or stuck, never in a half-changed record.
Orders of undo follow H. Garcia-Molina and K. Salem, "Sagas" (1987).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from google.protobuf.message import Message

from protos.saga_pb2 import CancelAccepted, CancelRefused, SagaRecord, StepRecord
from runtime.contracts import Contract
from runtime.durable.behaviour import CancelTimer, Outgoing, SetTimer
from runtime.envelope import address_of
from runtime.errors import InvalidMessage
from runtime.saga.definition import Definition, Meaning, Role, StepDefinition
from runtime.store.records import Outcome

__all__ = [
    "DEADLINE",
    "Advance",
    "Answer",
    "CancelRequested",
    "Faulted",
    "Input",
    "NothingToUndo",
    "Start",
    "TimerFired",
    "Unmatched",
    "advance",
    "status_name",
]

DEADLINE = "saga deadline"
"""The timer of the whole saga's deadline; no step can have this name."""

_OPEN = frozenset((StepRecord.ASKED, StepRecord.UNKNOWN))
_MAYBE_DONE = frozenset((StepRecord.ASKED, StepRecord.UNKNOWN, StepRecord.DONE))
_OWING = frozenset((StepRecord.OWED, StepRecord.UNDOING))
_MOVING = frozenset((SagaRecord.RUNNING, SagaRecord.COMPENSATING))


@dataclass(frozen=True, slots=True)
class Start:
    state: Message  # business state, whose key field is the instance's key
    conversation: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    command_id: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class Faulted:
    """The participant has given up on a command."""

    command_id: bytes
    error: str


@dataclass(frozen=True, slots=True)
class NothingToUndo:
    """The participant's runtime says that the undo's do never ran, or was refused."""

    command_id: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    name: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A message that answers nothing; `type` is its full name."""

    type: str
    starts: bool = False  # it would start an instance, had it not been started before


Input = Start | Answer | Faulted | NothingToUndo | TimerFired | CancelRequested | Unmatched


@dataclass(frozen=True, slots=True)
class Advance:
    """What an input leads to."""

    record: SagaRecord
    outgoing: tuple[Outgoing, ...]
    timers: tuple[SetTimer | CancelTimer, ...]
    outcome: Outcome
    note: str  # why the outcome is not HANDLED


def advance(
    definition: Definition, record: SagaRecord, input: Input, now_s: float, next_id: Callable[[str], bytes]
) -> Advance:
    """Apply one input. `record` stays as it is.

    `next_id` gives the id of the next command for its destination `kind/key`; the same sequence of calls has to give
    the same ids. Never raises for what an author's function raises.
    """
    run = _Run(definition, record, now_s, next_id)
    run.take(input)
    return run.result()


class _AuthorFailed(Exception):
    """A function of the definition raised, or returned what it may not."""


class _Run:
    """One call of `advance`, on its own copy of the record."""

    __slots__ = ("_definition", "_next_id", "_note", "_now_s", "_outgoing", "_record", "_state", "_timers")

    def __init__(
        self, definition: Definition, record: SagaRecord, now_s: float, next_id: Callable[[str], bytes]
    ) -> None:
        self._definition = definition
        self._record = SagaRecord()
        self._record.CopyFrom(record)
        self._now_s = now_s
        self._next_id = next_id
        self._state: Message | None = None  # business state, decoded when first needed
        self._outgoing: list[Outgoing] = []
        self._timers: list[SetTimer | CancelTimer] = []
        self._note = ""

    def take(self, input: Input) -> None:
        match input:
            case Answer():
                self._answer(input)
            case Start():
                self._start(input)
            case Faulted():
                self._faulted(input)
            case NothingToUndo():
                self._nothing_to_undo(input)
            case TimerFired():
                self._timer_fired(input.name)
            case CancelRequested():
                self._cancel(input.reason)
            case Unmatched():
                self._unmatched(input)
            case _:
                assert_never(input)

    def result(self) -> Advance:
        if self._note:
            return Advance(self._record, tuple(self._outgoing), tuple(self._timers), Outcome.IGNORED, self._note)
        self._record.last_progress_at_s = self._now_s
        return Advance(self._record, tuple(self._outgoing), tuple(self._timers), Outcome.HANDLED, "")

    def _unmatched(self, input: Unmatched) -> None:
        if input.starts:
            self._note = f"{input.type} has started this instance before; it is {status_name(self._record)}"
        elif not self._record.definition:
            self._note = f"{input.type} starts no instance, and there is none of this key"
        else:
            self._note = f"{input.type} answers no command of this saga"

    # --- forward ---

    def _start(self, start: Start) -> None:
        record, definition = self._record, self._definition
        if record.definition:
            self._note = f"the instance was started before, and is {status_name(record)}"
            return
        record.CopyFrom(definition.template)
        record.conversation = start.conversation
        record.started_at_s = self._now_s
        record.state = start.state.SerializeToString()
        if definition.deadline_s:
            self._timers.append(SetTimer(DEADLINE, self._now_s + definition.deadline_s))
        self._go_on(definition.entries)

    def _go_on(self, candidates: tuple[int, ...]) -> None:
        """Ask those of these steps that wait for nothing more; when nothing is left to ask, see if this is the end."""
        steps = self._record.steps
        for index in candidates:
            step = self._definition.steps[index]
            if steps[index].status == StepRecord.WAITING and all(
                steps[i].status == StepRecord.DONE for i in step.before
            ):
                self._ask(step, steps[index])
                if self._record.status != SagaRecord.RUNNING:
                    return
        if not candidates and all(steps[i].status == StepRecord.DONE for i in range(self._definition.closing_from)):
            self._end(SagaRecord.COMPLETED)

    def _ask(self, step: StepDefinition, taken: StepRecord) -> None:
        """Send a step's command, for the first time or again."""
        try:
            command = self._made_by(step, "do", step.do)
            key = self._key(step, "do", step.command, command)
        except _AuthorFailed as error:
            self._give_up(step, str(error))
            return
        taken.address = address_of(step.command.kind, key)
        taken.command_id = self._next_id(taken.address)
        taken.status = StepRecord.ASKED
        taken.attempts += 1
        taken.asked_at_s = self._now_s
        self._outgoing.append(Outgoing(command, step.command.kind, key, taken.command_id, wants_reply=True))
        self._timers.append(SetTimer(step.name, self._now_s + step.patience_s(taken.attempts)))

    def _answer(self, answer: Answer) -> None:
        name = answer.message.DESCRIPTOR.name
        found = self._find(answer.command_id)
        if found is None:
            self._note = f"{name} answers no command of this saga"
            return
        step, taken, of_undo = found
        if of_undo:
            self._undo_answered(step, taken, answer.message)
            return
        meaning = step.meanings.get(type(answer.message))
        if taken.status not in _OPEN:
            self._note = f"{name} came late: step {step.name} is {status_name(taken)}"
        elif meaning is Meaning.DONE:
            self._done(step, taken, answer.message)
        elif meaning is Meaning.REFUSED:
            self._refused(step, taken, answer)
        elif meaning is Meaning.IGNORED:
            self._note = f"{name} says nothing about step {step.name}"
        else:
            self._unknown(step, taken, f"{name} is no answer that the step declares")
            self._give_up(step, taken.error)

    def _done(self, step: StepDefinition, taken: StepRecord, answer: Message) -> None:
        taken.status = StepRecord.DONE
        taken.outcome = answer.DESCRIPTOR.full_name
        self._timers.append(CancelTimer(step.name))
        self._unstick()
        if step.role is Role.PIVOT:
            self._record.pivot_passed = True
        try:
            self._keep(step, answer)
        except _AuthorFailed as error:
            self._give_up(step, str(error))
            return
        if step.role is Role.CLOSING:
            self._close()
        else:
            self._go_on(step.after)

    def _refused(self, step: StepDefinition, taken: StepRecord, answer: Answer) -> None:
        name = answer.message.DESCRIPTOR.name
        last_is_open = taken.status == StepRecord.ASKED and answer.command_id != taken.command_id
        if answer.command_id in taken.earlier_ids:
            taken.earlier_ids.remove(answer.command_id)
        if last_is_open or taken.earlier_ids:
            # Another command of this step may still be carried out. Its answer decides, or the timer asks again.
            taken.error = f"{name}, while another {step.command.name} is without an answer"
            taken.status = StepRecord.ASKED if last_is_open else StepRecord.UNKNOWN
            return
        taken.status = StepRecord.REFUSED
        taken.outcome = answer.message.DESCRIPTOR.full_name
        self._timers.append(CancelTimer(step.name))
        self._unstick()
        try:
            self._keep(step, answer.message)
        except _AuthorFailed as error:
            taken.error = str(error)
        self._turn_back(f"{step.name}: {name}")

    # --- silence, faults, cancellation ---

    def _timer_fired(self, name: str) -> None:
        if name == DEADLINE:
            self._deadline_passed()
            return
        step = next((one for one in self._definition.steps if one.name == name), None)
        taken = None if step is None else self._record.steps[step.index]
        if step is None or taken is None or self._record.status not in _MOVING:
            self._note = f"timer {name} came when nothing waited for it"
        elif taken.status == StepRecord.ASKED:
            self._timed_out(step, taken)
        elif taken.status == StepRecord.UNKNOWN:
            self._ask(step, taken)
        elif taken.status == StepRecord.OWED and taken.undo_attempts:
            self._undo(step, taken)
        else:
            self._note = f"timer {name} came late: the step is {status_name(taken)}"

    def _timed_out(self, step: StepDefinition, taken: StepRecord) -> None:
        error = f"no answer within {step.patience_s(taken.attempts):g} s"
        self._unknown(step, taken, error)
        if step.retriable:
            taken.earlier_ids.append(taken.command_id)
            if taken.attempts < step.budget.asks_max:
                self._ask(step, taken)
                return
        self._give_up(step, error)

    def _faulted(self, fault: Faulted) -> None:
        found = self._find(fault.command_id)
        if found is None:
            self._note = f"a fault answers no command of this saga: {fault.error}"
            return
        step, taken, of_undo = found
        if of_undo:
            self._undo_faulted(step, taken, fault)
        elif taken.status not in _OPEN:
            self._note = f"a fault came late: step {step.name} is {status_name(taken)}: {fault.error}"
        elif fault.command_id != taken.command_id or taken.status == StepRecord.UNKNOWN:
            self._earlier_faulted(taken, fault)
        else:
            taken.faulted_ids.append(fault.command_id)
            self._unknown(step, taken, fault.error)
            if step.retriable and taken.attempts < step.budget.asks_max:
                self._timers.append(SetTimer(step.name, self._now_s + step.budget.pause_s(taken.attempts)))
            else:
                self._give_up(step, f"given up by {taken.address}: {fault.error}")

    def _earlier_faulted(self, taken: StepRecord, fault: Faulted) -> None:
        """Of a command after which the step was asked again, or is about to be: that one decides."""
        if fault.command_id in taken.earlier_ids:
            taken.earlier_ids.remove(fault.command_id)
            taken.faulted_ids.append(fault.command_id)
        taken.error = fault.error

    def _unknown(self, step: StepDefinition, taken: StepRecord, error: str) -> None:
        taken.status = StepRecord.UNKNOWN
        taken.error = error
        self._timers.append(CancelTimer(step.name))

    def _give_up(self, step: StepDefinition, error: str) -> None:
        """The step cannot go on: turn back if that is still possible, else rest, for a person to look at."""
        if self._record.status == SagaRecord.RUNNING and not self._no_way_back():
            self._turn_back(f"{step.name}: {error}")
        else:
            self._stick(step, error)

    def _deadline_passed(self) -> None:
        if self._record.status not in (SagaRecord.RUNNING, SagaRecord.STUCK):
            self._note = f"the deadline came late: the saga is {status_name(self._record)}"
        elif self._record.status == SagaRecord.STUCK or self._no_way_back():
            self._record.overdue = True
        else:
            self._turn_back(f"timeout: not past the pivot within {self._definition.deadline_s:g} s")

    def _cancel(self, reason: str) -> None:
        record = self._record
        if record.status in (SagaRecord.COMPENSATING, SagaRecord.COMPENSATED):
            self._note = f"it has turned back already: {record.reason}"
            self._outgoing.append(Outgoing(CancelAccepted(reason=record.reason)))
            return
        refusal = self._cancel_refusal()
        if refusal:
            self._note = f"cancellation refused: {refusal}"
            self._outgoing.append(Outgoing(CancelRefused(reason=refusal)))
            return
        self._turn_back(f"cancelled: {reason}" if reason else "cancelled")
        self._outgoing.append(Outgoing(CancelAccepted(reason=record.reason)))

    def _cancel_refusal(self) -> str:
        """Why this saga cannot be cancelled; empty if it can."""
        status = self._record.status
        if status == SagaRecord.NONE:
            return "there is no such process"
        if status == SagaRecord.COMPLETED:
            return "it has completed"
        if status == SagaRecord.STUCK:
            return f"it is stuck: {self._record.stuck_reason}"
        return self._no_way_back()

    def _no_way_back(self) -> str:
        """Why a running saga may not turn back; empty if it may."""
        for step in self._definition.steps:
            if step.role is Role.PIVOT:
                if self._record.pivot_passed:
                    return f"there is no way back after {step.name}"
                if step.undo is None and self._record.steps[step.index].status in _OPEN:
                    return f"{step.name} is under way and cannot be undone"
        return ""

    # --- back ---

    def _turn_back(self, reason: str) -> None:
        record = self._record
        record.status = SagaRecord.COMPENSATING
        record.reason = reason
        if self._definition.deadline_s:
            self._timers.append(CancelTimer(DEADLINE))
        for step, taken in zip(self._definition.flow_steps, record.steps, strict=False):
            if taken.status in _OPEN:
                self._timers.append(CancelTimer(step.name))
            if taken.status in _MAYBE_DONE:
                taken.status = StepRecord.SKIPPED if step.undo is None else StepRecord.OWED
        self._undo_next()

    def _undo_next(self) -> None:
        """Begin each undo that no later step holds up; when none is owed any more, say so to those concerned."""
        steps = self._record.steps
        for step in reversed(self._definition.flow_steps):
            taken = steps[step.index]
            if taken.status != StepRecord.OWED or taken.undo_attempts:
                continue
            if all(steps[i].status not in _OWING for i in step.all_after):
                self._undo(step, taken)
                if self._record.status != SagaRecord.COMPENSATING:
                    return
        if all(taken.status not in _OWING for taken in steps):
            self._close()

    def _undo(self, step: StepDefinition, taken: StepRecord) -> None:
        """Send the undo of a step, for the first time or again; or find that this instance needs none."""
        assert step.undo is not None and step.undo_command is not None  # owed only then
        try:
            command = self._made_by(step, "undo", step.undo)
            if command is None:
                taken.status = StepRecord.SKIPPED
                return
            key = self._key(step, "undo", step.undo_command, command)
            if address_of(step.undo_command.kind, key) != taken.address:
                raise _AuthorFailed(f"undo of step {step.name} goes to key {key!r}; its do went to {taken.address}")
        except _AuthorFailed as error:
            self._stick(step, str(error))
            return
        if taken.undo_id:
            taken.earlier_undo_ids.append(taken.undo_id)
        taken.undo_id = self._next_id(taken.address)
        taken.status = StepRecord.UNDOING
        taken.undo_attempts += 1
        taken.asked_at_s = self._now_s
        self._outgoing.append(
            Outgoing(
                command,
                step.undo_command.kind,
                key,
                taken.undo_id,
                wants_reply=True,
                undo_of=taken.command_id,
                refusals=step.refusals,
            )
        )

    def _undo_answered(self, step: StepDefinition, taken: StepRecord, answer: Message) -> None:
        name = answer.DESCRIPTOR.name
        if taken.status not in _OWING:
            self._note = f"{name} came late: step {step.name} is {status_name(taken)}"
        elif type(answer) in step.undone:
            self._undone(step, taken, answer.DESCRIPTOR.full_name)
        elif step.meanings.get(type(answer)) is Meaning.IGNORED:
            self._note = f"{name} says nothing about the undo of step {step.name}"
        else:
            taken.status = StepRecord.OWED
            self._stick(step, f"{name} is no answer that confirms the undo")

    def _nothing_to_undo(self, answer: NothingToUndo) -> None:
        found = self._find(answer.command_id)
        if found is None or not found[2]:
            self._note = f"nothing to undo, but no undo of this saga asked: {answer.reason}"
            return
        step, taken, _ = found
        if taken.status in _OWING:
            self._undone(step, taken, f"nothing to undo: {answer.reason}")
        else:
            self._note = f"nothing to undo came late: step {step.name} is {status_name(taken)}"

    def _undone(self, step: StepDefinition, taken: StepRecord, outcome: str) -> None:
        if taken.status == StepRecord.OWED:
            self._timers.append(CancelTimer(step.name))  # the next try
        taken.status = StepRecord.UNDONE
        taken.undo_outcome = outcome
        self._unstick()
        self._undo_next()

    def _undo_faulted(self, step: StepDefinition, taken: StepRecord, fault: Faulted) -> None:
        if taken.status != StepRecord.UNDOING or fault.command_id != taken.undo_id:
            self._note = f"the fault of an undo came late: step {step.name} is {status_name(taken)}: {fault.error}"
            return
        taken.status = StepRecord.OWED
        taken.error = fault.error
        if taken.undo_attempts < step.budget.asks_max:
            self._timers.append(SetTimer(step.name, self._now_s + step.budget.pause_s(taken.undo_attempts)))
        else:
            self._stick(step, fault.error)

    def _close(self) -> None:
        """All is undone: send what the saga has to say about that, one after another, then end."""
        for step in self._definition.closing_steps:
            taken = self._record.steps[step.index]
            if taken.status == StepRecord.WAITING:
                self._ask(step, taken)
            if taken.status != StepRecord.DONE:
                return
        self._end(SagaRecord.COMPENSATED)

    # --- rest ---

    def _stick(self, step: StepDefinition, error: str) -> None:
        record = self._record
        record.stuck_in, record.status = record.status, SagaRecord.STUCK
        record.steps[step.index].error = error
        back = record.stuck_in == SagaRecord.COMPENSATING and step.role is not Role.CLOSING
        what = "undo of step" if back else "step"
        record.stuck_reason = f"{what} {step.name}: {error}; {_remains(self._definition, record)}"
        self._timers.append(CancelTimer(step.name))

    def _unstick(self) -> None:
        """What was missing has come after all."""
        record = self._record
        if record.status == SagaRecord.STUCK:
            record.status, record.stuck_in, record.stuck_reason = record.stuck_in, SagaRecord.NONE, ""

    def _end(self, status: SagaRecord.Status.ValueType) -> None:
        self._record.status = status
        self._record.ended_at_s = self._now_s
        if self._definition.deadline_s and status == SagaRecord.COMPLETED:
            self._timers.append(CancelTimer(DEADLINE))

    # --- the author's functions ---

    def _made_by(self, step: StepDefinition, what: str, function: Callable[[Message, str], Message | None]) -> Any:
        try:
            return function(self._business(), self._record.reason)
        except Exception as error:  # the author's code: its bug must leave the saga in a state of its own
            raise _AuthorFailed(f"{what} of step {step.name} raised {type(error).__name__}: {error}") from error

    def _key(self, step: StepDefinition, what: str, contract: Contract, command: Message) -> str:
        if type(command) is not contract.message_type:
            raise _AuthorFailed(f"{what} of step {step.name} made a {type(command).__name__}, not a {contract.name}")
        try:
            return contract.key(command)
        except InvalidMessage as error:
            raise _AuthorFailed(f"{what} of step {step.name}: {error}") from error

    def _keep(self, step: StepDefinition, answer: Message) -> None:
        """Copy facts of an answer into the state. A keeper that fails, or changes the key, has changed nothing."""
        keeper = step.keep.get(type(answer))
        if keeper is None:
            return
        state, key_field = self._business(), self._definition.key_field
        key = getattr(state, key_field) if key_field else ""
        self._state = None
        try:
            keeper(state, answer)
        except Exception as error:  # as in _made_by
            raise _AuthorFailed(f"keep of step {step.name} raised {type(error).__name__}: {error}") from error
        if key_field and getattr(state, key_field) != key:
            raise _AuthorFailed(f"keep of step {step.name} changed {key_field}, which is the key of the instance")
        self._state = state
        self._record.state = state.SerializeToString()

    def _business(self) -> Message:
        if self._state is None:
            self._state = self._definition.state_type.FromString(self._record.state)
        return self._state

    def _find(self, command_id: bytes) -> tuple[StepDefinition, StepRecord, bool] | None:
        """The step that sent this command, and whether it was its undo."""
        for step, taken in zip(self._definition.steps, self._record.steps, strict=True):
            if command_id == taken.command_id or command_id in taken.earlier_ids or command_id in taken.faulted_ids:
                return step, taken, False
            if command_id == taken.undo_id or command_id in taken.earlier_undo_ids:
                return step, taken, True
        return None


def status_name(record: SagaRecord | StepRecord) -> str:
    """The status of a saga or step as people write it."""
    if isinstance(record, SagaRecord):
        return SagaRecord.Status.Name(record.status).lower()
    return StepRecord.Status.Name(record.status).lower()


def _remains(definition: Definition, record: SagaRecord) -> str:
    owed = [taken.name for taken in reversed(record.steps) if taken.status in _OWING]
    if record.stuck_in == SagaRecord.COMPENSATING:
        waiting = [step.name for step in definition.closing_steps if record.steps[step.index].status != StepRecord.DONE]
        return f"still to undo: {', '.join(owed) or 'nothing'}; then: {', '.join(waiting) or 'nothing'}"
    left = [step.name for step in definition.flow_steps if record.steps[step.index].status != StepRecord.DONE]
    return f"still to do: {', '.join(left) or 'nothing'}"
