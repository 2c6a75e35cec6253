"""Services: durable actors that own business state, written as methods that return events.

    class Payments(Service[PaymentState], kind="payments"):
        async def pay(self, command: Pay) -> Paid | CardDeclined: ...

The signature is the contract: the one parameter's type says what the method handles, the return annotation says what
can come of it. What handlers need of the world outside are parameters of `__init__`, which the catalogue fills; see
`provided`. Handlers are tested by calling them: `Payments.of(PaymentState(), key="T-1", bank=FakeBank()).pay(command)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from google.protobuf.message import Message

from runtime.contracts import meets, names_of
from runtime.durable.behaviour import (
    HANDLER_TIMEOUT,
    CancelTimer,
    Decision,
    Delivery,
    RetryPolicy,
    SetTimer,
    check_retries,
)
from runtime.durable.declared import Declared, state_type_of, take_options
from runtime.durable.handlers import HandlerSpec, check_names, handlers_of
from runtime.durable.look_up import LookUp, absent_or
from runtime.durable.provided import Need, Provided, has_init, needs_of
from runtime.durable.reaction import Reaction, command_of
from runtime.durable.read_look_up import look_ups_of
from runtime.durable.results import check_delay, command_of_reaction, outgoing_of, take_state
from runtime.durable.standing_timers import NONE, due_times, message_of, others, standing
from runtime.durations import Span, check_span, in_seconds
from runtime.errors import FinalError, InvalidDefinition, InvalidMessage
from runtime.former_names import formerly as formerly_called
from runtime.kind_names import names_of_kind
from runtime.protos import durable_pb2
from runtime.store.records import Outcome

__all__ = ["HandlerSpec", "Service", "ServiceBehaviour"]

_TIMER_FIRED = durable_pb2.TimerFired()

StateT = TypeVar("StateT", bound=Message)
"""The type of a service's state."""


class _ServiceType(Declared):
    """See Declared."""

    def __init__(self, name: str, bases: tuple[type, ...], body: Any, **options: Any) -> None:
        super().__init__(name, bases, body)
        if self.__abstractmethods__:
            missing = ", ".join(sorted(self.__abstractmethods__))
            raise InvalidDefinition(f"service {name} has no {missing}, so that no message could be handled; write it")

    @staticmethod
    def declares(name: str, value: object) -> bool:
        """See Declared."""
        return inspect.iscoroutinefunction(value)


