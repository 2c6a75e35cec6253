"""The actor of a key: which instance waits for an event of this key, and which events have come before.

    an event of the key ──▶ KIND-keys/KEY ◀──AwaitEvent, StopWaiting── an instance of KIND
                                  └──EventCame, once──▶ the instance

                 what comes is kept, or as declared             what comes is late
    UNKNOWN_YET ──AwaitEvent──▶ WAITING ──an event──▶ COUNTED ──StopWaiting──▶ STOPPED
                                   └───────StopWaiting───────────────────────────▲

The next AwaitEvent leads from everywhere to WAITING, unless another waits. An instance may hold the key as well, before
it waits and after it has: HoldKey, ReleaseKey. Then no other instance gets the key, and what comes before the instance
waits is kept for it. Events come by subscription, as to every
kind, so the mail that brings one is committed with it. Each says its outcome to who sent it: EventCounted, EventKept,
or EventLate, if that is a client that waits; the history keeps it in any case.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Decision, Delivery, Outgoing, RetryPolicy, SetTimer
from runtime.envelope import Envelope, parse_address
from runtime.errors import FinalError
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import (
    AwaitedEvent,
    AwaitEvent,
    EarlyEvent,
    EventCame,
    EventCounted,
    EventDiscarded,
    EventKept,
    EventLate,
    HoldKey,
    KeyHeld,
    KeyRecord,
    KeyTaken,
    ReleaseKey,
    StoppedWaiting,
    StopWaiting,
)
from runtime.saga.awaiting import DISCARD, FAULT
from runtime.saga.definition import Definition
from runtime.saga.node import full_name
from runtime.saga.read_await import keys_kind
from runtime.store.records import Outcome, Subscription

__all__ = ["KeysBehaviour"]

_TIMER_PAUSE_S = 60.0
_CLIENT = "client"
_ID_BYTES = 18  # Of the field that says which command the event answers.
_FORGET = "forget "  # before the name of an event type: the timer after which nobody is expected to wait for it


class KeysBehaviour:
    """The keys of one kind of saga as the turn sees them."""

    # What it decides is the same each time, so a second try cannot help.
    retries = RetryPolicy(immediate=0, delays=(), timer_pause=_TIMER_PAUSE_S)
    state_type: type[Message] = KeyRecord
    runs_in_chains = True
    process = ""  # an event belongs to the process of who says it

    def __init__(self, saga: Definition) -> None:
        self.kind = keys_kind(saga.name)
        self._awaits = {full_name(one.event): one for one in saga.awaits}
        waits = Counter(full_name(one.event) for one in saga.awaits)
        self._several = frozenset(name for name, count in waits.items() if count > 1)
        self.subscriptions = tuple(Subscription(name, self.kind, one.by) for name, one in self._awaits.items())
        own = (AwaitEvent, StopWaiting, HoldKey, ReleaseKey, durable_pb2.TimerFired)
        self.accepts = frozenset((*self._awaits, *map(full_name, own)))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        """See Behaviour."""
        return self.decide(state, delivery)

    def decide(self, state: Message, delivery: Delivery) -> Decision:
        """As `handle`, without an event loop. Raises FinalError for an event that cannot be kept any more."""
        assert isinstance(state, KeyRecord)
        message, envelope = delivery.message, delivery.envelope
        if envelope.timer:
            return self._forget(state, delivery)
        if isinstance(message, AwaitEvent):
            return self._wait(_entry(state, message.event_type), message, envelope)
        if isinstance(message, StopWaiting):
            return _stop(_entry(state, message.event_type), message, envelope)
        if isinstance(message, HoldKey):
            return _hold(state, message, envelope)
        if isinstance(message, ReleaseKey):
            return self._release(state, message, envelope)
        return self._event(_entry(state, envelope.type), delivery)

    # --- from an instance ---

    def _wait(self, entry: AwaitedEvent, asked: AwaitEvent, envelope: Envelope) -> Decision:
        holder = envelope.reply_to
        if not holder:
            raise FinalError("only an instance of a saga can wait for an event; send the event itself")
        if entry.held_by not in ("", holder):
            return _taken(entry, asked.key)
        is_same = (entry.holder, entry.task) == (holder, asked.task)
        if entry.status == AwaitedEvent.WAITING and not is_same:
            return _taken(entry, asked.key)
        if is_same and entry.status in (AwaitedEvent.COUNTED, AwaitedEvent.STOPPED):
            return _nothing(f"its step {asked.task} waits no more")
        entry.status, entry.holder, entry.task = AwaitedEvent.WAITING, holder, asked.task
        entry.command_id = envelope.id
        if not entry.early:
            return Decision(ended=True)
        first = entry.early.pop(0)
        timers = (CancelTimer(_FORGET + entry.event_type),)
        return Decision((self._count(entry, first),), timers, ended=True)

    def _release(self, record: KeyRecord, asked: ReleaseKey, envelope: Envelope) -> Decision:
        """What is kept for an instance that gives its key up is lost: it is no other's."""
        timers: list[CancelTimer] = []
        for entry in record.events:
            if (entry.held_by, entry.held_as) != (envelope.sender, asked.name):
                continue
            entry.held_by = entry.held_as = ""
            if entry.status == AwaitedEvent.UNKNOWN_YET:
                entry.status, entry.holder = AwaitedEvent.STOPPED, envelope.sender
            if entry.early:
                timers.append(CancelTimer(_FORGET + entry.event_type))
                del entry.early[:]
        if not timers:
            return Decision(ended=True)
        names = ", ".join(timer.name.removeprefix(_FORGET) for timer in timers)
        alarm = f"{names} with key {asked.key!r} is forgotten: {envelope.sender} has given the key up unheard"
        return Decision((), tuple(timers), note=alarm, ended=True, alarm=alarm)

    # --- from whoever says the event ---

    def _event(self, entry: AwaitedEvent, delivery: Delivery) -> Decision:
        envelope = delivery.envelope
        event = EarlyEvent(
            body=envelope.body, sender=envelope.sender or _CLIENT, sent_at_s=envelope.sent_at_s or delivery.now_s
        )
        _check_size(entry.event_type, event, delivery.body_bytes_max)
        if entry.status == AwaitedEvent.WAITING:
            return Decision((self._count(entry, event), Outgoing(EventCounted(saga=entry.holder))), ended=True)
        is_several = entry.event_type in self._several
        if entry.status == AwaitedEvent.UNKNOWN_YET or (entry.status == AwaitedEvent.COUNTED and is_several):
            return self._early(entry, event, delivery)
        if entry.status == AwaitedEvent.COUNTED and entry.counted == _digest(event):
            again = Outgoing(EventCounted(saga=entry.holder))
            return _nothing(f"it has been handed to {entry.holder} before", again)
        had = "has had its event" if entry.status == AwaitedEvent.COUNTED else "waits for it no more"
        late = f"it came late: {entry.holder} {had}"
        return _nothing(late, Outgoing(EventLate(reason=late)))

    def _early(self, entry: AwaitedEvent, event: EarlyEvent, delivery: Delivery) -> Decision:
        """Nobody waits for it yet: what becomes of it is declared."""
        awaits = self._awaits[entry.event_type]
        if entry.held_by:
            return self._keep(entry, event, delivery)
        reason = f"no instance of {_saga_of(self.kind)} waits for it"
        if awaits.early == FAULT:
            raise FinalError(f"{entry.event_type} with key {delivery.envelope.key!r}: {reason}")
        if awaits.early == DISCARD:
            return _nothing(f"discarded: {reason}", Outgoing(EventDiscarded(reason=reason)))
        return self._keep(entry, event, delivery)

    def _keep(self, entry: AwaitedEvent, event: EarlyEvent, delivery: Delivery) -> Decision:
        """Of an event that one step waits for, a second copy of the same content is no other one."""
        awaits = self._awaits[entry.event_type]
        until_s = delivery.now_s + awaits.keep_for_s
        kept = Outgoing(EventKept(until_s=until_s))
        if entry.event_type not in self._several and any(one.body == event.body for one in entry.early):
            return _nothing("the same has come before, and is kept", kept)
        if len(entry.early) >= awaits.keep_max:
            raise FinalError(
                f"{entry.event_type} with key {delivery.envelope.key!r} came before {_saga_of(self.kind)} waits for "
                f"it, and as many are kept as may be: {awaits.keep_max}, by keep= of its step {awaits.name}"
            )
        entry.early.append(event)
        return Decision((kept,), (SetTimer(_FORGET + entry.event_type, until_s, after_mail=True),), ended=True)

    def _count(self, entry: AwaitedEvent, event: EarlyEvent) -> Outgoing:
        """Hand the event to who waits. What else came early is no longer waited for, but by a later step."""
        entry.status, entry.counted = AwaitedEvent.COUNTED, _digest(event)
        if entry.event_type not in self._several:
            del entry.early[:]
        came = EventCame(
            command_id=entry.command_id,
            event_type=entry.event_type,
            body=event.body,
            sender=event.sender,
            sent_at_s=event.sent_at_s,
        )
        return Outgoing(came, *parse_address(entry.holder))

    def _forget(self, record: KeyRecord, delivery: Delivery) -> Decision:
        name = delivery.envelope.timer.removeprefix(_FORGET)
        entry = _entry(record, name)
        if not entry.early:
            return _nothing("nothing of it is kept any more")
        senders = ", ".join(dict.fromkeys(one.sender for one in entry.early))
        del entry.early[:]
        alarm = (
            f"{name} with key {delivery.envelope.key!r}, said by {senders}, is forgotten: no instance of "
            f"{_saga_of(self.kind)} has waited for it in its time"
        )
        return Decision(note=alarm, ended=True, alarm=alarm)


