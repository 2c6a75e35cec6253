"""A saga as the turn sees it: deliveries become inputs, and what the interpreter says becomes decisions.

turn ──Delivery, SagaRecord──▶ SagaBehaviour ──Input──▶ interpreter ──Advance──▶ Decision
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from runtime.contracts import contract_of, field_text, names_of
from runtime.durable.behaviour import Decision, Delivery, Lack, RetryPolicy, SetTimer, StepOutcome
from runtime.envelope import Envelope
from runtime.errors import FinalError, NotCarried
from runtime.failures import text_of
from runtime.kind_names import AS_CALLED, KindNames
from runtime.protos import durable_pb2, lock_pb2, saga_pb2
from runtime.saga import inputs
from runtime.saga.addressed import addressed
from runtime.saga.checks import check_condition
from runtime.saga.definition import Definition
from runtime.saga.interpreter import advance
from runtime.saga.migration import Unmovable, migrate, way_of
from runtime.saga.node import LOCK_NEWS, full_name
from runtime.saga.node_bounds import NodeBounds
from runtime.saga.on import On
from runtime.saga.outcomes import StepOutcomes
from runtime.saga.saga import Saga
from runtime.saga.stored import described
from runtime.saga.summary import summary_of
from runtime.store.records import Outcome, Subscription

__all__ = ["SagaBehaviour"]

_RECORD = saga_pb2.SagaRecord
_OWN: frozenset[type[Message]] = frozenset(
    (
        durable_pb2.Fault,
        durable_pb2.Undone,
        lock_pb2.DeadlockSearch,
        saga_pb2.CancelSaga,
        saga_pb2.EventCame,
        saga_pb2.RepairSaga,
        saga_pb2.RetrySaga,
        saga_pb2.UndoSaga,
        *LOCK_NEWS,
    )
)
"""Messages of the runtime that mean more than an answer, or a start."""
_NOT_OURS_PAUSE_S = 60.0  # until a timer of another version's instance is looked at again
_TIMER_PAUSE_S = 60.0  # until a timer comes again in whose turn something failed that is not the author's
_AT_REST = frozenset((_RECORD.NONE, _RECORD.COMPLETED, _RECORD.COMPENSATED, _RECORD.STUCK, _RECORD.ABANDONED))


class SagaBehaviour:
    """A saga as the turn sees it: translates deliveries into inputs, and what the interpreter says into decisions."""

    # The interpreter gives the same result each time it is asked, so a second try cannot help.
    # A timer may be all that moves an instance, so none is given up.
    retries = RetryPolicy(immediate=0, delays=(), timer_pause=_TIMER_PAUSE_S)
    state_type: type[Message] = saga_pb2.SagaRecord

    def __init__(self, saga: type[Saga[Any]], names: KindNames = AS_CALLED) -> None:
        """`names` are those of the kinds that the saga sends to."""
        self.definition = addressed(saga.definition, names)
        self._outcomes = StepOutcomes(self.definition)
        self._name = saga.__name__
        self.kind = self.process = self.definition.name
        self.subscriptions = tuple(one for start in self.definition.starts for one in _subscriptions(self.kind, start))
        self._starts = {start.event_type: start for start in self.definition.starts}
        self._key_paths = {type_: start.key or contract_of(type_).key_field for type_, start in self._starts.items()}
        self._awaited = {full_name(one.event): one.event for one in self.definition.awaits}
        self.accepts = _accepted(self.definition)

    def name_of(self, type_: str, process: str) -> str:
        """See Named: an instance runs the functions of its class."""
        return self._name

    @property
    def runs_in_chains(self) -> bool:
        """See RunsInChains: what a saga decides depends on nothing but its record and the message."""
        return True

    @property
    def carries(self) -> tuple[str, ...]:
        """See Versioned."""
        begun_by = sorted(name for type_ in self._starts for name in names_of(type_))
        own = (self.definition.fingerprint, *self.definition.carries)
        return (*map(self._carried, own), *(f"{self.kind}<{one}" for one in begun_by))

    @property
    def described(self) -> tuple[str, bytes]:
        """See Versioned."""
        definition = self.definition
        return definition.fingerprint.hex(), described(definition).SerializeToString(deterministic=True)

    def _carried(self, fingerprint: bytes) -> str:
        return f"{self.kind}/{fingerprint.hex()}"

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        """Advance the instance by one message."""
        return self.decide(state, delivery)

    def decide(self, state: Message, delivery: Delivery) -> Decision:
        """As `handle`, without an event loop. Raises NotCarried when the instance was begun by another definition."""
        assert isinstance(state, saga_pb2.SagaRecord)
        if state.definition and state.fingerprint != self.definition.fingerprint:
            if state.fingerprint in self.definition.carries:
                return self._carry_over(state, delivery)
            return self._not_ours(self._begun_elsewhere(state, delivery.envelope.key).reason, delivery)
        message = self._input(state, delivery)
        step, found = self._advance(state, message, delivery)
        ended = state.status in _AT_REST
        return Decision(
            step.outgoing,
            step.timers,
            step.outcome,
            step.note,
            ended=ended,
            alarm=step.alarm,
            summary=summary_of,
            keeps_input=self.definition.keeps_inputs,
            outcomes=found,
        )

    def _advance(
        self, state: saga_pb2.SagaRecord, given: inputs.Input, delivery: Delivery
    ) -> tuple[inputs.Advance, tuple[StepOutcome, ...]]:
        definition = self.definition
        bounds = NodeBounds(delivery.body_bytes_max, delivery.state_bytes_max, delivery.unreached)
        silent = self._outcomes.silent(state, given.name) if isinstance(given, inputs.TimerFired) else None
        step = advance(definition, state, given, delivery.now_s, delivery.next_id, bounds)
        return step, self._outcomes.of(silent, state, given, step) if delivery.counts_outcomes else ()

    def _carry_over(self, state: saga_pb2.SagaRecord, delivery: Delivery) -> Decision:
        """Make it an instance of the present definition, begin what is ready there, and go on with the message."""
        definition, key, old = self.definition, delivery.envelope.key, state.fingerprint.hex()
        between = way_of(definition, state.fingerprint)[1:]
        try:
            renamed = migrate(definition, state, key)
        except Unmovable as error:
            cure = "nothing was done: mend its migration, or run a build that has that version"
            return self._not_ours(f"{self.kind}/{key} is of version {old}, and is left so: {error}; {cure}", delivery)
        message = self._input(state, delivery)
        if isinstance(message, inputs.TimerFired):
            message = inputs.TimerFired(renamed.get(message.name, message.name))
        advances = [self._advance(state, one, delivery) for one in (inputs.CarriedOver(), message)]
        steps = [step for step, _ in advances]
        way = " by way of ".join(["", *(one.hex() for one in between)])
        carried = f"carried over from version {old}{way} to {definition.fingerprint.hex()}"
        notes = [carried, *(one.note for one in steps)]
        return Decision(
            tuple(sent for one in steps for sent in one.outgoing),
            tuple(timer for one in steps for timer in one.timers),
            note="; ".join(filter(None, notes)),
            ended=state.status in _AT_REST,
            alarm="; ".join(filter(None, (one.alarm for one in steps))),
            summary=summary_of,
            renamed=renamed,
            keeps_input=definition.keeps_inputs,
            outcomes=tuple(outcome for _, found in advances for outcome in found),
        )

    def lacks(self, state: Message, key: str, type_: str) -> Lack | None:
        """See Versioned."""
        assert isinstance(state, saga_pb2.SagaRecord)
        if not state.definition:
            return None if type_ in self.accepts else self._cannot_begin(key, type_)
        if state.fingerprint == self.definition.fingerprint or state.fingerprint in self.definition.carries:
            return None
        return self._begun_elsewhere(state, key)

    def _begun_elsewhere(self, record: saga_pb2.SagaRecord, key: str) -> Lack:
        reason = (
            f"{self.kind}/{key} was started by another version of {self.kind}, whose steps differ (fingerprint "
            f"{record.fingerprint.hex()}, here {self.definition.fingerprint.hex()}); "
            "nothing was done: run a build that has that version"
        )
        return Lack(reason, self._carried(record.fingerprint), is_begun=True)

    def _cannot_begin(self, key: str, type_: str) -> Lack:
        """Why mail that begins an instance has to wait: only another build can have asked for it."""
        reason = (
            f"{type_} for {self.kind}/{key}, which has not begun, is for another version of {self.kind}: "
            "this build does not know it; nothing was done: run a build that does"
        )
        return Lack(reason, f"{self.kind}<{type_}", is_begun=False)

    def _not_ours(self, error: str, delivery: Delivery) -> Decision:
        """Leave an instance of another version alone: its mail and its timers are put off for a build that can."""
        timer = delivery.envelope.timer
        if not timer:
            raise NotCarried(error)
        later = SetTimer(timer, delivery.now_s + _NOT_OURS_PAUSE_S)
        return Decision(timers=(later,), outcome=Outcome.IGNORED, note=error, ended=True)

    def _input(self, record: saga_pb2.SagaRecord, delivery: Delivery) -> inputs.Input:
        message, envelope = delivery.message, delivery.envelope
        if envelope.timer:
            return inputs.TimerFired(envelope.timer)
        if type(message) not in _OWN:  # As nearly always, and each question below costs something.
            asked = envelope.in_reply_to
            return inputs.Answered(asked, message) if asked else self._unasked(record, message, envelope)
        if isinstance(message, saga_pb2.CancelSaga):
            return inputs.CancelRequested(message.reason)
        if isinstance(message, saga_pb2.RetrySaga):
            return inputs.RetryRequested()
        if isinstance(message, saga_pb2.UndoSaga) and envelope.reply_to:
            return inputs.UndoRequested(message.reason, inputs.AskedBy(envelope.reply_to, envelope.id))
        if isinstance(message, saga_pb2.EventCame):
            return self._event(message)
        if isinstance(message, LOCK_NEWS):
            return inputs.Answered(message.command_id, message)
        if isinstance(message, lock_pb2.DeadlockSearch):
            return inputs.DeadlockSearched(message)
        if isinstance(message, saga_pb2.RepairSaga):
            return inputs.RepairRequested(message)
        if not envelope.in_reply_to:
            return self._unasked(record, message, envelope)
        if isinstance(message, durable_pb2.Fault):
            return inputs.Faulted(envelope.in_reply_to, message.error)
        if isinstance(message, durable_pb2.Undone):
            return inputs.NothingToUndo(envelope.in_reply_to, message.reason)
        return inputs.Answered(envelope.in_reply_to, message)

    def _event(self, came: saga_pb2.EventCame) -> inputs.Input:
        event_type = self._awaited.get(came.event_type)
        if event_type is None:
            return inputs.Unmatched(came.event_type)
        return inputs.Answered(came.command_id, event_type.FromString(came.body), came.sender)

    def _unasked(self, record: saga_pb2.SagaRecord, message: Message, envelope: Envelope) -> inputs.Input:
        start = self._starts.get(type(message))
        asked_by = inputs.AskedBy(envelope.reply_to, envelope.id) if envelope.reply_to else None
        if start is None or record.definition:
            if start is not None and asked_by is not None:
                return inputs.StartedAgain(asked_by)
            return inputs.Unmatched(full_name(type(message)), starts=start is not None)
        return inputs.Start(self._begin(start, message, envelope.key), envelope.conversation, asked_by)

    def key_of(self, event: Message) -> str:
        """The key of the instance that an event starts; empty when it starts none."""
        path = self._key_paths.get(type(event))
        return "" if path is None else field_text(event, path)

    def _begin(self, start: On, event: Message, key: str) -> Message:
        """The business state of a new instance. Raises FinalError when the event or `begin` does not give one."""
        where = f"{self.kind} cannot be started by {full_name(type(event))}"
        if not key or self.key_of(event) != key:
            path = self._key_paths[start.event_type]
            raise FinalError(f"{where}: its field {path!r} is {self.key_of(event)!r}, the key of the address {key!r}")
        try:
            assert start.function is not None  # as was checked
            state = start.function(event)
        except BaseException as error:  # the author's code; reported with the event, which is parked
            raise FinalError(f"{where}: begin raised {text_of(error)}") from error
        if type(state) is not self.definition.state_type:
            raise FinalError(f"{where}: begin made a {type(state).__name__}")
        field = self.definition.key_field
        if field and getattr(state, field) != key:
            raise FinalError(f"{where}: begin left {field!r} as {getattr(state, field)!r}, the key is {key!r}")
        return state


def _subscriptions(kind: str, start: On) -> list[Subscription]:
    """By each name of the event: an older build says it under a former one."""
    contract = contract_of(start.event_type)
    field, value = check_condition(start.event_type, dict(start.where), kind)
    key_field = start.key or contract.key_field
    return [Subscription(name, kind, key_field, kind, True, field, value) for name in names_of(start.event_type)]


def _accepted(definition: Definition) -> frozenset[str]:
    own = (durable_pb2.Fault, durable_pb2.Undone, durable_pb2.TimerFired, durable_pb2.CommandsProbed)
    types: list[type[Message]] = [
        *own,
        saga_pb2.CancelSaga,
        saga_pb2.RetrySaga,
        saga_pb2.UndoSaga,
        *([saga_pb2.EventCame] if definition.awaits else ()),
        *([saga_pb2.KeyHeld, saga_pb2.KeyTaken] if definition.keys else ()),
        saga_pb2.RepairSaga,
        lock_pb2.DeadlockSearch,
        *(LOCK_NEWS if definition.locks else ()),
        *(start.event_type for start in definition.starts),
    ]
    for step in definition.steps:
        types += [*step.meanings, *step.undone, *step.undo_unsettled]
    return frozenset(name for one in types for name in names_of(one))
