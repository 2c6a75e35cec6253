"""Sagas: business processes that one actor drives, written as steps with their undos.

    class BookTrip(Saga[BookTripState], kind="book-trip"):
        started_by = on(TripStarted, begin)
        seat  = Step(do=reserve_seat, done=SeatReserved, refused=SoldOut,
                     undo=release_seat, undone=SeatReleased, timeout=seconds(30))
        money = Step(do=pay, done=Paid, refused=CardDeclined, timeout=minutes(1), pivot=True)
        close = Step(do=confirm, done=TripConfirmed, timeout=seconds(30))
        flow  = seat >> money >> close
        compensated, compensated_by = cancel, TripCancelled

    turn ──Delivery, SagaRecord──▶ SagaBehaviour ──Input──▶ interpreter ──Advance──▶ Decision

The class is a definition and has no instances: what runs is its record.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from google.protobuf.message import Message

from runtime.contracts import contract_of, field_text
from runtime.durable.behaviour import Decision, Delivery, Lack, RetryPolicy, SetTimer
from runtime.durable.declared import Declared, state_type_of, take_options
from runtime.durable.spans import check_span
from runtime.envelope import wrong_kind
from runtime.errors import FinalError, InvalidDefinition, NotCarried
from runtime.failures import text_of
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga import inputs
from runtime.saga.checks import check, check_condition
from runtime.saga.definition import Definition, full_name
from runtime.saga.interpreter import advance
from runtime.saga.on import On
from runtime.saga.reading import Declaration, message_types, read
from runtime.saga.step import Budget, Flow, MessageTypes, Step
from runtime.store.records import Outcome, Subscription

__all__ = ["Saga", "SagaBehaviour"]

_RECORD = saga_pb2.SagaRecord
_NOT_OURS_PAUSE_S = 60.0  # until a timer of another version's instance is looked at again
_TIMER_PAUSE_S = 60.0  # until a timer comes again in whose turn something failed that is not the author's
_AT_REST = frozenset((_RECORD.NONE, _RECORD.COMPLETED, _RECORD.COMPENSATED, _RECORD.STUCK))

Closing = Callable[..., Message]
StateT = TypeVar("StateT", bound=Message)


class _SagaType(Declared):
    """Refuses what Python itself would take for its own before `__init_subclass__` is asked: `__slots__`, say."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any], **options: Any) -> Any:
        for attribute, value in body.items():
            if isinstance(value, Step) and attribute.startswith("__") and attribute.endswith("__"):
                raise InvalidDefinition(f"{name}.{attribute}: the name is Python's own; give the step another one")
        return super().__new__(cls, name, bases, body, **options)

    @staticmethod
    def declares(name: str, value: object) -> bool:
        """See Declared."""
        return isinstance(value, Step)


class Saga(Generic[StateT], metaclass=_SagaType):
    """Base of sagas. A definition that makes no sense is refused when the class is made.

    started_by         the event (or events) that start an instance
    flow               its steps, joined by `>>`
    compensated        (state) or (state, reason) -> command, one or several: sent when every owed undo is confirmed
    compensated_by     the answers that confirm it; for several commands, one entry each
    compensated_within seconds of patience before such a command is sent again
    """

    kind: ClassVar[str] = ""
    state_type: ClassVar[type[Message]]
    definition: ClassVar[Definition]

    started_by: ClassVar[On | tuple[On, ...]] = ()
    flow: ClassVar[Flow | Step]
    compensated: ClassVar[Any] = ()  # Closing | tuple[Closing, ...]
    compensated_by: ClassVar[MessageTypes | tuple[MessageTypes, ...]] = ()
    compensated_within: ClassVar[float] = 30.0

    def __init_subclass__(cls, *, kind: str = "", deadline: float = 0.0, **rest: Any) -> None:
        """`deadline`: seconds from the start to the pivot, past which the saga turns back; 0 for none."""
        where = f"saga {cls.__name__}"
        take_options(super().__init_subclass__, rest, where, "kind and deadline")
        _check_step_names(cls)
        if wrong := wrong_kind(kind):
            raise InvalidDefinition(f"{where} needs {wrong}: class X(Saga[XState], kind='x')")
        state_type = state_type_of(cls, Saga, where)
        check_span(deadline, "a deadline is finite and above 0", where, or_none=True)
        cls.kind, cls.state_type = kind, state_type
        cls.definition = read(
            Declaration(
                name=kind,
                title=cls.__name__,
                state_type=state_type,
                steps=_declared_steps(cls),
                flow=_declared_flow(cls),
                closing=_declared_closing(cls),
                starts=_declared_starts(cls),
                deadline_s=deadline,
            )
        )
        check(cls.definition)