def _saga_of(kind: str) -> str:
    """The kind of the saga whose keys these are."""
    return kind.removesuffix(keys_kind(""))


def _entry(record: KeyRecord, event_type: str) -> AwaitedEvent:
    for entry in record.events:
        if entry.event_type == event_type:
            return entry
    return record.events.add(event_type=event_type)


def _hold(record: KeyRecord, asked: HoldKey, envelope: Envelope) -> Decision:
    """All of these events, or none of them."""
    holder, entries = envelope.sender, [_entry(record, name) for name in asked.event_types]
    for entry in entries:
        waits = entry.holder if entry.status == AwaitedEvent.WAITING else ""
        if {entry.held_by, waits} - {"", holder}:
            return _taken(entry, asked.key)
    for entry in entries:
        is_back = not entry.held_by and entry.status == AwaitedEvent.STOPPED  # it was given up, and is taken again
        entry.held_by, entry.held_as = holder, asked.name
        if entry.holder != holder or is_back:  # what came of it before is over
            entry.status, entry.holder, entry.task, entry.counted = AwaitedEvent.UNKNOWN_YET, "", "", b""
    return Decision((Outgoing(KeyHeld()),), ended=True)


def _taken(entry: AwaitedEvent, key: str) -> Decision:
    is_held = bool(entry.held_by)
    taken = KeyTaken(
        key=key,
        event_type=entry.event_type,
        holder=entry.held_by if is_held else entry.holder,
        task="" if is_held else entry.task,
    )
    return Decision((Outgoing(taken),), ended=True)


