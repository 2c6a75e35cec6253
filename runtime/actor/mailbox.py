"""A bounded queue in front of one actor, and what wakes the actor when something is in it.

    sender ──try_tell, tell, ask──▶ user lane ──┐
    supervisor, children ──signal──▶ system lane ──▶ ready ──▶ the dispatcher runs the cell

An idle mailbox has no queue at all. The queue is there exactly when the cell need not be woken: it is ready, runs, or
is paused. So the common case of sending is one look and one append.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.actor.ask import ReplyTarget
from runtime.actor.dead_letters import DeadLetter, DeadLetters, Reason
from runtime.actor.event_stream import EventStream
from runtime.actor.ref import Recipient
from runtime.actor.stepping import Dispatcher
from runtime.actor.supervision import ActorOptions
from runtime.actor.timers import ActorTimer
from runtime.errors import ActorStopped, AmendsError, AskFailed, Overloaded
from runtime.ports import Fact, Ports

__all__ = [
    "BLOCKED",
    "CROWDED",
    "HELD",
    "PAUSES",
    "SCHEDULED",
    "SIGNALLED",
    "STARTING",
    "STOPPED",
    "SUSPENDED",
    "Letter",
    "Mailbox",
    "Shared",
]

SCHEDULED = 1  # in the ready queue, or running
HELD = 2  # context.hold(): no user message until release()
SIGNALLED = 4  # the system lane is not empty
STARTING = 8  # `started` has still to run
BLOCKED = 16  # failed, ending or halted: no user message until the supervisor has decided
SUSPENDED = 32  # a handler waits for something, in a task of its own
CROWDED = 64  # senders wait for room
STOPPED = 128  # for good

PAUSES = HELD | SIGNALLED | STARTING | BLOCKED | SUSPENDED | STOPPED
"""Any of these ends a burst of user messages. (All flags fit into the integers that Python keeps ready-made.)"""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all cells of one system use."""

    ports: Ports
    dispatcher: Dispatcher
    events: EventStream
    dead_letters: DeadLetters
    failed: Callable[[BaseException], None]  # a failure has escalated past the top

    def note(self, fact: Fact) -> None:
        """Tell the operator, and whoever listens to the event stream."""
        self.ports.report(fact)
        self.events.publish(fact)


@dataclass(slots=True, eq=False)  # not frozen: made for each message with a sender, and freezing triples the cost
class Letter:
    """A queued message with its sender or timer. A message that has neither is queued without a letter."""

    message: object
    sender: Recipient | None
    timer: ActorTimer | None = None  # the timer that put it here


Line = dict[Letter, asyncio.Future[None] | None]
"""Senders that wait for room, first come first. (An asker has no future here: it waits for its answer.)

Each stands for a coroutine that is suspended in `tell` or `ask`, and leaves when that ends: the line holds no more
than the callers do.
"""