class SagaBehaviour:
    """A saga as the turn sees it: translates deliveries into inputs, and what the interpreter says into decisions."""

    # The interpreter gives the same result each time it is asked, so a second try cannot help.
    # A timer may be all that moves an instance, so none is given up.
    retries = RetryPolicy(immediate=0, delays_s=(), timer_pause_s=_TIMER_PAUSE_S)
    state_type: type[Message] = saga_pb2.SagaRecord

    def __init__(self, saga: type[Saga[Any]]) -> None:
        self.definition = saga.definition
        self._name = saga.__name__
        self.kind = saga.kind
        self.process = saga.kind
        self.subscriptions = tuple(_subscription(saga.kind, start) for start in self.definition.starts)
        self._starts = {start.event_type: start for start in self.definition.starts}
        self._key_paths = {type_: start.key or contract_of(type_).key_field for type_, start in self._starts.items()}
        self.accepts = _accepted(self.definition)

    def name_of(self, type_: str, process: str) -> str:
        """See Named: an instance runs the functions of its class."""
        return self._name

    @property
    def carries(self) -> tuple[str, ...]:
        """See Versioned."""
        begun_by = sorted(full_name(type_) for type_ in self._starts)
        return (self._carried(self.definition.fingerprint), *(f"{self.kind}<{one}" for one in begun_by))

    def _carried(self, fingerprint: bytes) -> str:
        return f"{self.kind}/{fingerprint.hex()}"

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        """Advance the instance by one message."""
        return self.decide(state, delivery)

    def decide(self, state: Message, delivery: Delivery) -> Decision:
        """As `handle`, without an event loop. Raises NotCarried when the instance was begun by another definition."""
        assert isinstance(state, saga_pb2.SagaRecord)
        if state.definition and state.fingerprint != self.definition.fingerprint:
            return self._not_ours(self._begun_elsewhere(state, delivery.envelope.key).reason, delivery)
        message = self._input(state, delivery)
        step = advance(self.definition, state, message, delivery.now_s, delivery.next_id, delivery.body_bytes_max)
        ended = state.status in _AT_REST
        return Decision(step.outgoing, step.timers, step.outcome, step.note, ended=ended, alarm=step.alarm)

    def lacks(self, state: Message, key: str, type_: str) -> Lack | None:
        """See Versioned."""
        assert isinstance(state, saga_pb2.SagaRecord)
        if not state.definition:
            return None if type_ in self.accepts else self._cannot_begin(key, type_)
        if state.fingerprint == self.definition.fingerprint:
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
        if isinstance(message, saga_pb2.CancelSaga):
            return inputs.CancelRequested(message.reason)
        if isinstance(message, saga_pb2.RetrySaga):
            return inputs.RetryRequested()
        if not envelope.in_reply_to:
            return self._unasked(record, message, envelope.key, envelope.conversation)
        if isinstance(message, durable_pb2.Fault):
            return inputs.Faulted(envelope.in_reply_to, message.error)
        if isinstance(message, durable_pb2.Undone):
            return inputs.NothingToUndo(envelope.in_reply_to, message.reason)
        return inputs.Answered(envelope.in_reply_to, message)

    def _unasked(self, record: saga_pb2.SagaRecord, message: Message, key: str, conversation: bytes) -> inputs.Input:
        start = self._starts.get(type(message))
        if start is None or record.definition:
            return inputs.Unmatched(full_name(type(message)), starts=start is not None)
        return inputs.Start(self._begin(start, message, key), conversation)

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


