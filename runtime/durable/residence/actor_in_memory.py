"""One durable actor in memory, as its row and its mail have it: what a turn begins with, and what one leaves behind.

Activation derives from it, and runs the turns. A chain asks it for a turn of its own: see `chain.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from runtime.actor.actor import BatchActor
from runtime.actor.context import Context
from runtime.actor.ref import ActorRef
from runtime.durable.behaviour import Versioned
from runtime.durable.kind import Kind
from runtime.durable.residence.suspects import Suspects
from runtime.durable.turn.chained import ChainedTurn
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.lost import LostRuns
from runtime.durable.turn.stored_state import state_and_timers
from runtime.envelope import Address, Envelope
from runtime.errors import StoreError
from runtime.failpoints import Failpoint
from runtime.protos import durable_pb2
from runtime.store.committer import Committer
from runtime.store.records import ActorRow, Verdict

__all__ = ["ActivationHost", "ActorInMemory", "TurnChain"]

# Wanted in each turn, and found once: looking up an enum's member costs as much as three calls.
_COMMITTED, _RELEASED = Failpoint.TURN_COMMITTED, Failpoint.TURN_RELEASED
_WRITTEN = Verdict.COMMITTED


class TurnChain(Protocol):
    """See `chain.py`."""

    @property
    def is_alone(self) -> bool: ...

    async def follow(self) -> None: ...

    def submit(self, committer: Committer) -> None: ...

    def abandon(self, reason: str) -> None: ...


class ChainRules(Protocol):
    """See `chains.py`."""

    @property
    def versioned(self) -> Versioned | None: ...

    def begin(self, first: ActorInMemory, turn: ChainedTurn, batch: Sequence[Envelope]) -> TurnChain | None: ...

    def admits(self, address: Address) -> bool: ...

    def take_for_new(self, activation: ActorInMemory) -> bool: ...


class ActivationHost(Protocol):
    """What an activation asks of the table it lives in."""

    suspects: Suspects
    losses: LostRuns

    @property
    def chains(self) -> ChainRules:
        """Whose turns follow from one another before they are committed."""

    def lends(self, activation: ActorInMemory, state: Message, first: Envelope) -> bool:
        """Whether another node runs it, whose build has the version that this one lacks. Then it is dropped."""

    async def fetch(self, activation: ActorInMemory) -> None:
        """Read its row, and those of others that are about to need theirs. Raises StoreError."""

    def may_commit(self) -> bool:
        """False when another node may have the shard by now, as after a freeze in the middle of a turn."""

    def release(self, draft: Draft) -> None:
        """The draft is in the store: send, answer, tell."""

    def undos_only(self, address: Address) -> bool:
        """Whether earlier mail was left in the store: what is in the mailbox is then read again after it."""

    def left_over(self, activation: ActorInMemory) -> None:
        """Of what was in its mailbox, only the first part fits into a turn."""

    def settled(self, activation: ActorInMemory) -> None:
        """A turn has ended and nothing of it is under way."""

    def reload(self, activation: ActorInMemory, reason: str, *, delay_s: float = 0.0, reread_all: bool = False) -> None:
        """Drop this activation and read the actor's mail again. If another has written, all others' first."""

    def gone(self, activation: ActorInMemory) -> None:
        """The cell has stopped."""


class ActorInMemory(BatchActor):
    """A keyed durable actor while it is in memory."""

    __slots__ = (
        "_committer",
        "_context",
        "_host",
        "_is_guess",
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
        self._is_guess = False  # It has begun with no row, and the store has not said yet that there is none.
        self._state: Message | None = None
        self._timers: dict[str, durable_pb2.Timer] = {}
        self._context: Context | None = None
        self._ran: Sequence[bytes] = ()  # messages whose handlers were called in the turn that runs or commits

    @property
    def is_idle(self) -> bool:
        return not self.busy and not self.pending

    def stop_cell(self) -> bool:
        """True: the cell was at rest, and has ended. They are a cycle, and there are thousands of actors."""
        if self.ref is None:
            return True
        self.ref.stop()
        if self.ref.is_stopped:
            self.ref = self._context = None
        return self.ref is None

    # --- turns ---

    async def _read_row(self) -> bool:
        """False: the actor was dropped meanwhile. Raises StoreError and DecodeError."""
        if not self.fetched:
            self.kind.ports.failpoint(Failpoint.ROW_WANTED)
            await self._host.fetch(self)
            self.kind.ports.failpoint(Failpoint.ROW_READ)
            if self.stopping:
                return False
        self._state, self._timers = state_and_timers(self.row, self.kind.behaviour.state_type)
        self._loaded = True
        return True

    def _new_turn(self, losses: LostRuns | None = None) -> ChainedTurn:
        assert self._state is not None
        now_s = self.kind.ports.clock.now_s()
        draft = Draft(self.kind, self.address, self.shard, self.row, dict(self._timers), now_s)
        return ChainedTurn(draft, self._state, self.attempts, losses)

    # --- in the chain of another ---

    def may_commit(self) -> bool:
        return self._host.may_commit()

    @property
    def may_chain(self) -> bool:
        """Whether it may handle what is no mail: nothing of its own is known to wait in the store alone."""
        return not self.stopping and self._host.chains.admits(self.address)

    async def open_for(self, envelope: Envelope) -> ChainedTurn | None:
        """Its turn over a message that is in no store; None when that has to become mail."""
        try:
            self._is_guess = not self.fetched and self._host.chains.take_for_new(self)
            self.fetched = has_row = self.fetched or self._is_guess
            if not self._loaded and not await self._read_row():
                return None
        except (StoreError, DecodeError):
            return None
        assert self._state is not None
        versioned = self._host.chains.versioned
        if not has_row and (self.pending or not self.may_chain):  # Mail may have come while the row was read.
            return None
        if versioned is not None and versioned.lacks(self._state, envelope.key, envelope.type) is not None:
            return None
        return self._new_turn()

    def give_back(self) -> None:
        """Its turn in the chain has not been: nothing has changed."""
        if self._is_guess:
            self.fetched = self._loaded = self._is_guess = False
        if not self.stopping:
            self._end_turn(())

    def forgo(self, reason: str) -> None:
        """Its turn in the chain has come to nothing."""
        if not self.stopping:
            self._host.reload(self, reason)

    # --- after the commit ---

    def decided(
        self, draft: Draft, batch: Sequence[Envelope], verdict: Verdict | StoreError, *, in_chain: bool = False
    ) -> None:
        """What the store has said of its turn, and of all others of the chain that this was in."""
        if verdict is _WRITTEN:
            self.kind.ports.failpoint(_COMMITTED)
            self._advance(draft)
            if not self._host.losses.is_empty:
                self._host.losses.settle(draft, self.attempts, was_noted=not (batch or in_chain))
            self._host.release(draft)
            self.kind.ports.failpoint(_RELEASED)
            self._end_turn(batch)
            return
        self.kind.ports.failpoint(Failpoint.TURN_REFUSED)
        self._lose(f"the store said {verdict}", write_first=isinstance(verdict, StoreError))
        if isinstance(verdict, StoreError):
            self._host.reload(self, str(verdict), delay_s=1.0)
        elif in_chain:  # Nobody knows whose turn was refused. The first has its next alone, and so on from there.
            self._host.reload(self, f"commit of a chain: {verdict}")
        else:
            self._host.reload(self, f"commit of revision {draft.revision}: {verdict}", reread_all=True)

    def _lose(self, reason: str, *, write_first: bool = True) -> None:
        """The turn has come to nothing: what ran in it has run in vain."""
        if self._ran:
            self._host.losses.add(self.address, self._ran, reason, write_first=write_first)
            self._ran = ()

    def _advance(self, draft: Draft) -> None:
        self.row = draft.row_after
        self._timers = draft.timers
        self.ended = draft.ended
        self._ran = ()
        self._is_guess = False
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

    def _forget(self, messages: Sequence[Envelope]) -> None:
        for envelope in messages:
            self.pending.pop(envelope.id, None)
