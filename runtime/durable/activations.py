"""The actors of one kind that are in memory on this node: find or make them, feed them, let idle ones go.

    region, sweeper ──deliver──▶ Activations ──▶ Activation (a child of the kind's own actor)
                                     │
                                     └──feed──▶ store.waiting_for   after an overflow, a retry that fell due, a reload

Delivery may always be declined: the message is in the store, and is fed or swept later. It is declined when the
actor's mailbox is full, when an earlier message of it waits for a retry (so that order holds), when the kind is
throttled, paused or draining, and when too many actors are in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.actor.context import ActorOptions, Context, Restart
from runtime.durable.activation import Activation
from runtime.durable.facts import ActivationReloaded, ActorNeedsHelp, MessageParked, SweepFailed
from runtime.durable.kind import Kind
from runtime.durable.throttle import Throttle
from runtime.durable.transition import Draft
from runtime.envelope import Address, Envelope, address_of, decode
from runtime.errors import ActorStopped, InvalidMessage, StoreError
from runtime.store.committer import Committer
from runtime.store.records import MailRow, Transition

__all__ = ["Activations"]

_RECENT_MAX = 8192  # ids consumed lately, remembered so that a slow sweep does not run them again
_EVICTION_LOOKS_MAX = 64
_FETCH_MAX = 32  # rows read at once


class Activations:
    """The table of one kind's actors in memory."""

    def __init__(self, kind: Kind, committer: Committer, release: Callable[[Activation, Draft], None]) -> None:
        self.kind = kind
        self.throttle = Throttle(kind.name, kind.ports)
        self.paused = False
        self._committer = committer
        self._release = release
        self._context: Context | None = None
        self._table: dict[Address, Activation] = {}
        self._blocked: dict[Address, float] = {}  # until when the head of its mail waits for a retry
        self._feeding: dict[Address, bool] = {}  # True: mail was declined meanwhile, so feed once more
        self._recent: dict[bytes, None] = {}
        self._older: dict[bytes, None] = {}
        self._unfetched: dict[Address, Activation] = {}  # made lately; read together by the first that runs
        self._tick = 0
        self._made = 0
        self._leaving: list[tuple[frozenset[int], Callable[[], None]]] = []
        options = ActorOptions(
            mailbox_max=kind.limits.mailbox_max,
            throughput=kind.limits.turn_messages_max,
            restart=Restart.TEMPORARY,  # a broken turn drops the activation; its mail brings it back
        )
        self._options = options

    def __len__(self) -> int:
        return len(self._table)

    def bind(self, context: Context) -> None:
        """The kind's own actor has started and is the parent of all that follow."""
        self._context = context

    # --- mail in ---

    def deliver(self, envelope: Envelope, shard: int, *, attempts: int = 0, fed: bool = False) -> bool:
        """Hand a message to its actor. False: declined, it stays in the store."""
        address = envelope.address
        if envelope.id in self._recent or envelope.id in self._older:
            return True
        activation = self._table.get(address)
        if activation is None:
            activation = self._admit(address, shard)
            if activation is None:
                return False
        activation.touched = self._tick
        if envelope.id in activation.pending:
            return True
        if not fed and not self._takes_pushes(activation, envelope):
            return False
        return self._enqueue(activation, envelope, attempts)

    def _takes_pushes(self, activation: Activation, envelope: Envelope) -> bool:
        address = activation.address
        if address in self._feeding:
            self._feeding[address] = True
            return False
        if activation.behind:
            if activation.is_idle:
                self.feed(address, activation.shard)
            return False
        return not self._blocked or address not in self._blocked or bool(envelope.undo_of)

    def _enqueue(self, activation: Activation, envelope: Envelope, attempts: int) -> bool:
        if self.paused or not self.throttle.admits():
            activation.behind = True
            return False
        if activation.ref is None or not activation.ref.try_tell(envelope):
            activation.behind = True
            return False
        activation.pending[envelope.id] = None
        if attempts:
            activation.attempts[envelope.id] = attempts
        return True

    def _admit(self, address: Address, shard: int) -> Activation | None:
        if self._context is None or (len(self._table) >= self.kind.limits.activations_max and not self._evict_one()):
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
        self._unfetched[address] = activation
        return activation

    # --- feeding from the store ---

    def feed(self, address: Address, shard: int) -> None:
        """Read all the mail of one actor and deliver it in order."""
        if address in self._feeding:
            self._feeding[address] = True
            return
        self._feeding[address] = False
        self.kind.ports.tasks.start(self._feed(address, shard), name=f"feed {address_of(*address)}")

    async def _feed(self, address: Address, shard: int) -> None:
        try:
            again = True
            while again:
                self._feeding[address] = False
                rows = await self.kind.store.waiting_for(address, shard, limit=self.kind.limits.mailbox_max)
                self._feed_rows(address, shard, rows)
                again = self._feeding[address]
        except StoreError as error:
            self.kind.ports.report(SweepFailed(self.kind.name, str(error)))  # the sweep comes round again
        finally:
            self._feeding.pop(address, None)

    def _feed_rows(self, address: Address, shard: int, rows: list[MailRow]) -> None:
        now_s = self.kind.ports.clock.now_s()
        activation = self._table.get(address)
        if activation is not None:
            activation.behind = len(rows) >= self.kind.limits.mailbox_max
        self._blocked.pop(address, None)
        for row in rows:
            if not row.parked and not self.deliver_row(row, now_s, fed=True):
                break  # what comes after it must not overtake it

    def deliver_row(self, row: MailRow, now_s: float, *, fed: bool = False) -> bool:
        """Deliver a row of mail if its time has come. False: declined.

        One that waits for a retry holds back those after it.
        """
        if row.due_at_s > now_s:
            if row.attempts:
                self.block(row.address, row.shard, row.due_at_s)
            return True
        try:
            envelope = decode(row.envelope)
        except InvalidMessage as error:
            self._park_undecodable(row, str(error))
            return True
        if fed and row.address in self._blocked and not envelope.undo_of:
            return True
        return self.deliver(envelope, row.shard, attempts=row.attempts, fed=fed)

    def _park_undecodable(self, row: MailRow, reason: str) -> None:
        now_s = self.kind.ports.clock.now_s()
        parked = replace(row, parked=f"undecodable: {reason}", parked_at_s=now_s)
        transition = Transition(address=row.address, shard=row.shard, rescheduled=(parked,))
        self.kind.ports.report(MessageParked(address_of(*row.address), "?", row.id.hex(), row.attempts, reason))
        self._committer.submit(transition, lambda verdict: None)  # not parked now: the next sweep tries again

    def block(self, address: Address, shard: int, until_s: float) -> None:
        """Hold an actor's later mail until its retry is due, then feed it."""
        self._blocked[address] = until_s
        clock = self.kind.ports.clock
        clock.call_later(max(0.0, until_s - clock.now_s()), self._unblock, address, shard, until_s)

    def _unblock(self, address: Address, shard: int, until_s: float) -> None:
        if self._blocked.get(address) == until_s:
            del self._blocked[address]
            self.feed(address, shard)

    # --- called by activations ---

    async def fetch(self, activation: Activation) -> None:
        unfetched = self._unfetched
        together = [activation]
        unfetched.pop(activation.address, None)
        while unfetched and len(together) < _FETCH_MAX:
            together.append(unfetched.popitem()[1])
        rows = await self.kind.store.load([one.address for one in together])
        for one, row in zip(together, rows, strict=True):
            if not one.fetched:
                one.row = row
                one.fetched = True

    def release(self, activation: Activation, draft: Draft) -> None:
        if len(self._recent) > _RECENT_MAX:
            self._recent, self._older = {}, self._recent
        self._recent.update(draft.consumed)
        if draft.rescheduled:
            self.throttle.failed()
            if draft.blocked_until_s:
                self.block(activation.address, activation.shard, draft.blocked_until_s)
        else:
            self.throttle.succeeded()
        self._release(activation, draft)
        if draft.alarm:
            self.kind.ports.report(ActorNeedsHelp(activation.name, draft.alarm))
        activation.ended = draft.ended

    def settled(self, activation: Activation) -> None:
        if activation.ended and activation.is_idle and not activation.behind:
            self._drop(activation)
        if activation.behind and not activation.pending and not self.paused:
            self.feed(activation.address, activation.shard)
        if self._leaving:
            self._let_go()

    def reload(self, activation: Activation, reason: str, *, delay_s: float = 0.0) -> None:
        address, shard = activation.address, activation.shard
        self.kind.ports.report(ActivationReloaded(activation.name, reason))
        self._drop(activation)
        if delay_s:
            self.kind.ports.clock.call_later(delay_s, self.feed, address, shard)
        else:
            self.feed(address, shard)

    def gone(self, activation: Activation) -> None:
        activation.let_go()
        if self._table.get(activation.address) is activation:
            del self._table[activation.address]
        activation.busy = False
        if self._leaving:
            self._let_go()

    # --- leaving memory ---

    def _drop(self, activation: Activation) -> None:
        activation.stopping = True
        activation.busy = False
        self._unfetched.pop(activation.address, None)
        if self._table.get(activation.address) is activation:
            del self._table[activation.address]
        if activation.ref is not None:
            activation.ref.stop()

    def _evict_one(self) -> bool:
        for looked, activation in enumerate(self._table.values()):
            if activation.is_idle:
                self._drop(activation)
                return True
            if looked >= _EVICTION_LOOKS_MAX:
                break
        return False

    def passivate(self) -> None:
        """Let go of those that have had nothing to do since the last but one call."""
        self._tick += 1
        for activation in list(self._table.values()):
            if activation.touched < self._tick - 1 and activation.is_idle:
                self._drop(activation)

    def drop_all(self) -> None:
        """Forget everything at once: this node may no longer be the owner."""
        for activation in list(self._table.values()):
            self._drop(activation)
        self._blocked.clear()

    def when_idle(self, shards: frozenset[int], then: Callable[[], None]) -> None:
        """Let go of the actors of these shards, each when its turn has ended, and then call back.

        Intake must have been stopped before.
        """
        self._leaving.append((shards, then))
        self._let_go()

    def _let_go(self) -> None:
        leaving, self._leaving = self._leaving, []
        for shards, then in leaving:
            concerned = [one for one in self._table.values() if one.shard in shards]
            for activation in concerned:
                if not activation.busy:
                    self._drop(activation)
            if any(activation.busy for activation in concerned):
                self._leaving.append((shards, then))
            else:
                then()
