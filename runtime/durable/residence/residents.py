"""The actors of one kind that are in memory on this node: mail is handed to them, and what it needs is arranged.

    router, sweeper ──deliver──▶ Residents ──▶ Memory ──▶ Activation
                                     │
                                     └──what has happened──▶ BacklogReader   an overflow, a retry, a reload

Delivery may always be declined: the message is in the store, and is read from there later. It is declined when a
mailbox is full, when an earlier message waits for a retry (so that order holds), when the kind is throttled, paused or
draining, when too many actors are in memory, and when the shard is not this node's. What was declined is never
overtaken: for its actor, or if that is not in memory for the kind, the store is read before it takes pushes again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from google.protobuf.message import Message

from runtime.actor.context import ActorOptions, Restart
from runtime.durable.kind import Kind
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.actor_in_memory import ActorInMemory
from runtime.durable.residence.backlog import AGAIN_S, BacklogReader
from runtime.durable.residence.chains import Chains
from runtime.durable.residence.lending import Guests, Loans
from runtime.durable.residence.memory import ActivationReloaded, Memory
from runtime.durable.residence.overflows import Overflows
from runtime.durable.residence.ramp import Ramp
from runtime.durable.residence.release import Outlet, Release
from runtime.durable.residence.suspects import Suspects
from runtime.durable.turn.lost import LostRuns
from runtime.envelope import Address, Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.store.committer import Committer
from runtime.store.records import MailRow

__all__ = ["Residents"]


class Residents:
    """Of one kind on one node."""

    def __init__(
        self,
        kind: Kind,
        committer: Committer,
        outlet: Outlet,
        read_again: Callable[[], Awaitable[None]],
        may_commit: Callable[[], bool],
    ) -> None:
        self.kind = kind
        self.guests = Guests()
        self.may_commit = may_commit
        self.paused = False
        self.shards: set[int] = set()  # in which turns may start here: owned, or being taken over
        self.overflows = Overflows()
        limits = kind.limits  # A broken turn drops the activation; its mail brings it back.
        options = ActorOptions(limits.mailbox_max, limits.turn_messages_max, restart=Restart.TEMPORARY)
        self.ramp = Ramp(kind.ports.clock)
        self._memory = Memory(kind.store, self.ramp, options, limits.activations_max, self._new, self._forget)
        self._backlog = BacklogReader(kind, committer, self.may_run, self._deliver_backlog, read_again)
        self.loans = Loans(kind, self._backlog)
        self._pending_most = limits.mailbox_max + min(limits.turn_messages_max, limits.mailbox_max)  # for one actor
        self.release = Release(kind.name, kind.ports, outlet, partial(self._backlog.put_off, in_turn=True))
        self._handled, self.throttle = self.release.handled, self.release.throttle
        told = None if kind.tracing is None else kind.tracing.lost
        self.losses = LostRuns(limits.turn_messages_max, told)  # those that have left are remembered, too
        self.suspects = Suspects(kind, committer, self.losses.condemn)
        self.undos_only, self.is_blocked = self._backlog.undos_only, self._backlog.is_blocked
        self._committer = committer
        self.chains = Chains(kind, outlet, self, self._memory, self._backlog.intakes, self._admit)
        self.bind, self.fetch, self.takes_up = self._memory.bind, self._memory.read, self._memory.takes_up
        self.when_idle, self.is_here = self._memory.when_idle, self._memory.__contains__

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def pending_max(self) -> int:  # those of the running turn included
        return max((len(one.pending) for one in self._memory.all()), default=0)

    def may_run(self, address: Address, shard: int) -> bool:
        """Whether turns of an actor may start here."""
        return shard in self.shards or address in self.guests

    # --- mail in ---

    def deliver(
        self, envelope: Envelope, shard: int, *, attempts: int = 0, from_store: bool = False, swept: bool = False
    ) -> bool:
        """Hand a message to its actor. False: declined, it stays in the store. `swept`: it has waited there."""
        address = envelope.address
        if self._handled.has_run(envelope.id, address):
            return True
        if not self.loans.is_empty and not from_store and self.loans.passes_on(address):
            return False
        activation = self._memory.get(address)
        if activation is None:
            activation = self._admit(address, shard, swept=swept)
            if activation is None:
                return False
            if self.overflows.are_open:
                self._backlog.mail_left(address, shard)
        activation.touched = self._memory.tick
        if envelope.id in activation.pending:
            return True
        if from_store:
            return self._enqueue(activation, envelope, attempts)
        if address in self._backlog.intakes:
            is_undo, is_idle = bool(envelope.undo_of), activation.is_idle
            if not self._backlog.takes_push(address, shard, is_undo=is_undo, is_idle=is_idle):
                return self._declined(activation)
        if self._enqueue(activation, envelope, attempts):
            return True
        self._backlog.mail_left(address, shard)
        return self._declined(activation)

    def _declined(self, activation: Activation) -> bool:
        """Mail of it was left in the store. It takes no room of others, unless it works or soon will."""
        if activation.is_idle and not self._backlog.is_reading(activation.address):
            self.ramp.dropped(activation.address)
        return False

    def deliver_old(self, envelope: Envelope, shard: int) -> None:
        """A push of what may have been handled, or undone, by whoever had the shard before: the store tells."""
        address = envelope.address
        activation = self._memory.get(address)
        is_here = activation is not None and envelope.id in activation.pending
        if not is_here and not self._handled.has_run(envelope.id, address):
            self._backlog.read(address, shard)

    def _enqueue(self, activation: Activation, envelope: Envelope, attempts: int) -> bool:
        if self.paused or not self.throttle.admits():
            return False
        is_full = len(activation.pending) >= self._pending_most  # what a turn has put back does not fill the mailbox
        if is_full or activation.ref is None or not activation.ref.try_tell(envelope):
            return False
        activation.pending[envelope.id] = None
        if attempts:
            activation.attempts[envelope.id] = attempts
        return True

    def _admit(self, address: Address, shard: int, *, swept: bool = False) -> Activation | None:
        if not self.may_run(address, shard):
            return None
        if not self._memory.has_room():
            self.overflows.note()
            return None
        return self._memory.make(address, shard, for_stored=swept)

    def _new(self, address: Address, shard: int) -> Activation:
        return Activation(self.kind, address, shard, self, self._committer)

    def note_missed_mail(self) -> None:
        """More may wait in the store than was read: for every actor it is read before it takes pushes again."""
        self.overflows.note()
        for activation in self._memory.all():
            self._backlog.mail_left(activation.address, activation.shard)

    # --- of another version ---

    def lends(self, activation: ActorInMemory, state: Message, first: Envelope) -> bool:
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
        if shard not in self.shards and not self.guests.admit(address, shard, died, self._memory.tick):
            return False
        self._backlog.read(address, shard, reread_all=is_new)
        return True

    # --- from the store ---

    def _deliver_backlog(self, address: Address, shard: int, rows: list[MailRow], more: bool) -> bool:
        now_s = self.kind.ports.clock.now_s()
        if not rows:
            self.loans.end(address)
        elif died := self.guests.died(address):
            self.suspects.add_due(rows, died, now_s)
        for row in rows:
            if not self.deliver_row(row, now_s, from_store=True):
                more = True  # what comes after it must not overtake it
                break
        if (activation := self._memory.get(address)) is not None and activation.is_idle:
            self.ramp.dropped(address)
        if more and address not in self._memory:
            if self.may_run(address, shard):
                self.overflows.note()
            return False
        return more

    def deliver_row(self, row: MailRow, now_s: float, *, from_store: bool = False) -> bool:
        """Deliver a row of mail if its time has come. False: declined.

        One that waits for a retry, or for another build, holds back those after it.
        """
        if row.due_at_s > now_s:
            if row.attempts or row.was_put_off():
                self._backlog.put_off(row.address, row.shard, row.due_at_s)
            return True
        if not from_store and self._handled.has_run(row.id, row.address):
            if self._handled.seen_again_in_mail(row.id):
                self._start_again(row.address, row.shard)
            return True
        if not from_store and not self.takes_up(row.address):
            self.overflows.note()
            return False
        try:
            envelope = decode(row.envelope)
        except InvalidMessage as error:
            self._backlog.park(row, f"undecodable: {error}")
            return True
        if from_store and not envelope.undo_of and self._backlog.is_blocked(row.address):
            return True
        return self.deliver(envelope, row.shard, attempts=row.attempts, from_store=from_store, swept=not from_store)

    def _start_again(self, address: Address, shard: int) -> None:
        """The store has lost commits: an actor starts again from what that has, and so does whoever writes to it."""
        activation = self._memory.get(address)
        if activation is not None and activation.is_idle:
            self._drop(activation)
        self._backlog.read(address, shard, reread_all=True)

    # --- called by activations ---

    def left_over(self, activation: ActorInMemory) -> None:
        self._backlog.left_over(activation.address, activation.shard)

    def settled(self, activation: ActorInMemory) -> None:
        address, is_read = activation.address, False
        self.ramp.done(address)
        if address in self._backlog.intakes:
            here = self._memory.get(address)  # another, or none, if this one was dropped during its commit
            is_empty, may_read = here is None or not here.pending, not self.paused
            is_read = self._backlog.turn_ended(address, activation.shard, is_empty=is_empty, may_read=may_read)
        if not is_read and not activation.pending and activation.ended:
            self._leave(activation)
        self._memory.look_for_idle()

    def reload(self, activation: ActorInMemory, reason: str, *, delay_s: float = 0.0, reread_all: bool = False) -> None:
        self.kind.ports.report(ActivationReloaded(address_of(*activation.address), reason))
        self._drop(activation)
        if delay_s:
            self._backlog.put_off_for(activation.address, activation.shard, delay_s)
        else:
            self._backlog.read(activation.address, activation.shard, reread_all=reread_all)

    def gone(self, activation: ActorInMemory) -> None:
        self.suspects.done_with(activation)
        if self._memory.remove(activation):  # not dropped, so it has failed
            self._backlog.left_memory(activation.address, activation.shard)
            self._backlog.put_off_for(activation.address, activation.shard, AGAIN_S)
        activation.busy = False
        self._memory.look_for_idle()

    # --- leaving memory ---

    def _drop(self, activation: ActorInMemory) -> bool:
        """True: mail of it was left in the store, and nothing remembers that any more."""
        activation.stopping = True
        activation.busy = False
        address = activation.address
        is_forgotten = False
        if self._memory.remove(activation):
            is_forgotten = self._backlog.left_memory(address, activation.shard)
        if activation.stop_cell():
            self._memory.look_for_idle()
        return is_forgotten

    def _leave(self, activation: ActorInMemory) -> None:
        if self._drop(activation) and self.may_run(activation.address, activation.shard):
            self.overflows.note()

    def _forget(self, activation: Activation) -> None:
        self.guests.forget(activation.address)
        self._leave(activation)

    def passivate(self) -> None:
        """Let go of those that have had nothing to do since the last but one call."""
        self._memory.passivate()
        self.guests.forget_before(self._memory.tick - 1)

    def drop_all(self) -> None:
        """This node may no longer be the owner."""
        for activation in self._memory.all():
            self._drop(activation)
        for remembered in (self._backlog, self._handled, self.loans, self.guests):
            remembered.clear()