def _stop(entry: AwaitedEvent, asked: StopWaiting, envelope: Envelope) -> Decision:
    """An instance waits no more. One that never held the key has nothing to give back."""
    confirmed = Outgoing(StoppedWaiting())
    if (entry.holder, entry.task) != (envelope.sender, asked.task):
        return Decision((confirmed,), ended=True)
    entry.status = AwaitedEvent.STOPPED
    return Decision((confirmed,), ended=True)


def _check_size(name: str, event: EarlyEvent, bytes_max: int) -> None:
    """Refuse an event with which the saga could not be told of it. Raises FinalError.

    Else the message of the saga that asks for it would be found at fault, when the event has long been taken.
    """
    if not bytes_max or len(event.body) * 2 < bytes_max:
        return
    came = EventCame(event_type=name, body=event.body, sender=event.sender, sent_at_s=event.sent_at_s)
    beside = came.ByteSize() + _ID_BYTES - len(event.body)
    if len(event.body) + beside > bytes_max:
        raise FinalError(
            f"{name} has {len(event.body):,} bytes; for a saga that waits for it, it may have {bytes_max - beside:,}: "
            "the setting message_bytes_max, less what says whom it is for. Send a reference to large data, not the data"
        )


def _digest(event: EarlyEvent) -> bytes:
    return hashlib.blake2b(event.body, digest_size=16).digest()


def _nothing(note: str, *told: Outgoing) -> Decision:
    return Decision(told, outcome=Outcome.IGNORED, note=note, ended=True)
