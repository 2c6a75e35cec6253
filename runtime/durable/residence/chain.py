"""A turn and those that it leads to on this node, run before the first is committed, and committed as one.

    Activation ──a draft that is decided──▶ Chain.follow ──each message for an idle actor──▶ its turn, at once
                                                │                     └──▶ what that sends, likewise
                                                └──▶ submit ──one group──▶ Committer ──one verdict──▶ every activation

A message that goes from turn to turn in a chain is in the history, and never in the mail. What cannot be handled at
once is left, and becomes mail in the same commit; and so does all that is sent to the same actor after it, since order
holds between two actors. Left are undos, which ask the store what became of their dos; messages for later, for actors
of other nodes, for busy ones, for kinds whose handlers may touch what is outside; and those whose handlers fail.

Commands of clients may be the first messages of a chain, before any turn: see `unposted.py`.

Nothing leaves this node before the group is committed, so a chain that is refused has never been. Its actors are then
read again. The first of them has lost a turn, and so begins no other chain until it has gone on alone for a while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from runtime.durable.kind import Kind
from runtime.durable.residence.actor_in_memory import ActorInMemory
from runtime.durable.residence.release import Outlet
from runtime.durable.turn.chained import ChainedTurn
from runtime.durable.turn.turn_time import TurnTime
from runtime.envelope import Address, Envelope
from runtime.errors import StoreError, StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.store.committer import Committer, Done
from runtime.store.groups import TransitionGroup
from runtime.store.records import Verdict

__all__ = ["ChainOfTurns"]

_ACTORS_MAX = 256
_DEPTH_MAX = 32  # Messages one after another, each sent by the handling of the one before.


class _Member:
    """One actor of a chain, and its turn."""

    __slots__ = ("activation", "batch", "followed", "turn")

    def __init__(self, activation: ActorInMemory, turn: ChainedTurn, batch: Sequence[Envelope] = ()) -> None:
        self.activation = activation
        self.turn = turn
        self.batch = batch  # Mail that its turn began with; only the first member has some.
        self.followed = 0  # So many of the messages that it has sent were looked at.

    @property
    def may_go_on(self) -> bool:
        """Whether it may handle one more message: nothing else waits for it by now, and nothing was put off."""
        draft, activation = self.turn.draft, self.activation
        return (
            not (draft.rescheduled or draft.blocked_until_s or self.turn.left)
            and len(activation.pending) == len(self.batch)
            and activation.may_chain
        )


class ChainOfTurns:
    """From one turn on, or from commands. Beside these it handles at most `chain_messages_max` messages for each."""

    def __init__(self, kind: Kind, outlet: Outlet) -> None:
        """`kind` is that of the first actor."""
        limits, self._ports = kind.limits, kind.ports
        self._outlet = outlet
        self._members: dict[Address, _Member] = {}
        self._commands: tuple[Envelope, ...] = ()
        self._left: set[Address] = set()  # A message for them becomes mail, and all that come after it do.
        self._handled: set[bytes] = set()  # Ids; what is sent twice under one id is handled once.
        self._messages_max = self._room = limits.chain_messages_max
        self._room_bytes = limits.turn_bytes_max
        self._time = TurnTime(self._ports, limits.turn_s)
        self._task: asyncio.Task[Any] | None = None  # which runs it

    def begin(self, first: ActorInMemory, turn: ChainedTurn, batch: Sequence[Envelope], *, goes_on: bool) -> None:
        """From a turn over mail on. `goes_on`: its actor may handle what comes back to it, too."""
        self._members[first.address] = _Member(first, turn, batch)
        if not goes_on:
            self._left.add(first.address)

    async def begin_with(self, command: Envelope, actor: ActorInMemory) -> bool:
        """From a client's command on, beside others. False: its actor, which was borrowed, has been given back.

        Either it cannot handle the command before that is mail, or there is no room or no time left for it.
        """
        self._task = asyncio.current_task()
        if not self._has_room or self._time.is_over:
            actor.give_back()
            return False
        if await self._joined(actor, command) is None:
            return False
        self._room += self._messages_max if self._commands else 0
        self._commands += (command,)
        self._room_bytes -= len(command.body)
        self._handled.add(command.id)
        if self._time.has_held:
            await self._time.rest()
        return True

    @property
    def _has_room(self) -> bool:
        return self._room > 0 and self._room_bytes > 0 and len(self._members) < _ACTORS_MAX

    @property
    def is_alone(self) -> bool:
        """Whether no other actor has joined, and the first has handled nothing but its mail."""
        return not self._handled

    async def follow(self) -> None:
        """Handle what may be handled at once, the earliest sent first. Raises nothing but orders to end."""
        self._task = asyncio.current_task()
        queue = deque((member, one, 1) for member in self._members.values() for one in self._new(member))
        while queue and self._room > 0 and self._room_bytes > 0 and not self._time.is_over:
            if self._time.has_held:
                await self._time.rest()
            sender, envelope, depth = queue.popleft()
            if envelope.id not in self._handled:
                receiver = await self._handled_by(envelope) if depth <= _DEPTH_MAX else None
                if receiver is None:
                    self._leave(envelope)
                    continue
                self._note(envelope)
                queue.extend((receiver, one, depth + 1) for one in self._new(receiver))
            sender.turn.draft.passed[envelope.id] = envelope
        for member in self._members.values():
            member.turn.close()

    def _new(self, member: _Member) -> list[Envelope]:
        """What a member has sent since it was asked last."""
        sent = member.turn.draft.outgoing
        new, member.followed = sent[member.followed :], len(sent)
        for one in new:
            if one.address not in self._members and one.due_at_s <= one.sent_at_s:
                self._outlet.expect(one)
        return new

    def _note(self, envelope: Envelope) -> None:
        self._handled.add(envelope.id)
        self._room -= 1
        self._room_bytes -= len(envelope.body)

    def _leave(self, envelope: Envelope) -> None:
        if envelope.due_at_s <= envelope.sent_at_s:  # What was sent for later holds up nothing.
            self._left.add(envelope.address)

    async def _handled_by(self, envelope: Envelope) -> _Member | None:
        """The member that has handled a message; None: nobody has, and it is to be left."""
        address = envelope.address
        if envelope.undo_of or envelope.due_at_s > envelope.sent_at_s or address in self._left:
            return None
        member = self._members.get(address)
        if member is not None:
            return member if member.may_go_on and await member.turn.chain(envelope, self._task) else None
        if len(self._members) >= _ACTORS_MAX or (activation := self._outlet.borrow(envelope)) is None:
            return None
        return await self._joined(activation, envelope)

    async def _joined(self, activation: ActorInMemory, envelope: Envelope) -> _Member | None:
        """An actor that was borrowed, once it has handled its first message; None, and then it was given back."""
        try:
            turn = await activation.open_for(envelope)
            if turn is None or not await turn.chain(envelope, self._task):
                activation.give_back()
                return None
        except BaseException as error:
            activation.forgo(f"its turn in a chain ended with {type(error).__name__}")
            raise
        self._room_bytes -= len(turn.draft.state_bytes)
        member = self._members[activation.address] = _Member(activation, turn)
        return member

    # --- the end ---

    def submit(self, committer: Committer, told: Done | None = None) -> None:
        """Hand all of it to the store. Raises StoreError and Overloaded; then it has come to nothing.

        `told` hears the verdict after all actors.
        """
        members = list(self._members.values())
        if any(one.activation.stopping for one in members) or not members[0].activation.may_commit():
            raise StoreUnavailable("an actor left memory while turns followed from one another; they begin again")
        self._ports.failpoint(Failpoint.CHAIN_ENDED)
        group = TransitionGroup(tuple(one.turn.draft.finish() for one in members), self._commands)
        committer.submit(group, partial(self._decided, members, told))

    def abandon(self, reason: str) -> None:
        """It has come to nothing. A turn over mail is whoever's it was; all others are as if they had never begun."""
        for member in list(self._members.values())[0 if self._commands else 1 :]:
            member.activation.forgo(reason)

    def _decided(self, members: Sequence[_Member], told: Done | None, outcome: Verdict | StoreError) -> None:
        for member in members:
            member.activation.decided(member.turn.draft, member.batch, outcome, in_chain=True)
        if told is not None:
            told(outcome)
