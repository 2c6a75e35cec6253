"""What traces tell of turns: for each message that a turn has handled a span, told once the turn has committed.

    Turn.run ──messages──▶ begin ──▶ BegunSpan of each sampled one: its place, its parent or its links
    Sends    ──▶ what it causes says its place (Envelope.traceparent)
    Release  ──▶ committed ──▶ TurnSpan ──▶ export, wherever that leads
    LostRuns ──▶ lost ──▶ an event of the span to come

A conversation is sampled whole or not at all, by its id. A message's span is a child of the span that has sent it, as
long as that was a short hop. What comes later than that, or goes to more than one, begins a trace of its own, with a
link: else a trace would last for months. Which hops those are is a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol
from weakref import WeakValueDictionary
from zlib import crc32

from runtime.durable.behaviour import Behaviour
from runtime.durable.traces.place import SpanPlace, apart_of, is_of, read_place, span_of, trace_of
from runtime.envelope import Envelope
from runtime.ports import Clock
from runtime.record import record
from runtime.store.records import HistoryRow, MailRow, Outcome

__all__ = ["BegunSpan", "Hop", "KindTracing", "Tracing", "TurnSpan"]

_LOST_MAX = 1000  # Messages whose lost turns are remembered; beyond it those of the oldest are told nowhere.
_CRC_END = 1 << 32


class Hop(StrEnum):
    """A way to a handler that is no short one."""

    TIMER = "timer"
    RETRY = "retry"  # of a message that has failed in an earlier turn, or of a dead letter that was replayed
    DELAY = "delay"  # of a command that was sent for a later instant
    ACT = "act"  # of a client or an operator, into a conversation that there is already
    SUBSCRIBER = "subscriber"  # of an event, to who listens beside the process that it belongs to


@record(frozen=True, slots=True)
class TurnSpan:
    """The handling of one message by a turn that has committed. It names no key and has nothing of what was said."""

    place: SpanPlace
    parent: bytes  # Its span, which is in the same trace; empty for the first of a trace.
    links: tuple[SpanPlace, ...]
    kind: str
    type: str  # full name of the message's type
    message_id: bytes
    conversation: bytes
    undo_of: bytes  # The message that this one undoes; empty if it undoes none.
    attempt: int  # How many runs it took up to now.
    outcome: str  # as in the history; or `retried`, `parked`
    is_failed: bool
    began_at_s: float
    ended_at_s: float  # when the commit was known
    lost_at_s: tuple[float, ...]  # when turns over this message have come to nothing, as far as this node knows


class BegunSpan:
    """A message of a turn that is traced, while the turn runs and commits."""

    __slots__ = ("__weakref__", "began_at_s", "envelope", "failed_before", "links", "parent", "place")

    def __init__(
        self,
        envelope: Envelope,
        place: SpanPlace,
        parent: bytes,
        links: tuple[SpanPlace, ...],
        failed_before: int,
        at_s: float,
    ) -> None:
        self.envelope = envelope
        self.place = place
        self.parent = parent
        self.links = links
        self.failed_before = failed_before
        self.began_at_s = at_s


class TracedTurn(Protocol):
    """A turn's draft, as far as traces tell of it."""

    traces: Mapping[bytes, BegunSpan] | None

    @property
    def history(self) -> Sequence[HistoryRow]: ...

    @property
    def rescheduled(self) -> Sequence[MailRow]: ...


class Tracing:
    """Of one node. `ratio` of all conversations are traced; hops in `apart` begin traces of their own."""

    def __init__(self, ratio: float, apart: Iterable[Hop], clock: Clock, export: Callable[[TurnSpan], None]) -> None:
        self.below = int(ratio * _CRC_END)
        self.apart = frozenset(apart)
        self.clock = clock
        self.export = export
        self.running: WeakValueDictionary[bytes, BegunSpan] = WeakValueDictionary()  # by message id
        self._lost: dict[bytes, tuple[float, ...]] = {}

    def trace_of(self, envelope: Envelope) -> str:
        """The trace of a message that a handler runs for, in hex; empty if it is not traced."""
        traced = self.running.get(envelope.id)
        return "" if traced is None else traced.place.trace.hex()

    def lost(self, ids: Iterable[bytes]) -> None:
        """A turn that ran over these messages was not committed: no span, but an event of the one to come."""
        at_s = self.clock.now_s()
        for id in ids:
            self._lost[id] = (*self._lost.pop(id, ()), at_s)
        while len(self._lost) > _LOST_MAX:
            del self._lost[next(iter(self._lost))]

    def lost_before(self, id: bytes) -> tuple[float, ...]:
        """When turns over this message were lost; it is forgotten now."""
        return self._lost.pop(id, ()) if self._lost else ()