def _subscription(kind: str, start: On) -> Subscription:
    contract = contract_of(start.event_type)
    field, value = check_condition(start.event_type, dict(start.where), kind)
    return Subscription(contract.name, kind, start.key or contract.key_field, kind, True, field, value)


def _accepted(definition: Definition) -> frozenset[str]:
    own = (durable_pb2.Fault, durable_pb2.Undone, durable_pb2.TimerFired)
    types: list[type[Message]] = [
        *own,
        saga_pb2.CancelSaga,
        saga_pb2.RetrySaga,
        *(start.event_type for start in definition.starts),
    ]
    for step in definition.steps:
        types += [*step.meanings, *step.undone]
    return frozenset(full_name(one) for one in types)


def _check_step_names(cls: type[Saga[Any]]) -> None:
    """Before anything is set on the class."""
    for name in sorted({*vars(Saga), *Saga.__annotations__} - {"flow"}):
        if isinstance(inspect.getattr_static(cls, name, None), Step):
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: every saga has something of this name; give the step another"
            )


def _declared_starts(cls: type[Saga[Any]]) -> tuple[On, ...]:
    several = cls.started_by if isinstance(cls.started_by, tuple) else (cls.started_by,)
    if not several or not all(isinstance(one, On) for one in several):
        raise InvalidDefinition(f"{cls.__name__} needs started_by = on(SomeEvent, begin), one or several")
    for one in several:
        where = f"{cls.__name__}.started_by"
        message_types(one.event_type, where)
        if one.key and not isinstance(one.key, str):
            raise InvalidDefinition(f"{where}: key is the dotted name of a field of the event, not {one.key!r}")
        if not isinstance(one.where, Mapping):
            raise InvalidDefinition(f"{where}: where is a field's name and its value, not {one.where!r}")
    return several


def _declared_steps(cls: type[Saga[Any]]) -> dict[str, Step]:
    found: dict[str, Step] = {}
    for base in reversed(cls.__mro__):
        found.update({name: value for name, value in vars(base).items() if isinstance(value, Step) and name != "flow"})
    names: dict[Step, str] = {}
    for name, step in found.items():
        if step in names:
            raise InvalidDefinition(f"{cls.__name__}.{name} is the same step as {cls.__name__}.{names[step]}")
        names[step] = name
    return found


def _declared_flow(cls: type[Saga[Any]]) -> Flow:
    flow = getattr(cls, "flow", None)
    if not isinstance(flow, Flow | Step) or (isinstance(flow, Flow) and not flow.steps):
        raise InvalidDefinition(f"{cls.__name__} needs a flow: its steps joined by >>")
    flow = Flow.of(flow)
    if not all(isinstance(one, Step) for one in flow.steps):
        raise InvalidDefinition(f"{cls.__name__}.flow holds what is no step; it is steps joined by >>")
    for name, step in _declared_steps(cls).items():
        if step not in flow.steps:
            raise InvalidDefinition(
                f"{cls.__name__}.{name}: the step is declared, and not in the flow; join it by >>, or take it out"
            )
    return flow


def _declared_closing(cls: type[Saga[Any]]) -> dict[str, Step]:
    """The commands that close a compensation, as steps named compensated, or compensated_1 and so on."""
    commands = cls.compensated if isinstance(cls.compensated, tuple) else (cls.compensated,)
    by = cls.compensated_by
    confirmed: tuple[Any, ...] = (by,) if len(commands) == 1 else by if isinstance(by, tuple) else (by,)
    if len(confirmed) != len(commands) or not all(confirmed):
        raise InvalidDefinition(
            f"{cls.__name__}.compensated has {len(commands)} commands; name for each the answer that confirms it "
            "(compensated_by=...): a saga is compensated when those concerned have said so"
        )
    check_span(cls.compensated_within, "compensated_within is finite and above 0", cls.__name__)
    names = ["compensated"] if len(commands) == 1 else [f"compensated_{n + 1}" for n in range(len(commands))]
    return {
        name: Step(do=command, done=answers, timeout=cls.compensated_within, budget=Budget())
        for name, command, answers in zip(names, commands, confirmed, strict=True)
    }