class Service(Generic[StateT], metaclass=_ServiceType):
    """Base of services. One object serves one message of one actor; what is kept lies in `state`.

    A handler is offered:

    state       the actor's state: change it, or put another in its place
    key         the actor's key
    now_s       the time in seconds since 1970, the same for all of one turn; read no other clock
    message_id  16 bytes, the same when the message is handled again: the idempotency key for effects outside
    do_failed   of an undo: its do failed whenever it ran. The state has nothing of it; outside there may be some
    traceparent where this handling stands in a trace, as W3C has it, for calls outside; empty where nobody traces
    set_timer   have a message delivered to this actor later; move_timer and cancel_timer change that, timers lists them

    They are set before `__init__` runs, which takes what the catalogue provides.
    """

    kind: ClassVar[str] = ""
    kind_names: ClassVar[tuple[str, ...]] = ()  # all that the kind has had; the store knows it by the first
    state_type: ClassVar[type[Message]]
    retries: ClassVar[RetryPolicy] = RetryPolicy()
    handlers: ClassVar[dict[str, HandlerSpec]] = {}
    look_ups: ClassVar[dict[str, LookUp]] = {}
    needs: ClassVar[tuple[Need, ...]] = ()
    _has_init: ClassVar[bool] = False

    state: StateT
    key: str
    now_s: float
    message_id: bytes
    do_failed: bool
    traceparent: str
    _timers: list[SetTimer | CancelTimer] | None
    _standing: Mapping[str, durable_pb2.Timer]

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        formerly: tuple[str, ...] = (),
        retries: RetryPolicy | None = None,
        handler_timeout: Span = 0.0,
        **rest: Any,
    ) -> None:
        """`formerly`: names that the kind had, the first one first; never take one out again.

        `handler_timeout`: a handler that waits for longer is cancelled and has failed; 0: the node's setting.
        """
        where = f"service {cls.__name__}"
        take_options(super().__init_subclass__, rest, where, "kind, formerly, retries and handler_timeout")
        cls.kind_names = names_of_kind(where, kind, formerly, "class X(Service[XState], kind='x')")
        state_type = state_type_of(cls, Service, where)
        check_names(cls, Service)
        needs = needs_of(cls, where, (*vars(Service), *Service.__annotations__))
        check_span(handler_timeout, HANDLER_TIMEOUT, where, or_none=True)
        cls.kind, cls.state_type, cls.retries = kind, state_type, cls.retries if retries is None else retries
        check_retries(cls.retries, where)
        if handler_timeout:
            cls.retries = replace(cls.retries, handler_timeout=handler_timeout)
        cls.needs, cls._has_init = needs, has_init(cls)
        cls.handlers = handlers_of(cls, Service)
        if not cls.handlers:
            raise InvalidDefinition(f"service {cls.__name__} handles nothing: it has no async method with one message")
        cls.look_ups = look_ups_of(cls, cls.handlers)

    @classmethod
    def of(
        cls,
        state: StateT | None = None,
        *,
        key: str = "test",
        now_s: float = 0.0,
        message_id: bytes = bytes(16),
        do_failed: bool = False,
        timers: Mapping[str, float] | None = None,
        **given: object,
    ) -> Self:
        """A service outside any runtime, to call handlers on. `given` is what its `__init__` takes, `timers` when
        each timer is due that the actor has.
        """
        first = cast(StateT, cls.state_type()) if state is None else state
        return cls._serving(first, key, now_s, message_id, do_failed, given, standing(timers or {}))

    @classmethod
    def _serving(
        cls,
        state: StateT,
        key: str,
        now_s: float,
        message_id: bytes,
        do_failed: bool,
        given: Mapping[str, object],
        timers: Mapping[str, durable_pb2.Timer],
        traceparent: str = "",
    ) -> Self:
        """The object that serves one message."""
        service = cls.__new__(cls)
        service.state, service.key, service.now_s = state, key, now_s
        service.message_id, service.do_failed = message_id, do_failed
        service._timers, service._standing, service.traceparent = None, timers, traceparent
        if cls._has_init or given:
            cls.__init__(service, **given)
        return service

    @formerly_called(delay_s="delay")
    def set_timer(self, name: str, delay: Span, message: Message | None = None) -> None:
        """Have `message` (or amends.TimerFired) delivered to this actor later; replaces the timer of that name.

        Raises InvalidMessage for what could not be delivered: the service needs a handler for the message.
        """
        delay_s = in_seconds(delay)
        check_delay(name, delay_s)
        brought: object = _TIMER_FIRED if message is None else message
        if isinstance(brought, Message) and brought.DESCRIPTOR.full_name not in self.handlers:
            title = brought.DESCRIPTOR.full_name
            raise InvalidMessage(
                f"the timer {name!r} would bring {title}, and {self.kind} has no handler for it; write one"
            )
        self._note_timer(SetTimer(name, self.now_s + max(0.0, delay_s), message))

    def move_timer(self, name: str, delay: Span) -> None:
        """Have a timer come at another time, with its message. Raises InvalidMessage if there is none of that name."""
        self.set_timer(name, delay, message_of(name, self._standing, self.timer_changes, self.handlers, self.kind))

    def cancel_timer(self, name: str) -> None:
        """Forget a timer; nothing happens if there is none of that name."""
        self._note_timer(CancelTimer(name))

    @property
    def timers(self) -> dict[str, float]:
        """When each timer of this actor is due, by name, as this handler has left them so far."""
        return due_times(self._standing, self.timer_changes)

    @property
    def timer_changes(self) -> tuple[SetTimer | CancelTimer, ...]:
        """What set_timer, move_timer and cancel_timer asked for, in order."""
        return tuple(self._timers or ())

    def _note_timer(self, change: SetTimer | CancelTimer) -> None:
        if self._timers is None:
            self._timers = []
        self._timers.append(change)