_NONE: Mapping[bytes, BegunSpan] = MappingProxyType({})


class KindTracing:
    """Of one kind on one node."""

    def __init__(self, tracing: Tracing, behaviour: Behaviour) -> None:
        self._tracing = tracing
        self._below = tracing.below
        self._kind = behaviour.kind
        self._listens = frozenset(one.event_type for one in behaviour.subscriptions)
        self._reacts = frozenset((one.event_type, one.process) for one in behaviour.subscriptions if one.process)
        self.lost = tracing.lost

    def begin(
        self, envelopes: Sequence[Envelope], attempts: Mapping[bytes, int], revision: int, now_s: float
    ) -> Mapping[bytes, BegunSpan]:
        """Those of a turn's messages that are traced, by id. `attempts` are failed runs of earlier turns."""
        below = self._below
        for one in envelopes:  # Each turn comes here, and most conversations are in no sample.
            if crc32(one.conversation) < below:
                return self._sampled(envelopes, attempts, revision, now_s)
        return _NONE

    def _sampled(
        self, envelopes: Sequence[Envelope], attempts: Mapping[bytes, int], revision: int, now_s: float
    ) -> Mapping[bytes, BegunSpan]:
        traced = {}
        for one in envelopes:
            if crc32(one.conversation) < self._below:
                begun = self._begun(one, attempts.get(one.id, 0), revision, now_s)
                traced[one.id] = self._tracing.running[one.id] = begun
        return traced

    def _begun(self, one: Envelope, failed_before: int, revision: int, now_s: float) -> BegunSpan:
        trace, sent = trace_of(one.conversation), read_place(one.traceparent)
        span = span_of(one.id, failed_before + 1, revision)
        links: tuple[SpanPlace, ...] = () if sent is None else (sent,)
        hop = self._hop(one, failed_before)
        if hop in self._tracing.apart:
            if hop is Hop.ACT:
                links = (*links, SpanPlace(trace, span_of(one.conversation)))
            return BegunSpan(one, SpanPlace(apart_of(trace, span), span), b"", links, failed_before, now_s)
        if sent is not None and one.cause and is_of(sent, trace):
            return BegunSpan(one, SpanPlace(sent.trace, span), sent.span, (), failed_before, now_s)
        return BegunSpan(one, SpanPlace(trace, span), b"", links, failed_before, now_s)

    def _hop(self, one: Envelope, failed_before: int) -> Hop | None:
        """None: a short one."""
        if one.timer:
            return Hop.TIMER
        if failed_before:
            return Hop.RETRY
        if one.due_at_s > one.sent_at_s:
            return Hop.DELAY
        if not one.cause:
            return Hop.ACT if one.id != one.conversation else None
        is_told = one.type in self._listens and not one.in_reply_to
        return Hop.SUBSCRIBER if is_told and (one.type, one.process) not in self._reacts else None

    def committed(self, turn: TracedTurn) -> None:
        """The turn is in the store: tell of each of its messages that was run, or given up."""
        traces, ended_at_s = turn.traces or {}, self._tracing.clock.now_s()
        for row in turn.history:
            if traced := traces.get(row.id):
                self._tell(traced, row.outcome, row.attempts, row.outcome is Outcome.FAULTED, ended_at_s)
        for mail in turn.rescheduled:
            traced = traces.get(mail.id)
            if traced is not None and mail.attempts > traced.failed_before:  # else it was put off without a run
                self._tell(traced, "parked" if mail.parked else "retried", mail.attempts, True, ended_at_s)

    def _tell(self, traced: BegunSpan, outcome: str, attempt: int, is_failed: bool, ended_at_s: float) -> None:
        one = traced.envelope
        self._tracing.export(
            TurnSpan(
                traced.place,
                traced.parent,
                traced.links,
                self._kind,
                one.type,
                one.id,
                one.conversation,
                one.undo_of,
                attempt,
                str(outcome),
                is_failed,
                traced.began_at_s,
                max(ended_at_s, traced.began_at_s),
                self._tracing.lost_before(one.id),
            )
        )
