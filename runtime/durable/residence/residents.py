"""The actors of one kind that are in memory on this node: find or make them, feed them, let idle ones go.

    router, sweeper ──deliver──▶ Residents ──▶ Activation (a child of the kind's own actor)
                                     │
                                     └──read, block──▶ BacklogReader   after an overflow, a retry, a reload

Delivery may always be declined: the message is in the store, and is fed or swept later. It is declined when the
actor's mailbox is full, when an earlier message of it waits for a retry (so that order holds), when the kind is
throttled, paused or draining, when too many actors are in memory, and when its shard is not this node's. What was
declined is never overtaken: its actor, or if that is not in memory the kind, is fed before it takes pushes again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from google.protobuf.message import Message

from runtime.actor.context import ActorOptions, Context, Restart
from runtime.durable.facts import ActivationReloaded, ActorNeedsHelp
from runtime.durable.kind import Kind
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.backlog import AGAIN_S, BacklogReader
from runtime.durable.residence.handled import RecentlyHandled
from runtime.durable.residence.leaving import Leaving
from runtime.durable.residence.lending import Guests, Loans
from runtime.durable.residence.suspects import Suspects
from runtime.durable.residence.throttle import Throttle
from runtime.durable.residence.unread import Unread
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.lost import LostRuns
from runtime.envelope import Address, Envelope, decode
from runtime.errors import ActorStopped, InvalidMessage
from runtime.store.committer import Committer
from runtime.store.records import MailRow

__all__ = ["Residents"]

_EVICTION_LOOKS_MAX = 64


class Residents:
    """The table of one kind's actors in memory."""

    def __init__(
        self,
        kind: Kind,
        committer: Committer,
        release: Callable[[Activation, Draft], None],
        read_again: Callable[[], Awaitable[None]],
        may_commit: Callable[[], bool],
    ) -> None:
        self.kind = kind
        self.guests = Guests()
        self.may_commit = may_commit
        self.throttle = Throttle(kind.name, kind.ports)
        self.paused = False
        self.shards: set[int] = set()  # in which turns may start here: owned, or being taken over
        self.overflowed = False  # mail of actors that are not in memory was declined: who comes in is fed first
        self.declined = 0  # how often that has happened
        self._committer = committer
        self._backlog = BacklogReader(kind, committer, self.may_run, self._deliver_backlog, read_again)
        self.loans = Loans(kind, self._backlog)
        self._release = release
        self._context: Context | None = None
        limits = kind.limits
        self._pending_most = limits.mailbox_max + min(limits.turn_messages_max, limits.mailbox_max)  # of one actor
        self._table: dict[Address, Activation] = {}
        self._handled = RecentlyHandled()
        self.losses = LostRuns(kind.limits.turn_messages_max)  # also of actors and shards that have left
        self.suspects = Suspects(kind.ports.tasks)
        self._unread = Unread(kind.store)
        self.fetch = self._unread.read
        self._tick = 0
        self._made = 0
        self._leaving = Leaving(self._drop)
        # A broken turn drops the activation; its mail brings it back.
        self._options = ActorOptions(limits.mailbox_max, limits.turn_messages_max, restart=Restart.TEMPORARY)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def pending_max(self) -> int:
        """Of the actor that has most: its messages in memory, those of the running turn included."""
        return max((len(one.pending) for one in self._table.values()), default=0)

    def bind(self, context: Context) -> None:
        """The kind's own actor has started and is the parent of all that follow."""
        self._context = context

    def may_run(self, address: Address, shard: int) -> bool:
        """Whether turns of an actor may start here."""
        return shard in self.shards or address in self.guests

    # --- mail in ---

    def deliver(self, envelope: Envelope, shard: int, *, attempts: int = 0, from_store: bool = False) -> bool:
        """Hand a message to its actor. False: declined, it stays in the store."""
        address = envelope.address
        if self._handled.has_run(envelope.id, address):
            return True
        if not self.loans.is_empty and not from_store and self.loans.passes_on(address):
            return False
        activation = self._table.get(address)
        if activation is None:
            activation = self._admit(address, shard)
            if activation is None:
                return False
            activation.has_backlog = self.overflowed
        activation.touched = self._tick
        if envelope.id in activation.pending:
            return True
        if not from_store and not self._takes_pushes(activation, envelope):
            return False
        return self._enqueue(activation, envelope, attempts)

    def deliver_old(self, envelope: Envelope, shard: int) -> None:
        """A push of what may have been handled, or undone, by whoever had the shard before: the store tells."""
        address = envelope.address
        activation = self._table.get(address)
        is_here = activation is not None and envelope.id in activation.pending
        if not is_here and not self._handled.has_run(envelope.id, address):
            self._backlog.read_backlog(address, shard)

    def _takes_pushes(self, activation: Activation, envelope: Envelope) -> bool:
        reader = self._backlog
        if (reader.reading or reader.blocked) and reader.declines(
            activation.address, activation.shard, is_undo=bool(envelope.undo_of)
        ):
            return False
        if activation.has_backlog:
            if activation.is_idle:
                reader.read_backlog(activation.address, activation.shard)
            return False
        return True

    def _enqueue(self, activation: Activation, envelope: Envelope, attempts: int) -> bool:
        if self.paused or not self.throttle.admits():
            activation.has_backlog = True
            return False
        is_full = len(activation.pending) >= self._pending_most  # what a turn has put back does not fill the mailbox
        if is_full or activation.ref is None or not activation.ref.try_tell(envelope):
            activation.has_backlog = True
            return False
        activation.pending[envelope.id] = None
        if attempts:
            activation.attempts[envelope.id] = attempts
        return True

    def _admit(self, address: Address, shard: int) -> Activation | None:
        if self._context is None or not self.may_run(address, shard):
            return None
        if len(self._table) >= self.kind.limits.activations_max and not self._evict_one():
            self._overflow()
            return None
        activation = Activation(self.kind, address, shard, self, self._committer)
        self._made += 1
        try:
            # Numbered, since a predecessor of the same key may still be stopping.
            name = f"{address[1]}#{self._made}"
            activation.ref = self._context.spawn(lambda: activation, name, options=self._options)
        except ActorStopped:
            return None  # the kind itself is stopping; whoever takes over will find the mail
        self._table[address] = activation
        self._unread.add(activation)
        return activation

    def _overflow(self) -> None:
        """Mail waits in the store for actors that nothing in memory remembers."""
        self.overflowed = True
        self.declined += 1

    def fall_behind(self) -> None:
        """More may wait in the store than was read: every actor is fed before it takes pushes again."""
        self._overflow()
        for activation in self._table.values():
            activation.has_backlog = True

    # --- of another version ---

    def lends(self, activation: Activation, state: Message, first: Envelope) -> bool:
        """Drop an actor that this build cannot run, if another node does."""
        versioned = self.loans.versioned
        if versioned is None or (lack := versioned.lacks(state, first.key, first.type)) is None:
            return False
        if activation.shard not in self.shards:
            self.guests.forget(activation.address)  # its owner has asked the wrong one
        elif self.losses.is_condemned(first.id) or not self.loans.lend(first, activation.shard, lack.needs):
            return False
        self._drop(activation)
        return True

    def admit_guest(self, address: Address, shard: int, died: str) -> bool:
        """Run what waits for an actor that its owner cannot run. False: there is no room for it."""
        is_new = not self.may_run(address, shard)
        if shard not in self.shards and not self.guests.admit(address, shard, died, self._tick):
            return False
        self._backlog.read_backlog(address, shard, reread_all=is_new)
        return True

    # --- feeding from the store ---

    def _deliver_backlog(self, address: Address, shard: int, rows: list[MailRow], more: bool) -> None:
        now_s = self.kind.ports.clock.now_s()
        activation = self._table.get(address)
        if not rows:
            self.loans.end(address)
        elif died := self.guests.died(address):
            self.suspects.add_due(rows, died, now_s)
        if activation is not None:
            activation.has_backlog = more or activation.undos_only
            if activation.undos_only:
                return  # fed when its mailbox is empty
        for row in rows:
            if not self.deliver_row(row, now_s, from_store=True):
                break  # what comes after it must not overtake it
        made = self._table.get(address)  # by the first row, if it was not in memory before
        if more and made is not None:
            made.has_backlog = True

    def deliver_row(self, row: MailRow, now_s: float, *, from_store: bool = False) -> bool:
        """Deliver a row of mail if its time has come. False: declined.

        One that waits for a retry, or for another build, holds back those after it.
        """
        if row.due_at_s > now_s:
            if row.attempts or row.was_put_off():
                self._backlog.block(row.address, row.shard, row.due_at_s)
            return True
        if not from_store and self._handled.has_run(row.id, row.address):
            if self._handled.seen_again_in_mail(row.id):
                self._start_again(row.address, row.shard)
            return True
        try:
            envelope = decode(row.envelope)
        except InvalidMessage as error:
            self._backlog.park(row, f"undecodable: {error}")
            return True
        if from_store and row.address in self._backlog.blocked and not envelope.undo_of:
            return True
        return self.deliver(envelope, row.shard, attempts=row.attempts, from_store=from_store)

    def _start_again(self, address: Address, shard: int) -> None:
        """The store has lost commits: an actor starts again from what that has, and so does whoever writes to it."""
        activation = self._table.get(address)
        if activation is not None and activation.is_idle:
            self._drop(activation)
        self._backlog.read_backlog(address, shard, reread_all=True)

    # --- called by activations ---

    def release(self, activation: Activation, draft: Draft) -> None:
        self._handled.add(draft.consumed)
        if draft.laid_to_rest:
            self._handled.add(draft.laid_to_rest)
        if draft.failed:
            self.throttle.failed()
        else:
            self.throttle.succeeded()
        if draft.blocked_until_s:
            self._backlog.block(activation.address, activation.shard, draft.blocked_until_s)
        self._release(activation, draft)
        self.kind.report(draft.facts)
        if draft.alarm:
            self.kind.ports.report(ActorNeedsHelp(activation.name, draft.alarm))
        activation.ended = draft.ended

    def settled(self, activation: Activation) -> None:
        if activation.has_backlog and not activation.pending and not self.paused:
            if activation.address not in self._backlog.blocked:
                self._backlog.read_backlog(activation.address, activation.shard)
        elif activation.ended and not activation.pending:
            self._drop(activation)
        self._leaving.look(self._table)

    def reload(
        self, activation: Activation, reason: str, *, delay_s: float = 0.0, commit_refused: bool = False
    ) -> None:
        self.kind.ports.report(ActivationReloaded(activation.name, reason))
        self._drop(activation)
        if delay_s:
            self._backlog.block_for(activation.address, activation.shard, delay_s)
        else:
            self._backlog.read_backlog(activation.address, activation.shard, reread_all=commit_refused)

    def gone(self, activation: Activation) -> None:
        activation.let_go()
        address = activation.address
        self.suspects.done_with(address)
        if self._table.get(address) is activation:  # not dropped, so it has failed
            del self._table[address]
            self._unread.forget(address)
            self._backlog.block_for(address, activation.shard, AGAIN_S)
        activation.busy = False
        self._leaving.look(self._table)

    # --- leaving memory ---

    def _drop(self, activation: Activation) -> None:
        activation.stopping = True
        activation.busy = False
        self.suspects.done_with(activation.address)
        if self._table.get(activation.address) is activation:
            del self._table[activation.address]
            self._unread.forget(activation.address)
        if activation.ref is not None:
            activation.ref.stop()

    def _forget(self, activation: Activation) -> None:
        """Drop one that is idle."""
        if activation.has_backlog:
            self._overflow()
        self.guests.forget(activation.address)
        self._drop(activation)

    def _evict_one(self) -> bool:
        for _ in range(min(len(self._table), _EVICTION_LOOKS_MAX)):
            address, activation = next(iter(self._table.items()))
            if activation.is_idle:
                self._forget(activation)
                return True
            self._table[address] = self._table.pop(address)  # to the end, so that the next look meets others
        return False

    def passivate(self) -> None:
        """Let go of those that have had nothing to do since the last but one call."""
        self._tick += 1
        for activation in list(self._table.values()):
            if activation.touched < self._tick - 1 and activation.is_idle:
                self._forget(activation)
        self.guests.forget_before(self._tick - 1)

    def drop_all(self) -> None:
        """Forget everything at once: this node may no longer be the owner."""
        for activation in list(self._table.values()):
            self._drop(activation)
        self._backlog.clear()
        self._handled.clear()
        self.loans.clear()
        self.guests.clear()

    def when_idle(self, shards: frozenset[int], then: Callable[[], None]) -> None:
        """Let go of the actors of these shards, each when its turn has ended, and then call back.

        Intake must have been stopped before.
        """
        self._leaving.add(shards, then)
        self._leaving.look(self._table)
