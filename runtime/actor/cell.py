"""One actor: what its handlers may do, and how its turn is run. A cell is both its Context and its ActorRef.

    dispatcher ──run──▶ system lane first, then up to `throughput` messages ──▶ back to the ready queue, or to rest

One object serves as queue, reference and context, so that an idle actor is small and sending is a single call. A
holder sees only what its type shows: ActorRef from outside, Context from inside.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, cast

from runtime.actor.actor import Actor, BatchActor
from runtime.actor.apart import apart
from runtime.actor.ask import ReplyTarget
from runtime.actor.context import Context, Handler, Spawnable
from runtime.actor.dead_letters import DeadLetter, Reason
from runtime.actor.lifecycle import Lifecycle
from runtime.actor.mailbox import BLOCKED, PAUSES, SIGNALLED, STARTING, STOPPED, SUSPENDED, Letter
from runtime.actor.ref import ActorRef, Recipient
from runtime.actor.signals import Exited
from runtime.actor.suspension import Suspension, raise_if_gone, was_cut
from runtime.actor.timers import ActorTimer, Timers
from runtime.actor.watch import Terminated
from runtime.errors import ActorStopped, InvalidMessage, Overloaded

__all__ = ["Cell"]

_NOTHING = object()
"""In hand between messages; None is a message like any other."""


class Becoming(Actor):
    """Stands for an actor while another function handles its messages. The former actor is `beneath`."""

    __slots__ = ("beneath", "receive")

    def __init__(self, beneath: Spawnable, handler: Handler) -> None:
        self.beneath = beneath
        self.receive = handler  # type: ignore[method-assign, assignment]

    async def stopped(self, context: Context) -> None:
        await self.beneath.stopped(context)


class Cell(Lifecycle):
    __slots__ = ("in_hand", "stashed", "timers")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.in_hand: Any = _NOTHING
        self.stashed: deque[Any] | None = None
        self.timers: Timers | None = None

    # --- the turn ---

    async def run(self, budget: int) -> int:
        handled = 0
        try:
            if self.flags & (SIGNALLED | STARTING):
                await self.obey()
            queue, actor = self.queue, self.actor
            if queue and actor is not None and not self.flags & PAUSES:
                count = min(budget, self.options.throughput, len(queue))
                if actor.batching:
                    handled = await self._handle_batch(actor, queue, count)
                else:
                    handled = await apart(self._handle_each, queue, count)
        except (
            asyncio.CancelledError
        ):  # The whole task was cancelled from outside. Another task can go on with this cell.
            self._come_to_rest(rouse=False)
            raise
        self._come_to_rest(rouse=True)
        return handled

    def _come_to_rest(self, *, rouse: bool) -> None:
        if self.suspension is not None:
            self.suspension.end()
            self.suspension = None
            self.flags &= ~SUSPENDED
        self.end_burst(rouse=rouse)

    def left_behind(self, task: asyncio.Task[Any]) -> None:
        self.flags |= SUSPENDED
        self.suspension = Suspension(task, self.report_cut)
        self.renew_grace()

    async def _handle_each(self, queue: deque[Any], count: int) -> int:
        handled = 0
        try:
            for handled in range(1, count + 1):  # noqa: B007 - how many were handled when a pause ends the burst
                message = self.in_hand = queue.popleft()
                if type(message) is Letter:
                    message = self._open(message)
                    if message is _NOTHING:
                        continue
                await self.actor.receive(self, message)  # type: ignore[union-attr] # an actor that runs has an instance
                if self.flags & PAUSES:
                    break
        except BaseException as error:  # noqa: BLE001 - supervision decides about any failure
            raise_if_gone(error)
            self._failed(error, (self.in_hand,))
        self.in_hand = _NOTHING
        return handled

    async def _handle_batch(self, actor: Spawnable, queue: deque[Any], count: int) -> int:
        entries = []
        messages = []
        for _ in range(count):
            entry = queue.popleft()
            message = self._open(entry) if type(entry) is Letter else entry
            if message is not _NOTHING:
                entries.append(entry)
                messages.append(message)
        if messages:
            try:
                await cast(BatchActor, actor).receive_batch(self, messages)
            except BaseException as error:  # noqa: BLE001 - supervision decides about any failure
                raise_if_gone(error)
                self._failed(error, entries)
        return count

    def _open(self, letter: Letter) -> object:
        """The message in a letter, or _NOTHING if its timer was cancelled or replaced while the letter waited."""
        if letter.timer is None:
            return letter.message
        if self.timers is not None and self.timers.claim(letter.timer):
            return letter.message
        return _NOTHING

    def _failed(self, error: BaseException, entries: Sequence[Any]) -> None:
        """Make dead letters of what was in hand, and have the supervisor decide, unless the actor ends anyway."""
        cut = self.suspension is not None and self.suspension.is_cut and isinstance(error, asyncio.CancelledError)
        for entry in entries:
            self.add_dead_letter(entry, Reason.STOPPED if cut else Reason.FAILED, error)
            if self.stashed and self.stashed[-1] is entry:
                self.stashed.pop()
        if isinstance(error, asyncio.CancelledError) and was_cut(self.suspension):
            return
        self.fail(error)

    # --- what handlers may do ---

    @property
    def self(self) -> ActorRef:
        return self

    @property
    def children(self) -> tuple[ActorRef, ...]:
        return () if self.family is None else tuple(self.family.children.values())

    @property
    def sender(self) -> Recipient | None:
        return self.in_hand.sender if type(self.in_hand) is Letter else None

    def child(self, name: str) -> ActorRef | None:
        return None if self.family is None else self.family.children.get(name)

    def exit(self) -> None:
        self.signal(Exited())

    def watch(self, ref: ActorRef) -> None:
        other = cast(Cell, ref)
        if other.is_stopped:
            self.push(Terminated(ref))
        else:
            self.watches.add(other.watches)

    def unwatch(self, ref: ActorRef) -> None:
        other = cast(Cell, ref)
        if not other.is_stopped:
            self.watches.remove(other.watches)

    def forward(self, ref: ActorRef) -> bool:
        return ref.try_tell(self._message(), self.sender)

    def reply(self, answer: object) -> bool:
        sender = self.sender
        if sender is None:
            return False
        accepted = sender.try_tell(answer, self)
        if not accepted and isinstance(sender, ReplyTarget):
            self.shared.dead_letters.add(DeadLetter(answer, f"who asked {self.path}", Reason.LATE))
        return accepted

    def stash(self) -> None:
        message = self._message()
        if self.stashed is None:
            self.stashed = deque()
        if len(self.stashed) >= self.options.stash_max:
            raise Overloaded(f"{self.path} has {self.options.stash_max} messages stashed already")
        if type(self.in_hand) is Letter and self.in_hand.timer is not None:
            self.in_hand = Letter(message, None)  # Its timer has fired, and does not count any more.
        self.stashed.append(self.in_hand)

    def unstash_all(self) -> None:
        stashed, self.stashed = self.stashed, None
        if not stashed:
            return
        if self.queue is None:
            self.push(stashed.pop())  # also wakes the cell
        if self.queue is not None:
            self.queue.extendleft(reversed(stashed))

    def put_back(self, messages: Sequence[object]) -> None:
        if not messages:
            return
        if self.queue is None:
            self.push(messages[-1])  # also wakes the cell
            messages = messages[:-1]
        if self.queue is not None:
            self.queue.extendleft(reversed(messages))

    def become(self, handler: Handler) -> None:
        if self.actor is not None:
            self.actor = Becoming(self.actor, handler)

    def unbecome(self) -> None:
        if isinstance(self.actor, Becoming):
            self.actor = self.actor.beneath

    def set_timer(self, name: str, delay_s: float, message: object) -> None:
        if self.flags & (BLOCKED | STOPPED):
            raise ActorStopped(f"{self.path} is ending, and can set no timer")
        if self.timers is None:
            self.timers = Timers(self.shared.ports.clock, self._ring)
        self.timers.set(name, delay_s, message, timers_max=self.options.timers_max)

    def cancel_timer(self, name: str) -> bool:
        return self.timers is not None and self.timers.cancel(name)

    def tidy_up(self) -> None:
        super().tidy_up()
        if self.timers is not None:
            self.timers.cancel_all()
            self.timers = None
        self.unstash_all()

    def _ring(self, timer: ActorTimer) -> None:
        self.push(Letter(timer.message, None, timer))

    def _message(self) -> object:
        if self.in_hand is _NOTHING:
            raise InvalidMessage(f"{self.path} has no single message in hand to stash or forward")
        return self.in_hand.message if type(self.in_hand) is Letter else self.in_hand
