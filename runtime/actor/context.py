"""What an actor can do from inside: a handler's view on its own cell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Protocol

from runtime.actor.ref import ActorRef, Recipient
from runtime.actor.supervision import DEFAULT_OPTIONS, ActorOptions, Restart

__all__ = ["ActorOptions", "Context", "Handler", "Restart", "Spawnable"]

Handler = Callable[["Context", object], Awaitable[None]]
"""What handles one message: `Actor.receive`, or what was given to `Context.become`."""


class Spawnable(Protocol):
    """An `Actor`, as far as spawning it is concerned: an actor sees its Context, so that can't see the class itself."""

    batching: ClassVar[bool]

    async def started(self, context: Context) -> None: ...

    async def receive(self, context: Context, message: object) -> None: ...

    async def stopped(self, context: Context) -> None: ...


class Context(Protocol):
    """Valid as long as the actor lives, over its restarts.

    Meant for the actor's own handlers. Callbacks of the same event loop may use it too, but for what speaks of the
    message in hand, which is there only while a handler runs.
    """

    __slots__ = ()

    @property
    def self(self) -> ActorRef: ...

    @property
    def parent(self) -> ActorRef | None: ...

    @property
    def children(self) -> tuple[ActorRef, ...]:
        """In the order they were spawned."""
        ...

    @property
    def sender(self) -> Recipient | None:
        """Who sent the message in hand, if they said so. None in a batch."""
        ...

    def child(self, name: str) -> ActorRef | None: ...

    def spawn(
        self, factory: Callable[[], Spawnable], name: str, *, options: ActorOptions = DEFAULT_OPTIONS
    ) -> ActorRef:
        """Make a child; `factory` makes its instance now, and a new one at each restart.

        Raises ActorNameTaken, ActorStopped (this actor is ending), and what `factory` raises.
        """
        ...

    def stop(self, ref: ActorRef | None = None) -> None:
        """Order an actor to end, itself by default: for good, after the handler that runs now."""
        ...

    def exit(self) -> None:
        """End normally after this handler. The supervisor starts a permanent child again, and forgets others."""
        ...

    def watch(self, ref: ActorRef) -> None:
        """Get a `Terminated` message when that actor has ended for good; at once if it has already."""
        ...

    def unwatch(self, ref: ActorRef) -> None: ...

    def forward(self, ref: ActorRef) -> bool:
        """Pass the message in hand on, its sender kept; False when it was not accepted."""
        ...

    def reply(self, answer: object) -> bool:
        """Answer the message in hand; False when nobody waits for it (any more)."""
        ...

    def stash(self) -> None:
        """Put the message in hand aside. Raises Overloaded at `stash_max`."""
        ...

    def unstash_all(self) -> None:
        """Put all stashed messages back, before those that wait, in the order they came."""
        ...

    def put_back(self, messages: Sequence[object]) -> None:
        """Of a batch, what is to be handled later: before those that wait, in this order, whatever the limits."""
        ...

    def become(self, handler: Handler) -> None:
        """Handle the next messages with this, one by one, until `unbecome`; may be nested."""
        ...

    def unbecome(self) -> None: ...

    def set_timer(self, name: str, delay_s: float, message: object) -> None:
        """Get a message later. A timer of the same name is replaced, even if its message waits in the mailbox."""
        ...

    def cancel_timer(self, name: str) -> bool:
        """False when there was none. Its message does not arrive any more, even if it waits in the mailbox."""
        ...

    def hold(self) -> None:
        """Take no further message until `release`; orders from the supervisor are still obeyed. A restart ends it."""
        ...

    def release(self) -> None:
        """End the hold; may be called from any callback of the loop, and when there is no hold."""
        ...
