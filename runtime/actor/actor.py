"""What an author derives from. An actor handles one message at a time, and nobody else touches its state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from runtime.actor.context import Context

__all__ = ["Actor", "BatchActor"]


class Actor:
    """State and behaviour behind a mailbox. Give subclasses `__slots__` where there are many of them."""

    __slots__ = ()

    batching: ClassVar[bool] = False

    async def started(self, context: Context) -> None:
        """Before the first message of this instance; again, on a new instance, after a restart."""

    async def receive(self, context: Context, message: object) -> None:
        """Handle one message. The next one waits until this returns, however long it is suspended.

        An exception makes the message a dead letter and hands the actor to its supervisor.
        """

    async def stopped(self, context: Context) -> None:
        """After the last message of this instance, its children gone; also when `started` or a handler failed."""

    def ends_in_silence(self) -> bool:
        """Whether `stopped` would do nothing now. Then an actor at rest ends at once, and is not run once more."""
        return type(self).stopped is Actor.stopped


class BatchActor(Actor):
    """Gets all that waits at once, up to its throughput; for work that is cheaper by the dozen."""

    __slots__ = ()

    batching: ClassVar[bool] = True

    async def receive(self, context: Context, message: object) -> None:
        """A batch of one: what an actor gets right after `unbecome`."""
        await self.receive_batch(context, (message,))

    async def receive_batch(self, context: Context, messages: Sequence[object]) -> None:
        """Handle messages in the order they came; at least one. An exception makes all of them dead letters."""
