"""A conversation: everything that came of one client command, message by message, read from the store.

    store.conversation            what was handled ─┐
    store.mail_of_conversation    what waits        ├──▶ conversation_of ──▶ Conversation ──▶ sequence.py, admin
    store.handled                 what moved while we looked ─┘

Both styles look alike here: a saga's commands and a choreography's reactions are messages with a cause. The model is
pure; who reads the store calls `read_conversation`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from runtime.durable.caused import readable_came_of
from runtime.envelope import Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.protos import durable_pb2
from runtime.store.port import OperatorStore
from runtime.store.records import HistoryRow, MailRow

__all__ = [
    "CLIENT",
    "Conversation",
    "MessageStatus",
    "TracedMessage",
    "by_cause",
    "conversation_of",
    "elsewhere_message",
    "handled_message",
    "read_conversation",
    "waiting_message",
]

CLIENT = "client"
"""How a sender is called that is no actor."""


class MessageStatus(StrEnum):
    """What became of a message: an outcome of the history, or where it still is."""

    HANDLED = "handled"
    IGNORED = "ignored"
    FAULTED = "faulted"
    UNDONE = "undone"
    FIRED = "fired"
    WAITING = "waiting"  # in the mail: its turn, or its time, has not come
    RETRYING = "retrying"  # in the mail: failed, and due again later
    PARKED = "parked"  # in the mail: a dead letter
    ELSEWHERE = "elsewhere"  # sent, but recorded in another conversation, or forgotten by now

    @property
    def is_open(self) -> bool:
        """Whether something will, or ought to, still be done about it."""
        return self in (MessageStatus.WAITING, MessageStatus.RETRYING, MessageStatus.PARKED)


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One message and what became of it. Instants are seconds since 1970; None when it did not happen (yet)."""

    id: bytes
    cause: bytes  # id of the message whose handling sent it; empty for a client's
    sender: str  # kind/key, or CLIENT
    to: str  # kind/key
    type: str  # full protobuf name; empty where the store does not know it
    status: MessageStatus
    sent_at_s: float | None
    handled_at_s: float | None
    due_at_s: float | None  # of mail that is to be handled at a later time
    attempts: int  # runs of its handler so far
    node: str  # name@incarnation that handled it
    note: str  # the last error, or the reason it was ignored, undone or parked; and what nobody listens to
    unheard: tuple[str, ...] = ()  # full names of events that came of it, and that nobody listens to

    @property
    def short_type(self) -> str:
        """The type without its package."""
        return self.type.rpartition(".")[2] or "?"

    @property
    def at_s(self) -> float:
        """The instant that orders it: when it was handled, or, while it waits, when it was sent."""
        return self.handled_at_s or self.sent_at_s or 0.0


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages of one conversation; none stands before its cause, and otherwise they go by time."""

    id: bytes
    messages: tuple[TracedMessage, ...]

    @property
    def began_at_s(self) -> float:
        """When its first message was sent; 0 without messages."""
        return min((m.sent_at_s for m in self.messages if m.sent_at_s is not None), default=0.0)

    @property
    def participants(self) -> tuple[str, ...]:
        """Senders and receivers, in the order in which they first appear."""
        names: dict[str, None] = {}
        for message in self.messages:
            names[message.sender] = names[message.to] = None
        return tuple(names)

    @property
    def open(self) -> tuple[TracedMessage, ...]:
        """What waits, is to be retried, or is parked."""
        return tuple(message for message in self.messages if message.status.is_open)


async def read_conversation(store: OperatorStore, id: bytes) -> Conversation:
    """Read one conversation while nodes go on with it. Raises StoreError.

    History before mail, so that what was sent by a message we saw is found in one of them; what left the mail between
    the two reads is looked up by its id.
    """
    history = await store.conversation(id)
    mail = await store.mail_of_conversation(id)
    known = {row.id for row in history} | {row.id for row in mail}
    missing = [caused.id for row in history for caused in readable_came_of(row).caused if caused.id not in known]
    moved = await store.handled([(id, one) for one in missing]) if missing else []
    return conversation_of(id, [*history, *(row for row in moved if row is not None)], mail)


def conversation_of(id: bytes, history: Iterable[HistoryRow], mail: Iterable[MailRow]) -> Conversation:
    """Put together what was handled, what waits, and what was sent but is in neither."""
    rows = list(history)
    found: dict[bytes, TracedMessage] = {row.id: waiting_message(row) for row in mail}
    found.update((row.id, handled_message(row)) for row in rows)
    for row in rows:
        for caused in readable_came_of(row).caused:
            if caused.id not in found:
                found[caused.id] = elsewhere_message(row, caused)
    return Conversation(id, tuple(by_cause(found)))


def handled_message(row: HistoryRow) -> TracedMessage:
    """What a row of history tells."""
    unheard = tuple(readable_came_of(row).unheard)
    deaf = f"nobody listens: {', '.join(name.rpartition('.')[2] for name in unheard)}" if unheard else ""
    return TracedMessage(
        id=row.id,
        cause=row.cause,
        sender=row.sender or CLIENT,
        to=address_of(row.kind, row.key),
        type=row.type,
        status=MessageStatus(row.outcome.value),
        sent_at_s=row.sent_at_s,
        handled_at_s=row.handled_at_s,
        due_at_s=None,
        attempts=row.attempts,
        node=row.node,
        note="; ".join(text for text in (row.error, deaf) if text),
        unheard=unheard,
    )


def waiting_message(row: MailRow) -> TracedMessage:
    """What a row of mail tells, whether or not its envelope can be read."""
    envelope = _readable(row)
    status = MessageStatus.PARKED if row.parked else MessageStatus.RETRYING if row.attempts else MessageStatus.WAITING
    return TracedMessage(
        id=row.id,
        cause=envelope.cause if envelope else b"",
        sender=(envelope.sender or CLIENT) if envelope else "?",
        to=address_of(row.kind, row.key),
        type=envelope.type if envelope else "",
        status=status,
        sent_at_s=row.sent_at_s,
        handled_at_s=None,
        due_at_s=row.due_at_s or None,
        attempts=row.attempts,
        node="",
        note=row.parked,
    )


def elsewhere_message(sender: HistoryRow, caused: durable_pb2.Caused) -> TracedMessage:
    """A message that is in no row of its own: its sender's row alone tells of it."""
    return TracedMessage(
        id=caused.id,
        cause=sender.id,
        sender=address_of(sender.kind, sender.key),
        to=caused.address,
        type=caused.type,
        status=MessageStatus.ELSEWHERE,
        sent_at_s=sender.handled_at_s,
        handled_at_s=None,
        due_at_s=None,
        attempts=0,
        node="",
        note="in another conversation, or forgotten",
    )


