"""One durable actor in memory: loads its row, runs turns over its mail, and releases their effects after the commit.

    Residents ──envelopes──▶ cell ──batch──▶ Activation ──Turn──▶ Draft ──▶ committer
                                                    ◀────── verdict ──────────┘
                                                    └──▶ ActivationHost.release(draft)   only if it committed

While a commit is under way the cell is held, so the next turn starts from what the store says. Whatever is not exactly
as expected (another owner wrote, mail is gone, the store failed) ends in one way: this activation is dropped, and the
actor's mail is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from google.protobuf.message import DecodeError, Message

from runtime.actor.actor import BatchActor
from runtime.actor.context import Context
from runtime.actor.ref import ActorRef
from runtime.durable.kind import Kind
from runtime.durable.residence.suspects import Suspects
from runtime.durable.turn.draft import Draft, state_and_timers
from runtime.durable.turn.lost import LostRuns, TurnLost
from runtime.durable.turn.turn import Turn
from runtime.envelope import Address, Envelope, address_of
from runtime.errors import Overloaded, StoreError, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.protos import durable_pb2
from runtime.store.committer import Committer
from runtime.store.records import ActorRow, MailRow, Transition, Verdict

__all__ = ["Activation", "ActivationHost"]

# Wanted in each turn, and found once: looking up an enum's member costs as much as three calls.
_BEGUN, _DECIDED, _SUBMITTED = Failpoint.TURN_BEGUN, Failpoint.TURN_DECIDED, Failpoint.TURN_SUBMITTED
_COMMITTED, _RELEASED = Failpoint.TURN_COMMITTED, Failpoint.TURN_RELEASED
_WRITTEN = Verdict.COMMITTED


class ActivationHost(Protocol):
    """What an activation asks of the table it lives in."""

    suspects: Suspects
    losses: LostRuns

    def lends(self, activation: Activation, state: Message, first: Envelope) -> bool:
        """Whether another node runs it, whose build has the version that this one lacks. Then it is dropped."""

    async def fetch(self, activation: Activation) -> None:
        """Read its row, and those of others that are about to need theirs. Raises StoreError."""

    def may_commit(self) -> bool:
        """False when another node may have the shard by now, as after a freeze in the middle of a turn."""

    def release(self, draft: Draft) -> None:
        """The draft is in the store: send, answer, tell."""

    def undos_only(self, address: Address) -> bool:
        """Whether earlier mail was left in the store: what is in the mailbox is then read again after it."""

    def left_over(self, activation: Activation) -> None:
        """Of what was in its mailbox, only the first part fits into a turn."""

    def settled(self, activation: Activation) -> None:
        """A turn has ended and nothing of it is under way."""

    def reload(self, activation: Activation, reason: str, *, delay_s: float = 0.0, reread_all: bool = False) -> None:
        """Drop this activation and read the actor's mail again. If another has written, all others' first."""

    def gone(self, activation: Activation) -> None:
        """The cell has stopped."""


class Activation(BatchActor):
    """A keyed durable actor while it is in memory."""

    __slots__ = (
        "_committer",
        "_context",
        "_host",
        "_loaded",
        "_ran",
        "_state",
        "_timers",
        "address",
        "attempts",
        "busy",
        "ended",
        "fetched",
        "kind",
        "pending",
        "ref",
        "row",
        "shard",
        "stopping",
        "touched",
    )

    def __init__(self, kind: Kind, address: Address, shard: int, host: ActivationHost, committer: Committer) -> None:
        self.kind = kind
        self.address = address
        self.shard = shard
        self.row: ActorRow | None = None  # as last committed; None also before it is fetched
        self.fetched = False
        self.pending: dict[bytes, None] = {}  # ids in the mailbox or in the running turn
        self.attempts: dict[bytes, int] = {}  # failed runs before, of those that had any
        self.busy = False  # a turn is running or committing
        self.stopping = False
        self.ended = False  # its last decision said that nothing more is expected
        self.touched = 0
        self.ref: ActorRef | None = None
        self._host = host
        self._committer = committer
        self._loaded = False
        self._state: Message | None = None
        self._timers: dict[str, durable_pb2.Timer] = {}
        self._context: Context | None = None
        self._ran: Sequence[bytes] = ()  # messages whose handlers were called in the turn that runs or commits

    @property
    def is_idle(self) -> bool:
        return not self.busy and not self.pending

    async def stopped(self, context: Context) -> None:
        self.stopping = True
        self.ref = self._context = None  # they are a cycle, and there are thousands of actors
        self._host.gone(self)

    async def receive_batch(self, context: Context, messages: Sequence[Any]) -> None:
        if self.stopping:
            return
        waiting: Sequence[Envelope] = [one for one in messages if one.id in self.pending]
        if self._host.undos_only(self.address):
            waiting = self._undos(waiting)
        if not waiting:
            self._host.suspects.done_with(self)
            self._end_turn(())
            return
        self.busy, self._context = True, context
        batch: Sequence[Envelope] = self._fitting(waiting) if len(waiting) > 1 else waiting
        try:
            await self._run(context, batch)
        except (StoreError, Overloaded) as error:
            self._lose(str(error))
            self._host.reload(self, str(error), delay_s=1.0)
        except TurnLost as error:
            self._lose(str(error), write_first=False)
            self._host.reload(self, str(error))
        except BaseException as error:
            self._lose(f"the turn ended with {type(error).__name__}")
            raise

    async def _run(self, context: Context, batch: Sequence[Envelope]) -> None:
        """One turn, up to its commit. Raises StoreError, Overloaded and TurnLost."""
        if not self._host.suspects.is_empty:
            batch = await self._on_trial(context, batch)
            if not batch:
                return
        self.kind.ports.failpoint(_BEGUN)
        if not self._loaded and not await self._load(batch):
            return
        if self._state is not None and self._host.lends(self, self._state, batch[0]):
            return
        draft, batch = await self._turn(context, batch)
        if draft.is_empty:
            self._end_turn(batch)
            return
        self.kind.ports.failpoint(_DECIDED)
        if not self._host.may_commit():
            raise StoreUnavailable("the lease of this node may have run out")
        context.hold()
        self._committer.submit(draft.finish(), partial(self._decided, draft, batch))
        self.kind.ports.failpoint(_SUBMITTED)

    async def _on_trial(self, context: Context, batch: Sequence[Envelope]) -> Sequence[Envelope]:
        """Of a batch, what may run now; nothing when the actor was dropped while it waited for its trial."""
        suspects = self._host.suspects
        fitting = suspects.fitting(batch)
        context.put_back(batch[fitting:])
        await suspects.await_trial(self, batch[0].id)
        if not self.stopping:
            await suspects.hold_trial(batch[0], self.shard, self.attempts)
        if self.stopping:
            suspects.done_with(self)
            return ()
        return batch[:fitting]

    def _fitting(self, messages: Sequence[Envelope]) -> Sequence[Envelope]:
        """As many as the limit on a turn's bytes allows; the others stay in the store and are read again."""
        room = self.kind.limits.turn_bytes_max
        for count, envelope in enumerate(messages):
            room -= len(envelope.encoded)
            if room < 0 and count:
                self._host.left_over(self)
                self._forget(messages[count:])
                return messages[:count]
        return messages

    def _undos(self, messages: Sequence[Envelope]) -> Sequence[Envelope]:
        """Of what must not run before earlier mail, the undos, which may; the others are only forgotten here."""
        self._forget([one for one in messages if not one.undo_of])
        return [one for one in messages if one.undo_of]

    def _forget(self, messages: Sequence[Envelope]) -> None:
        for envelope in messages:
            self.pending.pop(envelope.id, None)

    async def _load(self, batch: Sequence[Envelope]) -> bool:
        """Read the row. False when the actor was dropped meanwhile, or its mail is parked: its row is not readable."""
        if not self.fetched:
            self.kind.ports.failpoint(Failpoint.ROW_WANTED)
            await self._host.fetch(self)
            self.kind.ports.failpoint(Failpoint.ROW_READ)
            if self.stopping:
                return False
        try:
            self._state, self._timers = state_and_timers(self.row, self.kind.behaviour.state_type)
        except DecodeError as error:
            self._park(batch, f"the state of {address_of(*self.address)} cannot be read: {error}")
            return False
        self._loaded = True
        return True

    async def _turn(self, context: Context, batch: Sequence[Envelope]) -> tuple[Draft, Sequence[Envelope]]:
        """Run one, and say what of the batch it has done with. What is left of it begins the next."""
        assert self._state is not None
        losses, timers = None if self._host.losses.is_empty else self._host.losses, dict(self._timers)
        draft = Draft(self.kind, self.address, self.shard, self.row, timers, self.kind.ports.clock.now_s())
        turn = Turn(draft, self._state, self.attempts, losses)
        if losses is not None:
            lost = [one for one in batch if losses.is_to_be_written(one.id)]
            if lost:
                context.put_back(batch)
                return turn.note_lost(lost), ()
            most = losses.turn_max(self.address)
            context.put_back(batch[most:])
            batch = batch[:most]
        self._ran = turn.ran
        draft = await turn.run(batch)
        if turn.left:
            context.put_back(turn.left)
            batch = batch[: -len(turn.left)]
        return draft, batch

    def _lose(self, reason: str, *, write_first: bool = True) -> None:
        """The turn has come to nothing: what ran in it has run in vain."""
        if self._ran:
            self._host.losses.add(self.address, self._ran, reason, write_first=write_first)
            self._ran = ()

    def _park(self, batch: Sequence[Envelope], reason: str) -> None:
        now_s = self.kind.ports.clock.now_s()
        mail = [one for one in batch if not one.timer]  # a timer is no mail: it stays in the row
        rows = tuple(MailRow.of(one, self.shard, attempts=1, parked=reason, parked_at_s=now_s) for one in mail)
        transition = Transition(address=self.address, shard=self.shard, rescheduled=rows)
        self._committer.submit(transition, lambda verdict: self._host.reload(self, reason))

    # --- after the commit ---

    def _decided(self, draft: Draft, batch: Sequence[Envelope], verdict: Verdict | StoreError) -> None:
        if verdict is _WRITTEN:
            self.kind.ports.failpoint(_COMMITTED)
            self._advance(draft)
            if not self._host.losses.is_empty:
                self._host.losses.settle(draft, self.attempts, was_noted=not batch)
            self._host.release(draft)
            self.kind.ports.failpoint(_RELEASED)
            self._end_turn(batch)
            return
        self.kind.ports.failpoint(Failpoint.TURN_REFUSED)
        self._lose(f"the store said {verdict}", write_first=isinstance(verdict, StoreError))
        if isinstance(verdict, StoreError):
            self._host.reload(self, str(verdict), delay_s=1.0)
        else:
            self._host.reload(self, f"commit of revision {draft.revision}: {verdict}", reread_all=True)

    def _advance(self, draft: Draft) -> None:
        self.row = draft.row_after
        self._timers = draft.timers
        self.ended = draft.ended
        self._ran = ()
        for id in draft.never_to_run:
            self.pending.pop(id, None)  # it may be in the mailbox

    def _end_turn(self, batch: Sequence[Envelope]) -> None:
        pending = self.pending
        for envelope in batch:
            pending.pop(envelope.id, None)
        if batch and not self._host.suspects.is_empty:
            self._host.suspects.done_with(self, [one.id for one in batch])
        if self.attempts:
            for envelope in batch:
                self.attempts.pop(envelope.id, None)
        self.busy = False
        if self._context is not None:
            self._context.release()
        self._host.settled(self)