class ServiceBehaviour:
    """A service as the turn sees it, with the reactions that choreographies give its kind."""

    def __init__(
        self, service: type[Service[Any]], reactions: Sequence[Reaction] = (), provided: Provided | None = None
    ) -> None:
        self._service = service
        self._provided = provided or Provided({})
        self._given: dict[str, object] | None = None if service.needs else {}
        self._provided.want(service.needs)
        self._by_type = {spec.input_type: spec for spec in service.handlers.values()}
        self.kind = service.kind_names[0]  # as the store knows it
        self.reactions = tuple(self._own(reaction) for reaction in reactions)
        self._reactions = {(reaction.event_type, reaction.process): reaction for reaction in self.reactions}
        self.handlers = service.handlers
        self.look_ups = service.look_ups
        self.state_type = service.state_type
        self.process = ""
        self.retries = service.retries
        self.subscriptions = tuple(one for reaction in self.reactions for one in reaction.subscriptions())
        handled = {name for type_ in self._by_type for name in names_of(type_)}
        self.accepts = frozenset(handled) | {one.event_type for one in self.subscriptions}

    @property
    def lets_timers_move(self) -> bool:
        """See LetsTimersMove."""
        return True

    def given(self, provided: Provided) -> ServiceBehaviour:
        """The same for the services of one node, which share what is provided to them."""
        return ServiceBehaviour(self._service, self.reactions, provided) if self._service.needs else self

    def name_of(self, type_: str, process: str) -> str:
        """See Named."""
        for (event, name), reaction in self._reactions.items():
            if (event.DESCRIPTOR.full_name, name) == (type_, process):
                type_ = command_of(reaction)
        spec = self.handlers.get(type_)
        return self._service.__name__ + ("" if spec is None else f".{spec.name}")

    def _own(self, reaction: Reaction) -> Reaction:
        if reaction.kind not in self._service.kind_names:
            raise InvalidDefinition(f"a reaction of {reaction.kind} was given to {self.kind}")
        return replace(reaction, kind=self.kind)

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        message: Message = delivery.message
        reaction = self._reactions.get((type(message), delivery.envelope.process))
        if reaction is not None and not delivery.envelope.timer:
            meets_it = not reaction.only_field or meets(message, reaction.only_field, reaction.only_value)
            command = reaction.translate(message) if meets_it else None
            if command is None:
                return Decision(outcome=Outcome.IGNORED, note=f"{reaction.process}: nothing to do for this event")
            title = message.DESCRIPTOR.full_name
            where = f"{reaction.process}: the reaction of {self.kind} to {title}"
            message = command_of_reaction(command, reaction.command, delivery.envelope.key, where)
        handler = self._by_type.get(type(message))
        if handler is None:
            raise FinalError(f"{self.kind} has no handler for {message.DESCRIPTOR.full_name} outside a choreography")
        service = self._serving(state, delivery)
        result = await handler.function(service, message)
        if service.state is not state:
            take_state(state, service.state)
        return Decision(outgoing=outgoing_of(result, handler), timers=service.timer_changes)

    def looks_up(self, command: type[Message]) -> bool:
        """See LooksUp."""
        return command.DESCRIPTOR.full_name in self.look_ups

    async def look_up(self, state: Message, delivery: Delivery) -> Decision | None:
        """See LooksUp."""
        look_up = self.look_ups[delivery.message.DESCRIPTOR.full_name]
        service = self._serving(state, delivery)
        result = await look_up.function(service, delivery.message)
        if service.state is not state:
            take_state(state, service.state)
        said = absent_or(result, look_up)
        return None if said is None else Decision(outgoing=said, timers=service.timer_changes)

    def _serving(self, state: Message, delivery: Delivery) -> Service[Any]:
        """The object that serves one message."""
        envelope = delivery.envelope
        id = delivery.message_id or envelope.id
        if self._given is None:
            self._given = self._provided.given_to(self._service.needs)
        timers = others(delivery.timers, envelope.timer) if delivery.timers else NONE
        given, do_failed, now_s = self._given, delivery.do_failed, delivery.now_s
        trace = delivery.traceparent
        return self._service._serving(state, envelope.key, now_s, id, do_failed, given, timers, trace)
