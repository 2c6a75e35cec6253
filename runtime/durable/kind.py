"""All that the turns of one kind have in common on one node, gathered once so that a turn looks nothing up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from google.protobuf.message import Message

from runtime.config import Settings
from runtime.contracts import Contracts, field_text, meets
from runtime.durable.behaviour import Behaviour, Versioned
from runtime.durable.carriers import Carriers
from runtime.durable.traces.tracing import KindTracing
from runtime.envelope import Envelope, check_key
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.ports import Fact, Ports
from runtime.store.port import ActorStore
from runtime.store.records import ClusterView, Subscription

__all__ = ["Kind", "Limits", "MessageParked", "NobodyListens", "Subscribers", "SweepFailed", "key_for"]


@dataclass(frozen=True, slots=True)
class NobodyListens(Fact):
    """An event that nobody listens to in its process, said once. Where it is meant, a choreography has it in `ends`."""

    level: ClassVar[str] = "warning"
    address: str  # of who said it first
    message: str
    process: str  # empty: no process drives the conversation


@dataclass(frozen=True, slots=True)
class SweepFailed(Fact):
    level: ClassVar[str] = "warning"
    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class MessageParked(Fact):
    level: ClassVar[str] = "error"
    address: str
    message: str
    id: str
    attempts: int
    error: str
    conversation: str
    trace: str  # empty: it is not traced


_TURNS_A_RENEWAL = 4  # of full length: a lease never waits for the end of a turn


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of durable actors. Beyond each, mail stays in the store until later; only size is a reason to refuse."""

    shards_per_kind: int = 16
    message_bytes_max: int = 1 << 20  # size of one message's body; a larger one is refused before it is stored
    mailbox_max: int = 1000  # messages of one actor in memory
    turn_messages_max: int = 64  # messages that one turn handles
    turn_bytes_max: int = 1 << 20
    chain_messages_max: int = 256  # messages that are handled before the turn that has led to them is committed
    turn_s: float = 0.1  # a turn that has lasted so long takes up no more messages; the next turn begins with them
    state_bytes_max: int = 16 << 20  # size of one actor's state; a handler that makes it larger has failed
    activations_max: int = 5000  # actors in memory; idle ones leave first
    idle_s: float = 10.0  # without a message for this long, an actor leaves memory
    sweep_s: float = 1.0  # pause between two looks for mail that nobody pushed
    node_deaths_max: int = 3  # a message is parked after so many nodes may have died over it
    handler_timeout_s: float = 60.0  # how long a handler may wait, unless its service says otherwise
    version_wait_s: float = 86_400.0  # how long mail waits for a build that has its saga's version
    retention_s: float = 7 * 86_400.0  # how long handled messages are remembered

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The bounds that the settings of a node name as limits do."""
        same = {one.name: getattr(settings, one.name) for one in fields(cls) if one.name != "turn_s"}
        return cls(**same, turn_s=settings.renew_s / _TURNS_A_RENEWAL)


_UNHEARD_MAX = 1000
_OWN = "amends."  # the package of the runtime's own messages


class Subscribers:
    """Who wants an event, by its type: what this node's catalogue says, and what the last view of the cluster does.

    `ends` are pairs of a process and an event that nobody has to listen to in it; `settling` of a process and an event
    that settles its conversation. `several` are events that start more than one process, with those in order.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription] = (),
        ends: Iterable[tuple[str, str]] = (),
        settling: Iterable[tuple[str, str]] = (),
        several: Iterable[tuple[str, tuple[str, ...]]] = (),
    ) -> None:
        self._by_type: dict[str, list[Subscription]] = {}
        self._ends = frozenset(ends)
        self._settling = frozenset(settling)
        self._several = dict(several)
        self._told: set[tuple[str, str]] = set()
        self._own = tuple(subscriptions)
        self._index(self._own)

    def learn(self, view: ClusterView) -> None:
        """Take the durable subscriptions of all nodes beside this node's own."""
        self._index((*self._own, *view.subscriptions))

    def _index(self, subscriptions: Sequence[Subscription]) -> None:
        by_type: dict[str, list[Subscription]] = {}
        for one in dict.fromkeys(subscriptions):
            by_type.setdefault(one.event_type, []).append(one)
        self._by_type = by_type

    @property
    def choreographies(self) -> tuple[str, ...]:
        """The names of the processes that nobody drives: what a saga subscribes to belongs to its own kind."""
        found = {one.process for some in self._by_type.values() for one in some if one.process not in ("", one.kind)}
        return tuple(sorted(found))

    def begins(self, process: str, kind: str, name: str) -> bool:
        """Whether a process begins when this kind handles this event in it."""
        wanted = self._by_type.get(name, ())
        return any(one.starts and one.process == process and one.kind == kind for one in wanted)

    def settles(self, process: str, name: str) -> bool:
        """Whether a conversation of the process is settled when this event is said in it."""
        return (process, name) in self._settling

    def of(self, name: str, event: Message, process: str) -> list[Subscription]:
        """Who gets an event in a conversation that `process` drives; the process is empty when none drives it yet."""
        wanted = self._by_type.get(name)
        if wanted is None:
            return []
        return [one for one in wanted if _reaches(one, event, process)]

    def unreached(self, event: Message) -> str:
        """See Unreached: of an event in a conversation that no process drives yet."""
        for one in self.of(event.DESCRIPTOR.full_name, event, ""):
            try:
                if one.key_field:
                    key_for(one, event)
            except (InvalidMessage, InvalidDefinition) as error:  # The message type may be older than the subscriber's.
                return str(error)
        return ""

    def apart(self, name: str, wanted: Sequence[Subscription], *, is_late: bool = False) -> Sequence[str]:
        """Of processes that one event starts, those that begin in conversations of their own: all but the first.

        `is_late`: all of them, since the conversation may have got its driver before the event was said.
        What another build has not declared here has its place behind, by name: no conversation ever gets two drivers.
        """
        if len(wanted) < 2 and not is_late:
            return ()
        starting = {one.process for one in wanted if one.process and one.starts}
        if is_late:
            return sorted(starting)
        if len(starting) < 2:
            return ()
        declared = [one for one in self._several.get(name, ()) if one in starting]
        return [*declared, *sorted(starting - set(declared))][1:]

    def is_end(self, name: str, process: str) -> bool:
        """Whether nobody has to listen: it is declared so, or it is the runtime's own answer to an operator."""
        return (process, name) in self._ends or name.startswith(_OWN)

    def is_news(self, name: str, process: str) -> bool:
        """Whether nobody was told yet that nobody listens to this event; from now on somebody was.

        Beyond a thousand such pairs nothing is news any more.
        """
        if (process, name) in self._told or len(self._told) >= _UNHEARD_MAX:
            return False
        self._told.add((process, name))
        return True


