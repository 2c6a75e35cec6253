"""The actor of a lock on one key: who holds it, and who waits for it, in the order in which they asked.

    AcquireLock ──▶ NAME-lock/KEY ──LockGranted──▶ the instance, at once or when its turn has come
    ReleaseLock ──▶               ──LockReleased─▶ the instance
    the holder's time is over, and another waits ──LockLost──▶ the holder

An instance that holds the key gets it again, for another of its tasks, and so do its child sagas. Each hold has a time
of its own, and the key stays with the instance until the last of them is over. All that is known of a key is in one
record, which is committed with what is said to the sagas. Once it is free the record is empty.
Each wait begins a search for deadlocks, and so does each change of the holder: `deadlock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Decision, Delivery, Outgoing, RetryPolicy, SetTimer
from runtime.envelope import Envelope, address_of, parse_address
from runtime.errors import FinalError
from runtime.protos import durable_pb2
from runtime.protos.lock_pb2 import (
    AcquireLock,
    DeadlockSearch,
    LockClaim,
    LockGranted,
    LockLost,
    LockRecord,
    LockReleased,
    ReleaseLock,
)
from runtime.saga.node import full_name
from runtime.saga.read_lock import lock_kind
from runtime.store.records import Outcome, Subscription

__all__ = ["LockBehaviour", "held_until_s"]

_TIMER_PAUSE_S = 60.0
_EXPIRY = "expiry"


class LockBehaviour:
    """The locks of one name as the turn sees them."""

    # What it decides is the same each time, so a second try cannot help.
    retries = RetryPolicy(immediate=0, delays=(), timer_pause=_TIMER_PAUSE_S)
    state_type: type[Message] = LockRecord
    runs_in_chains = True
    process = ""
    subscriptions: tuple[Subscription, ...] = ()
    accepts = frozenset(map(full_name, (AcquireLock, ReleaseLock, DeadlockSearch, durable_pb2.TimerFired)))

    def __init__(self, name: str) -> None:
        self.kind = lock_kind(name)

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        """See Behaviour."""
        return self.decide(state, delivery)

    def decide(self, state: Message, delivery: Delivery) -> Decision:
        """As `handle`, without an event loop. Raises FinalError for a lock that no saga asks for."""
        assert isinstance(state, LockRecord)
        message, envelope = delivery.message, delivery.envelope
        if isinstance(message, DeadlockSearch):
            return _searched(state, message)
        turn = _Turn(state, address_of(self.kind, envelope.key), delivery.now_s)
        if isinstance(message, AcquireLock):
            turn.acquire(message, envelope)
        elif isinstance(message, ReleaseLock):
            turn.release(envelope.sender, message.task)
        turn.hand_over()
        return turn.decision()


class _Turn:
    """One message to one lock."""

    def __init__(self, record: LockRecord, address: str, now_s: float) -> None:
        self._record = record
        self._address = address
        self._now_s = now_s
        self._was_timed = _is_timed(record)
        self._searches: list[LockClaim] = []  # those who wait, and of whom the holder has not been told
        self._outgoing: list[Outgoing] = []

    def acquire(self, asked: AcquireLock, envelope: Envelope) -> None:
        """Let a task wait. One that asks again keeps its place, or what it holds."""
        saga = envelope.reply_to
        if not saga:
            raise FinalError("only an instance of a saga can hold a lock")
        claim = LockClaim(
            saga=saga,
            task=asked.task,
            command_id=envelope.id,
            started_at_s=asked.started_at_s,
            expires_s=asked.expires_s,
            parent=asked.parent,
            waits_for=self._address,
        )
        for known in (*self._record.holders, *self._record.waiters):
            if (known.saga, known.task) == (saga, asked.task):
                claim.expires_at_s = known.expires_at_s
                known.CopyFrom(claim)
                if known in self._record.holders:
                    self._grant(known)
                else:
                    self._searches.append(known)
                return
        self._record.waiters.append(claim)
        self._searches.append(claim)

    def release(self, saga: str, task: str) -> None:
        """The task holds the key, and waits for it, no more."""
        for claims in (self._record.holders, self._record.waiters):
            for one in [one for one in claims if (one.saga, one.task) == (saga, task)]:
                claims.remove(one)
        self._outgoing.append(Outgoing(LockReleased()))

    def hand_over(self) -> None:
        """Give the key to whom it is due now, and have those who wait looked at for deadlocks."""
        record = self._record
        if self._is_wanted_by_others() and 0 < held_until_s(record) <= self._now_s:
            self._expire()
        if not record.holders and record.waiters:
            self._begin_to_hold(record.waiters.pop(0))
            self._searches = list(record.waiters)
        if record.holders:
            self._let_in(record.holders[0].saga)
        else:
            record.Clear()

    def decision(self) -> Decision:
        for claim in self._searches:
            if claim in self._record.waiters:
                self._outgoing.append(_search(self._record, [claim]))
        timers: tuple[SetTimer | CancelTimer, ...] = ()
        if _is_timed(self._record):
            timers = (SetTimer(_EXPIRY, max(held_until_s(self._record), self._now_s)),)
        elif self._was_timed:
            timers = (CancelTimer(_EXPIRY),)
        return Decision(tuple(self._outgoing), timers, ended=True)

    def _is_wanted_by_others(self) -> bool:
        """Whether one waits that the holder does not let in."""
        record = self._record
        return bool(record.holders and record.waiters) and not _goes_with(record.holders[0].saga, record.waiters[0])

    def _expire(self) -> None:
        """Who waits first is told by `hand_over`, and who held the key is told here."""
        went_to = self._record.waiters[0].saga
        for one in self._record.holders:
            lost = LockLost(command_id=one.command_id, at_s=self._now_s, went_to=went_to)
            self._outgoing.append(Outgoing(lost, *parse_address(one.saga)))
        del self._record.holders[:]

    def _begin_to_hold(self, claim: LockClaim) -> None:
        self._record.held_since_s = self._now_s
        self._hold(claim)
        self._grant(claim)

    def _hold(self, claim: LockClaim) -> None:
        claim.expires_at_s = self._now_s + claim.expires_s if claim.expires_s else 0.0
        self._record.holders.append(claim)

    def _let_in(self, holder: str) -> None:
        """Other tasks of the holder hold the key as well; its children go on, and hold nothing of their own."""
        for claim in list(self._record.waiters):
            if not _goes_with(holder, claim):
                continue
            self._record.waiters.remove(claim)
            if claim.saga == holder:
                self._hold(claim)
            else:
                claim.expires_at_s = held_until_s(self._record)
            self._grant(claim)

    def _grant(self, claim: LockClaim) -> None:
        granted = LockGranted(command_id=claim.command_id, expires_at_s=claim.expires_at_s)
        self._outgoing.append(Outgoing(granted, *parse_address(claim.saga)))


def held_until_s(record: LockRecord) -> float:
    """The instant from which all holds are over, and the key goes to whoever else waits; 0 if there is none."""
    times_s = [one.expires_at_s for one in record.holders]
    return max(times_s) if times_s and all(times_s) else 0.0


def _goes_with(holder: str, claim: LockClaim) -> bool:
    """Whether it is of the holder itself, or of a child of it."""
    return holder in (claim.saga, claim.parent)


def _is_timed(record: LockRecord) -> bool:
    """A key that nobody else wants is held beyond its time."""
    return bool(record.waiters and held_until_s(record))


def _search(record: LockRecord, path: Sequence[LockClaim] | Iterable[LockClaim]) -> Outgoing:
    holder = record.holders[0].saga
    return Outgoing(DeadlockSearch(to=holder, path=path), *parse_address(holder))


def _searched(record: LockRecord, search: DeadlockSearch) -> Decision:
    """Pass it on to the holder, if who sent it still waits."""
    last = search.path[-1]
    if not any((one.saga, one.command_id) == (last.saga, last.command_id) for one in record.waiters):
        note = f"a search for deadlocks: {last.saga} does not wait, or not yet"
        return Decision(outcome=Outcome.IGNORED, note=note, ended=True)
    return Decision((_search(record, search.path),), outcome=Outcome.IGNORED, note="a search for deadlocks", ended=True)
