"""A saga on a node that pauses participants which keep failing; what a pause is, says `pauses`.

turn ──Delivery──▶ PausingSaga ──not paused──▶ SagaBehaviour
                        └──paused──▶ the start is put off, or the timer is set again
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durable.behaviour import Behaviour, Decision, Delivery, SetTimer
from runtime.envelope import Envelope, parse_address
from runtime.errors import NotCarried
from runtime.kind_names import AS_CALLED, KindNames
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.migration import Unmovable, migrate
from runtime.saga.node import StepDefinition
from runtime.saga.pauses import TRIAL_S, Pauses
from runtime.saga.saga import Saga
from runtime.store.records import Outcome

__all__ = ["HELD", "PausingSaga", "pausing"]

HELD = "held: "
"""How the note begins of a timer that was set again since its participant was, or is, paused."""

_TASK = saga_pb2.TaskRecord
_OPEN = saga_pb2.Exchange.OPEN


def pausing(behaviour: Behaviour, hosted: Iterable[type[Any]], pauses: Pauses | None, names: KindNames) -> Behaviour:
    """The behaviour for one node: of a saga, with its pauses. `hosted` and `names` are those of the catalogue."""
    if pauses is None or not isinstance(behaviour, SagaBehaviour):
        return behaviour
    return PausingSaga(next(one for one in hosted if behaviour.kind in one.kind_names), pauses, names)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a timer is about: a command to a participant that has not answered, or that is asked again after a pause."""

    kind: str
    asked_at_s: float
    patience_s: float
    is_silence: bool
    asks_again: bool  # What comes next is a command, and never the way back.


class PausingSaga(SagaBehaviour):
    """The same saga for one node."""

    def __init__(self, saga: type[Saga[Any]], pauses: Pauses, names: KindNames = AS_CALLED) -> None:
        super().__init__(saga, names)
        self._pauses = pauses
        steps = [one for one in self.definition.steps if type(one) is StepDefinition]
        self._needs = tuple(dict.fromkeys(one.command.kind for one in steps))
        pauses.need(self.kind, self._needs)

    def decide(self, state: Message, delivery: Delivery) -> Decision:
        """See SagaBehaviour. Raises NotCarried for the start of a saga that needs a paused participant."""
        assert isinstance(state, saga_pb2.SagaRecord)
        envelope, pauses, now_s = delivery.envelope, self._pauses, delivery.now_s
        if not state.definition and type(delivery.message) in self._starts:
            self._check_start(now_s)
        question = self._asked_before(state, envelope) if envelope.timer else None
        if question is not None and (again_at_s := self._held_until_s(question, now_s)):
            note = f"{HELD}{question.kind} keeps failing, and its silence does not count"
            later = SetTimer(envelope.timer, again_at_s)
            return Decision(timers=(later,), outcome=Outcome.IGNORED, note=note, ended=True)
        answers = bool(envelope.in_reply_to and envelope.sender)
        kind = parse_address(envelope.sender)[0] if answers else ""
        is_undone_at_once = answers and self._is_undone_at_once(state, kind, envelope.in_reply_to)
        decision = super().decide(state, delivery)
        if question is not None and question.is_silence:
            pauses.failed(question.kind, envelope.key, "no answer in time", now_s)
        elif answers:
            if isinstance(delivery.message, durable_pb2.Fault):
                pauses.failed(kind, envelope.key, delivery.message.error, now_s, by_fault=True)
            elif not is_undone_at_once:
                pauses.answered(kind, now_s)
        return decision

    def _is_undone_at_once(self, record: saga_pb2.SagaRecord, kind: str, id: bytes) -> bool:
        """Whether a participant that gives up what it is asked for confirms the first undo of that.

        It does so when there is nothing to undo, and may give up the next command all the same.
        """
        if not self._pauses.faults(kind):
            return False
        return any(task.undo.command_id == id and task.undo.attempts == 1 for task in record.tasks)

    def _check_start(self, now_s: float) -> None:
        paused = self._pauses.paused(self._needs)
        if paused and not self._pauses.may_try(paused, now_s):
            raise NotCarried(f"{paused} keeps failing, and {self.kind} needs it: it begins once {paused} answers")

    def _held_until_s(self, question: _Question, now_s: float) -> float:
        """Until when a timer waits; 0.0 when it counts."""
        pauses, kind = self._pauses, question.kind
        if pauses.paused((kind,)):
            if question.asks_again and pauses.may_try(kind, now_s):
                return 0.0
            return now_s + max(question.patience_s, TRIAL_S)
        resumed_at_s = pauses.resumed_at_s(kind)
        if question.is_silence and resumed_at_s > question.asked_at_s:
            counts_at_s = resumed_at_s + question.patience_s
            return counts_at_s if counts_at_s > now_s else 0.0
        return 0.0

    def _asked_before(self, record: saga_pb2.SagaRecord, envelope: Envelope) -> _Question | None:
        """What the timer is about. An instance of an older version is looked at as what it will be carried over to."""
        if not record.definition or record.fingerprint == self.definition.fingerprint:
            return self._question(record, envelope.timer)
        if record.fingerprint not in self.definition.carries:
            return None
        carried = saga_pb2.SagaRecord()
        carried.CopyFrom(record)
        try:
            renamed = migrate(self.definition, carried, envelope.key)
        except Unmovable:
            return None
        return self._question(carried, renamed.get(envelope.timer, envelope.timer))

    def _question(self, record: saga_pb2.SagaRecord, timer: str) -> _Question | None:
        """None for a timer that is about no participant, such as the saga's deadline or a wait."""
        node = self.definition.node_of_timer(timer)
        if type(node) is not StepDefinition:  # A wait for an event is no question to a participant.
            return None
        task = record.tasks[node.index]
        asked = task.undo if task.status == _TASK.OWED else task.do
        if asked.status == saga_pb2.Exchange.UNKNOWN and task.probe.status == _OPEN:
            asked = task.probe
        if task.status not in (_TASK.RUNNING, _TASK.OWED):
            return None
        is_silence = asked.status == _OPEN
        asks_again = node.retriable or task.status == _TASK.OWED
        patience_s = node.patience_s(max(asked.attempts, 1))
        return _Question(node.command.kind, asked.asked_at_s, patience_s, is_silence, asks_again)
