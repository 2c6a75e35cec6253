"""What a committed turn causes, in one place and in this order; nothing of it happens before the turn is in the store.

Activation ──draft──▶ Release ──▶ RecentlyHandled, Throttle, BacklogReader     here: what is taken next, and when
                         └─────▶ Outlet: messages, answers, timers, watchers   elsewhere
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from google.protobuf.message import Message

from runtime.durable.residence.admission import RecentlyHandled, Throttle
from runtime.durable.residence.turn_counts import TurnCounts
from runtime.durable.turn.draft import Draft
from runtime.envelope import Address, Envelope, address_of
from runtime.ports import Fact, Ports
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow

if TYPE_CHECKING:
    from runtime.durable.residence.activation import Activation

__all__ = ["ActorNeedsHelp", "Outlet", "Release"]


@dataclass(frozen=True, slots=True)
class ActorNeedsHelp(Fact):
    """An actor came to rest where only a person can help; what it says is in its state as well."""

    level: ClassVar[str] = "error"
    address: str
    reason: str
    conversation: str
    trace: str  # empty: what it needs help with is not traced


class Outlet(Protocol):
    """The way from a turn to everybody else."""

    def is_here(self, envelope: Envelope) -> bool:
        """Whether a message goes to an actor of this node."""

    def expect(self, envelope: Envelope) -> None:
        """The actor that a message goes to may be borrowed soon. Rows of several such actors are read together."""

    def borrow(self, envelope: Envelope) -> Activation | None:
        """The actor that a message goes to, for a chain alone, if it is idle and may handle what is no mail."""

    def route(self, envelope: Envelope) -> None: ...

    def answer(self, call: str, message: Message | None, fault: str, id: bytes) -> None: ...

    def arm_timers(self, row: ActorRow, timers: Iterable[durable_pb2.Timer]) -> None: ...

    def tell_watchers(self, row: ActorRow) -> None: ...


class Release:
    """Of one kind on one node. Call it with the draft of a turn that has committed.

    `put_off` has an actor's mail wait until an instant.
    """

    def __init__(self, kind: str, ports: Ports, outlet: Outlet, put_off: Callable[[Address, int, float], None]) -> None:
        self.handled = RecentlyHandled()
        self.throttle = Throttle(kind, ports)
        self.counts = TurnCounts()
        self._clock = ports.clock
        self._outlet = outlet
        self._put_off = put_off

    def __call__(self, draft: Draft) -> None:
        if draft.kind.is_watched:
            self.counts.add(draft, self._clock.monotonic_s())
        if draft.traces and draft.kind.tracing is not None:
            draft.kind.tracing.committed(draft)
        if draft.consumed:
            self.handled.add(draft.consumed)
        if draft.never_to_run:
            self.handled.add(draft.never_to_run)
        if draft.failed:
            self.throttle.failed()
        else:
            self.throttle.succeeded()
        if draft.blocked_until_s:
            self._put_off(draft.address, draft.shard, draft.blocked_until_s)
        outlet = self._outlet
        for envelope in draft.outgoing:
            outlet.route(envelope)
        for answer in draft.answers:
            outlet.answer(answer.to, answer.message, answer.fault, answer.id)
        row = draft.row_after
        assert row is not None
        if draft.timers:
            outlet.arm_timers(row, draft.timers.values())
        outlet.tell_watchers(row)
        if draft.facts:
            draft.kind.report(draft.facts)
        if draft.alarm:
            where, trace = address_of(*draft.address), draft.trace_of(draft.last_message_id)
            draft.kind.ports.report(ActorNeedsHelp(where, draft.alarm, row.conversation.hex(), trace))
