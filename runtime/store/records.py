"""The facts that a store keeps, as frozen records of bytes and numbers. They know no business and no SQL.

Instants are seconds since 1970 (`_at_s`). Ids are 16 bytes. `address` is (kind, key).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from runtime.envelope import Address, Envelope, decode
from runtime.errors import InvalidMessage
from runtime.record import record
from runtime.store.summaries import ActorSummary

__all__ = [
    "ActorRow",
    "Busy",
    "BusyHandler",
    "ClusterView",
    "Expected",
    "HistoryRow",
    "MailRow",
    "NodeRow",
    "Outcome",
    "ShardRow",
    "Subscription",
    "Transition",
    "Verdict",
]

_ROW_BYTES = 256  # A row costs about so much beside its long parts, with keys and indexes.


@record(frozen=True, slots=True)
class ActorRow:
    """One actor's current state. Its key in the store is (kind, key)."""

    kind: str
    key: str
    shard: int
    revision: int  # It is 1 after the first committed turn, and rises by one with each.
    last_id: bytes  # 16 bytes that tell this revision from another of the same number: see Expected.
    conversation: bytes  # The conversation that made the actor.
    state_type: str
    state: bytes
    timers: bytes  # encoded amends.Timers
    due_at_s: float | None  # When the earliest timer is due; None without timers.
    updated_at_s: float
    timer_conversations: str = ""  # Of timers set in others than its own: a JSON array of hex, in capitals; or empty.
    summary: ActorSummary | None = None  # None: the actor tells nothing beside its state. A service's does not.

    @property
    def address(self) -> Address:
        return self.kind, self.key


@record(frozen=True, slots=True)
class Expected:
    """The row that a turn started from; revision 0 and no id mean that there was none.

    The id is made from the message that made the row, and from what came of it. For a store that has lost a turn may
    get another one from the same message, with another outcome.
    """

    revision: int
    last_id: bytes


@record(frozen=True, slots=True)
class MailRow:
    """One message that waits for an actor: pending, to be retried later, or parked (a dead letter)."""

    kind: str
    key: str
    shard: int
    id: bytes
    conversation: bytes
    sent_at_s: float  # It never goes back between messages of one sender.
    sequence: int  # The sender numbers its messages; this orders those of one instant.
    due_at_s: float  # 0 for at once
    attempts: int
    parked: str  # Why the message is a dead letter; empty while it is none.
    parked_at_s: float
    envelope: bytes  # encoded

    @classmethod
    def of(
        cls,
        envelope: Envelope,
        shard: int,
        *,
        attempts: int = 0,
        due_at_s: float | None = None,
        parked: str = "",
        parked_at_s: float = 0.0,
    ) -> MailRow:
        """An envelope as a row of mail."""
        return cls(
            envelope.kind,
            envelope.key,
            shard,
            envelope.id,
            envelope.conversation,
            envelope.sent_at_s,
            envelope.sequence,
            envelope.due_at_s if due_at_s is None else due_at_s,
            attempts,
            parked,
            parked_at_s,
            envelope.encoded,
        )

    @property
    def address(self) -> Address:
        return self.kind, self.key

    def was_put_off(self) -> bool:
        """Whether the message was to be handled earlier, and could not be."""
        try:
            return self.due_at_s > decode(self.envelope).due_at_s
        except InvalidMessage:
            return False


class Outcome(StrEnum):
    HANDLED = "handled"  # A handler ran, and its effects are in the same commit.
    IGNORED = "ignored"  # Consumed on purpose without effect: it was late, unmatched, or declared so.
    FAULTED = "faulted"  # Given up on. Its sender was told.
    UNDONE = "undone"  # A do, or its undo, that need not run. This row refuses late copies, as a tombstone.
    FIRED = "fired"  # A timer's message was handled.


@record(frozen=True, slots=True)
class HistoryRow:
    """One message that was handled. Its key is (conversation, id): inserting it is the deduplication."""

    conversation: bytes
    id: bytes
    kind: str
    key: str
    shard: int
    revision: int  # The revision of the actor after this message.
    handled_at_s: float
    outcome: Outcome
    attempts: int  # How many runs it took; 1 if the first succeeded.
    node: str  # name@incarnation that committed it
    error: str  # The error of the last run that failed, or the reason of IGNORED, FAULTED and UNDONE.
    type: str
    sender: str
    cause: bytes
    sent_at_s: float
    caused: bytes  # encoded amends.CausedList: the messages it sent, without what this row tells