class Mailbox(ABC):
    __slots__ = ("flags", "line", "options", "queue", "shared", "signals")

    def __init__(self, shared: Shared, options: ActorOptions) -> None:
        self.shared = shared
        self.options = options
        self.flags = 0
        self.queue: deque[Any] | None = None
        self.signals: deque[Any] | None = None
        self.line: Line | None = None

    @property
    @abstractmethod
    def path(self) -> str: ...

    @property
    def waiting(self) -> int:
        return len(self.queue or ())

    @property
    def is_stopped(self) -> bool:
        return self.flags & STOPPED != 0

    # --- senders ---

    def try_tell(self, message: object, sender: Recipient | None = None) -> bool:
        queue = self.queue
        if queue is None:
            return self._wake(message if sender is None else Letter(message, sender))
        if len(queue) >= self.options.mailbox_max:
            self.add_dead_letter(Letter(message, sender), Reason.FULL)
            return False
        queue.append(message if sender is None else Letter(message, sender))
        return True

    async def tell(self, message: object, sender: Recipient | None = None) -> None:
        if self._has_room():
            if not self.push(message if sender is None else Letter(message, sender)):
                raise ActorStopped(f"{self.path} has stopped")
            return
        letter = Letter(message, sender)
        admitted = asyncio.get_running_loop().create_future()
        self._line_up(letter, admitted)
        try:
            await admitted
        finally:
            self._leave_line(letter)

    async def ask(self, message: object, *, timeout_s: float) -> Any:
        answer = asyncio.get_running_loop().create_future()
        reply = ReplyTarget(answer)
        letter = Letter(message, reply)
        if self._has_room():
            self.push(letter)
        else:
            self._line_up(letter, None)
        deadline = self.shared.ports.clock.call_later(timeout_s, reply.expire, self, timeout_s)
        try:
            return await answer
        finally:
            deadline.cancel()
            self._leave_line(letter)

    def push(self, entry: object) -> bool:
        """Queue a message of the runtime's own, past the limit. Their number is bounded elsewhere."""
        if self.queue is None:
            return self._wake(entry)
        self.queue.append(entry)
        return True

    # --- the lanes ---

    def hold(self) -> None:
        self.flags |= HELD

    def release(self) -> None:
        self.flags &= ~HELD
        if self.queue and not self.flags & (SCHEDULED | BLOCKED):
            self.schedule()

    def signal(self, signal: object) -> None:
        """Queue in the system lane. Its signals are few: orders of the parent, and news of children."""
        if self.flags & STOPPED:
            return
        if self.signals is None:
            self.signals = deque()
        self.signals.append(signal)
        self.flags |= SIGNALLED
        if not self.flags & SCHEDULED:
            self.schedule()

    def schedule(self) -> None:
        """Have the cell run. Call it only when the cell is not SCHEDULED."""
        self.flags |= SCHEDULED
        self.shared.dispatcher.schedule(self)

    def end_burst(self, *, rouse: bool = True) -> None:
        """After a run: let waiting senders in, and go back to the ready queue (rousing who works it off) or to rest."""
        if self.flags & CROWDED:
            self._admit()
        if not self.queue:
            self.queue = None
        if self.flags & (SIGNALLED | STARTING) or (self.queue and not self.flags & PAUSES):
            dispatcher = self.shared.dispatcher
            (dispatcher.schedule if rouse else dispatcher.ready.append)(self)
        else:
            self.flags &= ~SCHEDULED

    def add_dead_letter(self, entry: object, reason: Reason, error: BaseException | None = None) -> None:
        """Make a dead letter of what was queued, and tell whoever waits for an answer to it."""
        letter = entry if type(entry) is Letter else Letter(entry, None)
        self.shared.dead_letters.add(DeadLetter(letter.message, self.path, reason, error))
        if isinstance(letter.sender, ReplyTarget):
            letter.sender.fail(self._blame(reason, error))

    def clear(self) -> None:
        """The actor has ended. Messages that wait become dead letters, and senders that wait for room are told."""
        queue, line = self.queue or (), self.line or {}
        self.queue = self.line = self.signals = None
        for entry in queue:
            self.add_dead_letter(entry, Reason.STOPPED)
        for letter, admitted in line.items():
            self.add_dead_letter(letter, Reason.STOPPED)
            if admitted is not None and not admitted.done():
                admitted.set_exception(ActorStopped(f"{self.path} has stopped"))

    @abstractmethod
    async def run(self, budget: int) -> int: ...

    @abstractmethod
    def left_behind(self, task: asyncio.Task[Any]) -> None: ...

    def _wake(self, entry: object) -> bool:
        if self.flags & STOPPED:
            self.add_dead_letter(entry, Reason.STOPPED)
            return False
        self.queue = deque((entry,))
        if not self.flags & (SCHEDULED | HELD | BLOCKED):
            self.schedule()
        return True

    def _has_room(self) -> bool:
        return self.queue is None or (len(self.queue) < self.options.mailbox_max and not self.flags & CROWDED)

    def _line_up(self, letter: Letter, admitted: asyncio.Future[None] | None) -> None:
        if self.line is None:
            self.line = {}
        self.line[letter] = admitted
        self.flags |= CROWDED

    def _leave_line(self, letter: Letter) -> None:
        if self.line is not None:
            self.line.pop(letter, None)

    def _admit(self) -> None:
        line = self.line or {}
        if self.queue is None:
            self.queue = deque()
        while line and len(self.queue) < self.options.mailbox_max:
            letter = next(iter(line))
            admitted = line.pop(letter)
            if admitted is None or not admitted.done():  # done: its sender was cancelled, and is about to leave
                self.queue.append(letter)
            if admitted is not None and not admitted.done():
                admitted.set_result(None)
        if not line:
            self.line = None
            self.flags &= ~CROWDED

    def _blame(self, reason: Reason, error: BaseException | None) -> AmendsError:
        if reason is Reason.FULL:
            return Overloaded(f"the mailbox of {self.path} is full")
        if reason is not Reason.FAILED:
            return ActorStopped(f"{self.path} has stopped")
        failure = AskFailed(f"{self.path} failed: {error!r}")
        failure.__cause__ = error
        return failure
