"""What a kind of durable actor does with one message: the seam between the turn and services, sagas, choreographies.

    turn ──Delivery, state──▶ Behaviour.handle ──Decision──▶ turn builds one Transition of many decisions

A behaviour decides and does nothing: what it wants to happen is in the Decision, and happens after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from google.protobuf.message import Message

from runtime.durations import Span, check_count, check_span, in_seconds, shown
from runtime.envelope import Envelope
from runtime.errors import InvalidDefinition
from runtime.former_names import formerly
from runtime.protos import durable_pb2
from runtime.record import record
from runtime.store.records import Outcome, Subscription
from runtime.store.summaries import ActorSummary

__all__ = [
    "HANDLER_TIMEOUT",
    "Behaviour",
    "CancelTimer",
    "Decision",
    "Delivery",
    "Lack",
    "LetsTimersMove",
    "LooksUp",
    "MakeSummary",
    "Named",
    "NextId",
    "Outgoing",
    "RetryPolicy",
    "SetTimer",
    "StepOutcome",
    "Unreached",
    "Versioned",
    "carried",
    "check_retries",
    "reaches_all",
]

HANDLER_TIMEOUT = "handler_timeout is a span above 0"


@formerly(delays_s="delays", timer_pause_s="timer_pause", handler_timeout_s="handler_timeout")
@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failing handler runs: (immediate + 1) x (len(delays) + 1) times, then its message is parked.

    With the defaults, 3 runs at once, and 3 more after about 1, 5 and 30 seconds each: 12 in all. A run that used
    its time up is followed by the next delay, so that it is told soon; the runs are as many.
    """

    immediate: int = 2
    delays: tuple[Span, ...] = (1.0, 5.0, 30.0)
    jitter: float = 0.2  # each delay is longer or shorter by up to this share
    timer_pause: Span = 0.0  # after which a timer comes again whose runs have all failed; 0: it is given up
    handler_timeout: Span = 0.0  # a run that waits for longer is cancelled and has failed; 0: the node's setting
    delays_s: tuple[float, ...] = field(init=False, repr=False, compare=False)
    timer_pause_s: float = field(init=False, repr=False, compare=False)
    handler_timeout_s: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """What is no span stays as it is: the class that it is given to refuses it, by its name."""
        delays: object = self.delays
        in_s = tuple(map(in_seconds, delays)) if isinstance(delays, tuple | list) else delays
        object.__setattr__(self, "delays_s", in_s)
        object.__setattr__(self, "timer_pause_s", in_seconds(self.timer_pause))
        object.__setattr__(self, "handler_timeout_s", in_seconds(self.handler_timeout))

    @property
    def runs_max(self) -> int:
        return (self.immediate + 1) * (len(self.delays_s) + 1)


def check_retries(retries: object, where: str) -> None:
    """Raises InvalidDefinition unless a handler can be retried by this."""
    if not isinstance(retries, RetryPolicy):
        raise InvalidDefinition(f"{where}: retries are a RetryPolicy, not {shown(retries)}")
    check_count(retries.immediate, "retries.immediate is how often it runs again at once", where, least=0, most=1000)
    if not isinstance(retries.delays_s, tuple | list):
        raise InvalidDefinition(f"{where}: retries.delays is a tuple of spans, not {shown(retries.delays_s)}")
    for delay_s in retries.delays_s:
        check_span(delay_s, "each of retries.delays is finite and not below 0", where, or_none=True)
    jitter: object = retries.jitter
    if not isinstance(jitter, int | float) or isinstance(jitter, bool) or not 0 <= jitter <= 1:
        raise InvalidDefinition(f"{where}: retries.jitter is a share from 0 to 1, not {shown(jitter)}")
    check_span(retries.timer_pause_s, "retries.timer_pause is finite and not below 0", where, or_none=True)
    check_span(retries.handler_timeout_s, HANDLER_TIMEOUT, where, or_none=True)


NextId = Callable[[str, bytes], bytes]
"""Gives the id of the next outgoing message, for its destination `kind/key` and what it says (`content_of`)."""

Unreached = Callable[[Message], str]
"""Says why an event cannot be published: one of its subscribers would not know by which key. Empty if all would."""


def reaches_all(_event: Message) -> str:
    """Where nobody else subscribes, as in a test of one saga, every event can be published."""
    return ""


@record(frozen=True, slots=True)
class Delivery:
    """One message as a behaviour gets it."""

    envelope: Envelope
    message: Message  # decoded body
    now_s: float  # the turn's instant; the same for all a turn does
    attempts: int  # failed runs before this one
    revision: int  # of the actor before this turn; 0 when there is no row yet
    next_id: NextId  # the id of the next outgoing message
    do_failed: bool = False  # of an undo: its do ran, failed and was given up, so that nothing of it is in the state
    body_bytes_max: int = 0  # of a message that may be sent; 0 for no limit
    state_bytes_max: int = 0  # of the actor's state; 0 for no limit
    unreached: Unreached = reaches_all  # of an event that would be published
    message_id: bytes = (
        b""  # by which handlers know it, if not the envelope's: of a retried timer, that of its first try
    )
    timers: Mapping[str, durable_pb2.Timer] | None = None  # that the actor has, by name
    traceparent: str = ""  # of the span that this handling is; of an untraced one, what its client has said
    counts_outcomes: bool = True  # whether anybody reads Decision.outcomes


