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
from typing import Any

from google.protobuf.message import DecodeError

from runtime.actor.context import Context
from runtime.durable.residence.actor_in_memory import ActorInMemory, TurnChain
from runtime.durable.turn.chained import ChainedTurn
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.lost import TurnLost
from runtime.envelope import Envelope, address_of
from runtime.errors import Overloaded, StoreError, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.store.records import MailRow, Transition

__all__ = ["Activation"]

# Wanted in each turn, and found once: looking up an enum's member costs as much as three calls.
_BEGUN, _DECIDED, _SUBMITTED = Failpoint.TURN_BEGUN, Failpoint.TURN_DECIDED, Failpoint.TURN_SUBMITTED


class Activation(ActorInMemory):
    """A keyed durable actor while it is in memory."""

    __slots__ = ()

    async def stopped(self, context: Context) -> None:
        self.stopping = True
        self.ref = self._context = None
        self._host.gone(self)

    def ends_in_silence(self) -> bool:
        """Who drops an actor from memory has done all that `stopped` would do, except for suspects."""
        return self.stopping and self._host.suspects.is_empty

    async def receive_batch(self, context: Context, messages: Sequence[Any]) -> None:
        if self.stopping:
            return
        if self.busy:  # In somebody's chain. What has come meanwhile has its turn after that.
            self._context = context
            context.hold()
            context.put_back(messages)
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
        turn, batch = await self._turn(context, batch)
        if turn.draft.is_empty:
            self._end_turn(batch)
            return
        self.kind.ports.failpoint(_DECIDED)
        chain = self._host.chains.begin(self, turn, batch) if turn.draft.outgoing else None
        try:
            if chain is not None:
                await chain.follow()
            self._submit(context, turn.draft, batch, chain)
        except BaseException as error:
            if chain is not None:
                chain.abandon(f"the turn that has led to it ended with {type(error).__name__}")
            raise
        self.kind.ports.failpoint(_SUBMITTED)

    def _submit(self, context: Context, draft: Draft, batch: Sequence[Envelope], chain: TurnChain | None) -> None:
        """Raises StoreError and Overloaded."""
        if not self.may_commit():
            raise StoreUnavailable("the lease of this node may have run out")
        context.hold()
        if chain is not None and not chain.is_alone:
            chain.submit(self._committer)
        else:
            self._committer.submit(draft.finish(), partial(self.decided, draft, batch))

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

    async def _load(self, batch: Sequence[Envelope]) -> bool:
        """Read the row. False when the actor was dropped meanwhile, or its mail is parked: its row is not readable."""
        try:
            return await self._read_row()
        except DecodeError as error:
            self._park(batch, f"the state of {address_of(*self.address)} cannot be read: {error}")
            return False

    async def _turn(self, context: Context, batch: Sequence[Envelope]) -> tuple[ChainedTurn, Sequence[Envelope]]:
        """Run one, and say what of the batch it has done with. What is left of it begins the next."""
        losses = None if self._host.losses.is_empty else self._host.losses
        turn = self._new_turn(losses)
        if losses is not None:
            lost = [one for one in batch if losses.is_to_be_written(one.id)]
            if lost:
                context.put_back(batch)
                turn.note_lost(lost)
                return turn, ()
            most = losses.turn_max(self.address)
            context.put_back(batch[most:])
            batch = batch[:most]
        self._ran = turn.ran
        await turn.run(batch)
        if turn.left:
            context.put_back(turn.left)
            batch = batch[: -len(turn.left)]
        return turn, batch

    def _park(self, batch: Sequence[Envelope], reason: str) -> None:
        now_s = self.kind.ports.clock.now_s()
        mail = [one for one in batch if not one.timer]  # a timer is no mail: it stays in the row
        rows = tuple(MailRow.of(one, self.shard, attempts=1, parked=reason, parked_at_s=now_s) for one in mail)
        transition = Transition(address=self.address, shard=self.shard, rescheduled=rows)
        self._committer.submit(transition, lambda verdict: self._host.reload(self, reason))
