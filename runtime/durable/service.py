"""Services: durable actors that own business state, written as methods that return events.

    class Payments(Service[PaymentState], kind="payments"):
        async def pay(self, command: Pay) -> Paid | CardDeclined: ...

The signature is the contract: the one parameter's type says what the method handles, the return annotation says what
can come of it. What handlers need of the world outside are parameters of `__init__`, which the catalogue fills; see
`provided`. Handlers are tested by calling them: `Payments.of(PaymentState(), key="T-1", bank=FakeBank()).pay(command)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from google.protobuf.message import Message

from runtime.durable.behaviour import (
    HANDLER_TIMEOUT,
    CancelTimer,
    RetryPolicy,
    SetTimer,
    check_retries,
)
from runtime.durable.declared import Declared, state_type_of, take_options
from runtime.durable.effects import Effects, check_effects
from runtime.durable.handlers import HandlerSpec, check_names, handlers_of
from runtime.durable.look_up import LookUp
from runtime.durable.provided import Need, has_init, needs_of
from runtime.durable.read_look_up import look_ups_of
from runtime.durable.results import check_delay
from runtime.durable.standing_timers import due_times, message_of, standing
from runtime.durations import Span, check_span, in_seconds
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.former_names import formerly as formerly_called
from runtime.kind_names import names_of_kind
from runtime.protos import durable_pb2

__all__ = ["HandlerSpec", "Service"]

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
    effects: ClassVar[Effects] = "any"
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
        effects: Effects = "any",
        **rest: Any,
    ) -> None:
        """`formerly`: names that the kind had, the first one first; never take one out again.

        `handler_timeout`: a handler that waits for longer is cancelled and has failed; 0: the node's setting.
        `effects`: "none" says that handlers change nothing but `state`. Then they may run before the turn that has led
        to them is committed, which takes fewer commits; if that is refused they run again.
        """
        where = f"service {cls.__name__}"
        take_options(super().__init_subclass__, rest, where, "kind, formerly, retries, handler_timeout and effects")
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
        cls.effects = check_effects(effects, where, needs)
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