@record(frozen=True, slots=True)
class Outgoing:
    """A message to send after the commit: a command to its kind, or an event to its subscribers (and who asked)."""

    message: Message
    kind: str = ""  # destination; empty: the contract's
    key: str = ""
    id: bytes = b""  # from Delivery.next_id when the sender has to know it; else assigned
    due_at_s: float = 0.0
    is_answer: bool = True  # of an event: what a client that waits is told; False: it comes beside the answer
    is_published: bool = False  # of an event: to whoever listens, in a conversation of its own, and to nobody who asks
    wants_reply: bool = False  # the events its handler returns, or its fault, come back to this actor
    undo_of: bytes = b""
    refusals: tuple[str, ...] = ()  # of an undo: answers of its do after which nothing is left to undo
    dones: tuple[str, ...] = ()  # of an undo: answers of its do after which it is owed, whatever came beside them
    earlier_undos: tuple[bytes, ...] = ()  # of an undo: ids of those by which the same was asked for before
    undones: tuple[str, ...] = ()  # of an undo: its own answers that confirm it; after any other it is owed as before
    begun: bool = False  # of an undo: a command before the one that it names was answered, so that there is an effect
    in_reply_to: bytes = b""  # of an answer to an actor that is not who sent the message that is handled
    body: bytes = b""  # the message's bytes, of a sender that has made them (`body_of`); else they are made


@record(frozen=True, slots=True)
class SetTimer:
    """Deliver a message to this actor later; a timer of the same name is replaced."""

    name: str
    due_at_s: float
    message: Message | None = None  # None: amends.TimerFired
    after_mail: bool = False  # it fires only once nothing lies in the actor's mail, but for dead letters


@record(frozen=True, slots=True)
class CancelTimer:
    name: str


MakeSummary = Callable[[Message, ActorSummary | None], ActorSummary | None]
"""Makes what the state says in columns, once a turn; it gets the summary of the turn before. None: as before."""


@record(frozen=True, slots=True)
class StepOutcome:
    """What a step, or its undo, has come to, in words that are few, to be counted. Its kind knows which there are."""

    step: str  # its name in the definition
    outcome: str
    is_undo: bool = False


@record(frozen=True, slots=True)
class Decision:
    """What handling one message leads to."""

    outgoing: tuple[Outgoing, ...] = ()
    timers: tuple[SetTimer | CancelTimer, ...] = ()
    outcome: Outcome = Outcome.HANDLED
    note: str = ""  # why, for outcomes other than HANDLED; kept in the history
    answer: Message | None = None  # to the client's call that waits; None: the first event
    ended: bool = False  # nothing more is expected: leave memory after the commit
    alarm: str = ""  # what a person has to see to; reported after the commit
    summary: MakeSummary | None = None  # of an actor that tells of itself beside its state
    keeps_input: bool = False  # the history keeps what the message said, so that the actor can be run over it again
    renamed: Mapping[str, str] | None = None  # timers that have another name from now on, by the old one
    outcomes: tuple[StepOutcome, ...] = ()  # of a process with steps: what has come of them by this message


class Behaviour(Protocol):
    """A kind of durable actor. One object serves all actors of its kind, so it keeps no state of its own."""

    @property
    def kind(self) -> str: ...

    @property
    def state_type(self) -> type[Message]: ...

    @property
    def process(self) -> str:
        """The process its messages belong to; empty for a kind that drives none and passes on what it got."""
        ...

    @property
    def retries(self) -> RetryPolicy: ...

    @property
    def subscriptions(self) -> tuple[Subscription, ...]: ...

    @property
    def accepts(self) -> frozenset[str]:
        """Full names of the message types it has a handler for; others are parked as dead letters."""
        ...

    def handle(self, state: Message, delivery: Delivery) -> Coroutine[object, object, Decision]:
        """Decide. `state` is a copy that may be changed in place: it is the new state when this returns normally.

        An exception means that the handler failed: state and decision are dropped, and the retry policy applies.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lack:
    """Why this build cannot handle a message, and what one has to carry that can."""

    reason: str
    needs: str  # as in Versioned.carries
    is_begun: bool  # by another version, which is sure then; else another one may know the message, or none


@runtime_checkable
class Named(Protocol):
    """A kind whose handlers have names."""

    def name_of(self, type_: str, process: str) -> str:
        """The handler of messages of this type that belong to this process, as its author knows it: Payments.pay."""
        ...


@runtime_checkable
class LetsTimersMove(Protocol):
    """A kind that needs none of its timers to go on: operators may move and cancel each. See turn/timer_act.py."""

    @property
    def lets_timers_move(self) -> bool: ...


@runtime_checkable
class LooksUp(Protocol):
    """A kind that can ask an outside system what became of a command: see runtime/durable/look_up.py."""

    def looks_up(self, command: type[Message]) -> bool:
        """Whether it can, of commands of this type."""
        ...

    def look_up(self, state: Message, delivery: Delivery) -> Coroutine[object, object, Decision | None]:
        """What the handler of this command has decided, as the outside system knows; None: it never ran, nor will.

        An exception means that nobody can tell now: state and decision are dropped, and the retry policy applies.
        """
        ...


@runtime_checkable
class Versioned(Protocol):
    """A kind of which builds may have different versions, each with actors of its own."""

    @property
    def carries(self) -> tuple[str, ...]:
        """What this build has and others may lack: KIND/VERSION, and KIND<TYPE for each type that begins an actor."""
        ...

    @property
    def described(self) -> tuple[str, bytes]:
        """The version with which this build begins actors, and what it is: kept in the store for other builds."""
        ...

    def lacks(self, state: Message, key: str, type_: str) -> Lack | None:
        """What this build lacks to handle mail of this type for this actor, if another one can."""
        ...


def carried(behaviours: Iterable[Behaviour]) -> tuple[str, ...]:
    """What a node that hosts these says of itself, as NodeRow.carries has it."""
    found: list[str] = []
    for one in behaviours:
        found += one.carries if isinstance(one, Versioned) else [f"{one.kind}<{type_}" for type_ in sorted(one.accepts)]
    return tuple(found)