def key_for(one: Subscription, event: Message) -> str:
    """The key of the actor that gets an event by a subscription with a key field. Raises InvalidMessage."""
    name = event.DESCRIPTOR.full_name
    key = field_text(event, one.key_field)
    if not key:
        raise InvalidMessage(f"{name} has no {one.key_field}, by which {one.kind} would receive it; set that field")
    return check_key(key, name, one.key_field)


def _reaches(subscription: Subscription, event: Message, process: str) -> bool:
    if not subscription.process or subscription.process == process:
        return True
    if process or not subscription.starts:
        return False
    return not subscription.where_field or meets(event, subscription.where_field, subscription.where_value)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of durable actor on one node."""

    behaviour: Behaviour
    contracts: Contracts
    subscribers: Subscribers
    store: ActorStore
    ports: Ports
    limits: Limits
    node: str  # name@incarnation, as written into history
    carriers: Carriers
    tracing: KindTracing | None = None  # None: nothing is traced
    is_watched: bool = True  # whether anybody can read what its turns have come to

    @property
    def name(self) -> str:
        return self.behaviour.kind

    @property
    def versioned(self) -> Versioned | None:
        """Its behaviour, if builds may have different versions of that."""
        return self.behaviour if isinstance(self.behaviour, Versioned) else None

    def begun_by(self, message: Envelope) -> str:
        """The choreography that begins by it: by the event that starts it, or as a client has asked; or empty."""
        process = message.process
        if not process or self.behaviour.process:
            return ""
        begins = not message.sender or self.subscribers.begins(process, self.name, message.type)
        return process if begins else ""

    def unheard(self, address: str, name: str, process: str) -> Fact:
        """That nobody listens to an event which this actor has said."""
        return NobodyListens(address, name, process)

    def parked(
        self, address: str, message: str, id: bytes, attempts: int, error: str, conversation: bytes, trace: str = ""
    ) -> Fact:
        """That a message is a dead letter now."""
        return MessageParked(address, message, id.hex(), attempts, error, conversation.hex(), trace)

    def sweep_failed(self, error: str) -> None:
        self.ports.report(SweepFailed(self.name, error))

    def report(self, facts: Iterable[Fact]) -> None:
        """Report facts; that nobody listens to an event is reported once."""
        for fact in facts:
            if not isinstance(fact, NobodyListens) or self.subscribers.is_news(fact.message, fact.process):
                self.ports.report(fact)

    def lacks(self, state: Message, envelope: Envelope) -> str:
        """Why this build cannot handle mail of an actor, if another one can; else empty.

        A client that sends to an actor which has not begun what no version takes has made a mistake, and is told so at
        once. An event comes only to a kind that has subscribed to it. A service has one version: what it does not know
        waits while a live node says that it does.
        """
        versioned = self.versioned
        if versioned is None:
            return self._lacks_handler(envelope)
        lack = versioned.lacks(state, envelope.key, envelope.type)
        return lack.reason if lack is not None and (lack.is_begun or envelope.sender) else ""

    def _lacks_handler(self, envelope: Envelope) -> str:
        if envelope.type in self.behaviour.accepts:
            return ""
        others = [name for name, _ in self.carriers.of(f"{self.name}<{envelope.type}")]
        if not others:
            return ""
        return (
            f"this build of {self.name} has no handler for {envelope.type}, and that of {', '.join(others)} has: "
            "nothing was done, until the node that owns it has such a build, too"
        )

    def waits_too_long(self, envelope: Envelope, turn_s: float = math.inf) -> bool:
        """Whether mail has waited for its version for as long as it may. A timer may wait for ever.

        `turn_s` is the instant of a turn that would give the mail up: that takes two readings of the clock.
        """
        age_s = min(self.ports.clock.now_s(), turn_s) - max(envelope.sent_at_s, envelope.due_at_s)
        return not envelope.timer and age_s >= self.limits.version_wait_s