@record(frozen=True, slots=True)
class Transition:
    """What one turn did, or what a client posted. It commits whole or not at all.

    A turn has `actor` and `expected`; a post has only `mail`. `consumed` and `rescheduled` are mail of that actor
    (for a turn that only reschedules, `actor` is None and `address` says whose mail it is).

    A parked message has failed, and its sender was told so. No late copy of it may run. So a turn must neither consume
    nor reschedule parked mail. Only a transition without `actor`, such as an operator's, sets one free again."""

    actor: ActorRow | None = None
    expected: Expected | None = None
    address: Address | None = None
    shard: int = 0
    consumed: tuple[bytes, ...] = ()  # Ids of mail to remove. Each must be there, and not parked.
    given_up: tuple[bytes, ...] = ()  # Ids of mail that never runs. It is removed, parked or not; each must be there.
    history: tuple[HistoryRow, ...] = ()
    mail: tuple[MailRow, ...] = ()
    rescheduled: tuple[MailRow, ...] = ()  # New due time, attempts and parked of mail that stays.
    passed: tuple[Envelope, ...] = ()  # Sent to other members of its group, which have handled them. No rows of mail.
    check_duplicates: bool = False  # Of a post: an id that waits or was handled makes it a DUPLICATE.

    def __post_init__(self) -> None:
        if (self.actor is None) != (self.expected is None):
            raise ValueError("a transition has both an actor's new row and the row it expects, or neither")

    @property
    def weight_bytes(self) -> int:
        """About how much a store has to write: the long parts of each row, and 256 bytes a row for the rest."""
        actor, mail = self.actor, self.mail
        rows = len(self.consumed) + len(self.given_up) + len(self.history) + len(mail) + len(self.rescheduled)
        weight = _ROW_BYTES * (rows + 1)
        if actor is not None:
            weight += len(actor.state) + len(actor.timers)
        for row in mail:
            weight += len(row.envelope)
        return weight

    @property
    def slice(self) -> tuple[str, int]:
        """Kind and shard of the actor whose mail is consumed and rescheduled; empty for a post."""
        if self.actor is not None:
            return self.actor.kind, self.actor.shard
        return ("", 0) if self.address is None else (self.address[0], self.shard)

    @property
    def key(self) -> str:
        """Key of the actor whose mail is consumed and rescheduled; empty for a post."""
        if self.actor is not None:
            return self.actor.key
        return "" if self.address is None else self.address[1]


class Verdict(StrEnum):
    COMMITTED = "committed"
    CONFLICT = "conflict"  # the actor's row is no longer the expected one; nothing of it was written
    MAIL_MISSING = "mail_missing"  # mail to remove or move is not there, is parked, or was handled; nothing was written
    DUPLICATE = "duplicate"  # the id of a post or of a group's command waits, or was handled; nothing was written


@dataclass(frozen=True, slots=True)
class Subscription:
    """A kind wants an event type. The store keeps this, so that the kind gets its mail while all its nodes are down.

    With `process`, only conversations driven by that process reach it; those driven by none do too if `starts` and
    the event's field `where_field` (dotted; empty for no condition) equals `where_value` as text (an enum's number).
    """

    event_type: str
    kind: str
    key_field: str  # of the event; names the subscriber's key. Empty: the key is the conversation, in hex
    process: str = ""
    starts: bool = False
    where_field: str = ""
    where_value: str = ""


@dataclass(frozen=True, slots=True)
class NodeRow:
    name: str
    incarnation: str
    address: str  # host:port of its mesh
    kinds: tuple[str, ...]
    version: str
    lease_until_s: float = 0.0  # By the store's clock. The store sets it.
    lease_s: float = 0.0  # From its join, or since it last told its clock; 0.0 for an older version.
    clock_off_s: float = 0.0  # How far the machine's clock is ahead of the node's own time, as it last said.
    carries: tuple[str, ...] = ()  # KIND/VERSION and KIND<TYPE, see Versioned; <KIND/PARTNER, see cluster/beside.py


@dataclass(frozen=True, slots=True)
class BusyHandler:
    """A handler that has run for long."""

    handler: str  # Its name as the author knows it, e.g. Billing.bill.
    kind: str
    key: str
    id: bytes  # of its message
    type: str
    timer: str  # The timer that has sent its message; empty for mail.
    since_s: float
    timeout_s: float  # It waits, and is cancelled after so long; 0.0: it blocks the loop of its node.

    @property
    def blocks_loop(self) -> bool:
        return not self.timeout_s


@dataclass(frozen=True, slots=True)
class Busy:
    """What handlers have run on a node for long, as it last told, the longest first; what it pauses, and refuses."""

    node: str
    incarnation: str
    told_at_s: float
    until_s: float  # A node that lives and has such handlers tells again before.
    handlers: tuple[BusyHandler, ...]
    pauses: tuple[tuple[str, float, str, str], ...] = ()  # kind, since when, its last error, sagas with commas between
    refuses_since_s: float = 0.0  # New commands of clients, since then; 0: it takes them.


@dataclass(frozen=True, slots=True)
class ShardRow:
    kind: str
    shard: int
    owner: str  # a node's name; empty when nobody's
    epoch: int
    died: str = ""  # name@incarnation of the last evicted owner, until an owner gives the shard up in order.


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The membership tables at one instant of the store's clock."""

    now_s: float
    nodes: tuple[NodeRow, ...] = field(default=())
    shards: tuple[ShardRow, ...] = field(default=())
    subscriptions: tuple[Subscription, ...] = field(default=())
    lived_until_s: float = 0.0  # By their clocks, nodes have counted lived time up to here; 0.0: never.

    @property
    def kinds(self) -> frozenset[str]:
        """Every kind the cluster has ever heard of."""
        of_rows = [*(row.kind for row in self.shards), *(one.kind for one in self.subscriptions)]
        return frozenset(of_rows).union(*(node.kinds for node in self.nodes))
