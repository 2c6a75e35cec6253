"""The record of one turn while it is being written: state, what was consumed, what goes out, timers.

    turn ──one message after another──▶ Draft ──finish──▶ store.records.Transition, and the effects to release after it

Nothing here waits or acts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from google.protobuf.message import Message

from runtime.durable.behaviour import StepOutcome
from runtime.durable.kind import Kind
from runtime.durable.traces.tracing import BegunSpan
from runtime.durable.turn.stored_state import encoded_timers
from runtime.envelope import Address, Envelope, shard_of
from runtime.ports import Fact
from runtime.protos import durable_pb2
from runtime.record import record
from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, Outcome, Transition
from runtime.store.timer_conversations import other_conversations

__all__ = ["SENT_MAX", "ClientAnswer", "Draft"]

_POSITIONS = 1 << 16  # One transition can number so many messages.

SENT_MAX = _POSITIONS // 2
"""Messages that the handling of one message may send. A transition that has so many takes up no more."""


@record(frozen=True, slots=True)
class ClientAnswer:
    """What becomes known to the client's call that waits for a command."""

    to: str  # node#incarnation#call
    message: Message | None
    fault: str
    id: bytes


class Draft:
    """One transition in the making, for one actor."""

    __slots__ = (
        "_conversation",
        "_position",
        "_timers_changed",
        "address",
        "alarm",
        "answers",
        "begun_s",
        "blocked_until_s",
        "consumed",
        "ended",
        "facts",
        "failed",
        "given_up",
        "history",
        "kind",
        "last_message_id",
        "never_to_run",
        "now_s",
        "outcomes",
        "outgoing",
        "passed",
        "rescheduled",
        "revision",
        "row",
        "row_after",
        "shard",
        "state_bytes",
        "summary",
        "timers",
        "traces",
        "unposted",
    )

    def __init__(
        self,
        kind: Kind,
        address: Address,
        shard: int,
        row: ActorRow | None,
        timers: dict[str, durable_pb2.Timer],
        now_s: float,
    ) -> None:
        self.kind = kind
        self.address = address
        self.shard = shard
        self.row = row
        self.revision = 1 if row is None else row.revision + 1  # The actor has it once this has committed.
        # Never before the last commit of this actor, so that its messages keep their order over clock jumps.
        self.now_s = now_s if row is None else max(now_s, row.updated_at_s)
        self.timers = timers
        self.state_bytes = b"" if row is None else row.state
        self.last_message_id = b""  # The last message that was handled or put off has it.
        self.consumed: dict[bytes, Address] = {}  # By message id. The address is the same for all of one draft.
        self.never_to_run: dict[bytes, Address] = {}  # Dos that undos have ruled out, waiting or still to come.
        self.given_up: dict[bytes, None] = {}  # Those of the consumed that never run again. They may be dead letters.
        self.history: list[HistoryRow] = []
        self.outgoing: list[Envelope] = []
        self.passed: dict[bytes, Envelope] = {}  # By id, of the outgoing, those that its chain has handled.
        self.unposted: set[bytes] = set()  # Ids of messages that it has handled, and that never were mail.
        self.rescheduled: list[MailRow] = []
        self.facts: list[Fact] = []  # They become true, and are told, when this has committed.
        self.answers: list[ClientAnswer] = []
        self.outcomes: list[StepOutcome] = []  # They are counted when this has committed.
        self.begun_s = kind.ports.clock.monotonic_s()
        self.blocked_until_s = 0.0  # Until then mail waits for the message before it that is tried again.
        self.ended = False
        self.failed = False  # Some message of the turn has failed.
        self.alarm = ""
        self.row_after: ActorRow | None = None  # `finish` sets it.
        self.summary = None if row is None else row.summary
        self.traces: Mapping[bytes, BegunSpan] | None = None  # By message id, of those that are traced.
        self._conversation = b"" if row is None else row.conversation
        self._position = 0
        self._timers_changed = False

    @property
    def is_empty(self) -> bool:
        return not self.history and not self.rescheduled

    @property
    def is_full(self) -> bool:
        """Whether the messages of one more handler might find no number."""
        return self._position >= SENT_MAX

    def traceparent(self, cause: Envelope) -> str:
        """What its messages say of the span that sends them."""
        traced = self.traces.get(cause.id) if self.traces else None
        return cause.traceparent if traced is None else traced.place.traceparent

    def trace_of(self, message_id: bytes) -> str:
        """The trace of a message of this turn, in hex; empty if it is not traced."""
        traced = self.traces.get(message_id) if self.traces else None
        return "" if traced is None else traced.place.trace.hex()

    def own_conversation(self, cause: Envelope) -> bytes:
        """The conversation that made the actor. While none has, it is that of the first message that asks."""
        self._conversation = self._conversation or cause.conversation
        return self._conversation

    def next_sequence(self) -> int:
        """Grows with every message this actor ever sends."""
        self._position += 1
        return self.revision * _POSITIONS + self._position

    def note(
        self,
        envelope: Envelope,
        outcome: Outcome,
        *,
        attempts: int,
        error: str = "",
        caused: bytes = b"",
        consume: bool = True,
    ) -> None:
        """Put one message into the history, and take it out of the mail."""
        if consume:
            self.consumed[envelope.id] = self.address
        self.last_message_id = envelope.id
        self.history.append(
            HistoryRow(
                envelope.conversation,
                envelope.id,
                self.address[0],
                self.address[1],
                self.shard,
                self.revision,
                self.now_s,
                outcome,
                attempts,
                self.kind.node,
                error,
                envelope.type,
                envelope.sender,
                envelope.cause,
                envelope.sent_at_s,
                caused,
            )
        )

    def give_up(self, envelope: Envelope, *, attempts: int, error: str) -> None:
        """Take a message that has failed out of the mail for good, be it parked or not."""
        self.given_up[envelope.id] = None
        self.note(envelope, Outcome.FAULTED, attempts=attempts, error=error)

    def reschedule(self, row: MailRow) -> None:
        self.rescheduled.append(row)
        self.last_message_id = row.id

    def unschedule(self, id: bytes) -> None:
        """Take back a reschedule of this very turn: the message is consumed after all."""
        for row in self.rescheduled:
            if row.id == id and row.due_at_s == self.blocked_until_s:
                self.blocked_until_s = self.now_s  # The mail behind this message need not wait any more.
        self.rescheduled = [row for row in self.rescheduled if row.id != id]

    def tombstone(self, by: Envelope, id: bytes, error: str) -> None:
        """Refuse a command that never came, should it still come, since this message has ruled it out."""
        self.history.append(
            HistoryRow(
                by.conversation,
                id,
                self.address[0],
                self.address[1],
                self.shard,
                self.revision,
                self.now_s,
                Outcome.UNDONE,
                0,
                self.kind.node,
                error,
                "",
                by.sender,
                by.cause,
                by.sent_at_s,
                b"",
            )
        )

    def move_timer(self, timer: durable_pb2.Timer) -> None:
        self._timers_changed = True
        self.timers[timer.name] = timer

    def drop_timer(self, name: str) -> None:
        self._timers_changed = True
        self.timers.pop(name, None)

    def finish(self) -> Transition:
        """The transition, to be handed to the committer."""
        if self.passed:
            self.outgoing = [one for one in self.outgoing if one.id not in self.passed]
        mail = tuple([MailRow.of(one, shard_of(one.key, self.kind.limits.shards_per_kind)) for one in self.outgoing])
        before = self.row
        self.row_after = self._row_after()
        return Transition(
            self.row_after,
            Expected(0, b"") if before is None else Expected(before.revision, before.last_id),
            self.address,
            self.shard,
            tuple([id for id in self.consumed if id not in self.given_up] if self.given_up else self.consumed),
            tuple(self.given_up),
            tuple(self.history),
            mail,
            tuple(self.rescheduled),
            tuple(self.passed.values()),
        )

    def _row_after(self) -> ActorRow:
        before = self.row
        timers, due_at_s = b"", None
        if before is not None and not self._timers_changed:
            timers, due_at_s = before.timers, before.due_at_s
        elif self.timers:
            timers = encoded_timers(self.timers)
            due_at_s = min([timer.due_at_s for timer in self.timers.values()])
        made_of = b"%b|%b|%b" % (self.last_message_id, timers, self.state_bytes)
        conversation = self._conversation or self._first_conversation()
        return ActorRow(
            self.address[0],
            self.address[1],
            self.shard,
            self.revision,
            hashlib.blake2b(made_of, digest_size=16).digest(),
            conversation,
            self.kind.behaviour.state_type.DESCRIPTOR.full_name if before is None else before.state_type,
            self.state_bytes,
            timers,
            due_at_s,
            self.now_s,
            self._timer_conversations(conversation),
            self.summary,
        )

    def _timer_conversations(self, own: bytes) -> str:
        """See ActorRow. The timers of a process are all of its own conversation."""
        if not self.timers or self.kind.behaviour.process:
            return ""
        if self.row is not None and not self._timers_changed:
            return self.row.timer_conversations
        return other_conversations([timer.conversation for timer in self.timers.values()], own)

    def _first_conversation(self) -> bytes:
        return self.history[0].conversation if self.history else self.rescheduled[0].conversation