def _readable(row: MailRow) -> Envelope | None:
    """The envelope of a row of mail; None when its bytes are none, which is worth showing and no reason to fail."""
    try:
        return decode(row.envelope)
    except InvalidMessage:
        return None


def by_cause(found: Mapping[bytes, TracedMessage]) -> Iterator[TracedMessage]:
    """Earliest first among those whose cause has been told: clocks of two nodes may disagree, causes cannot.

    A heap of those that are ready, so that ties are settled the same way on each run.
    """
    order = TopologicalSorter[bytes]()
    for message in found.values():
        is_effect = message.cause in found and message.cause != message.id
        order.add(message.id, *([message.cause] if is_effect else ()))
    with suppress(CycleError):  # only damaged rows can be each other's cause; the rest has an order all the same
        order.prepare()
    ready: list[tuple[bool, float, bytes]] = []
    untold = dict(found)
    while order.is_active():
        for id in order.get_ready():
            heapq.heappush(ready, _rank(found[id]))
        message = untold.pop(heapq.heappop(ready)[-1])
        yield message
        order.done(message.id)
    yield from sorted(untold.values(), key=_rank)


def _rank(message: TracedMessage) -> tuple[bool, float, bytes]:
    """What was handled by its time, then what is still open."""
    return message.handled_at_s is None, message.at_s, message.id
