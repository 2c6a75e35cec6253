"""How others see an actor: a reference to send to. It stays valid over restarts, and past the actor's end."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

__all__ = ["ActorRef", "Recipient"]


class Recipient(Protocol):
    """Whatever a message can be sent to: an actor, or someone who waits for an answer."""

    __slots__ = ()

    def try_tell(self, message: object, sender: Recipient | None = None) -> bool:
        """Send without waiting. False: not accepted (full, or stopped); the message is noted as a dead letter."""
        ...


class ActorRef(Recipient, Protocol):
    """An actor from outside. Messages of one sender arrive in the order sent."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Unique among its siblings."""
        ...

    @property
    def path(self) -> str:
        """The names from the system down, e.g. `node-1/flights/LX1`."""
        ...

    @property
    def waiting(self) -> int:
        """Messages in the mailbox that no handler has taken yet."""
        ...

    @property
    def is_stopped(self) -> bool:
        """The actor has ended, for good."""
        ...

    def tell(self, message: object, sender: Recipient | None = None) -> Awaitable[None]:
        """Send; waits for room while the mailbox is full. Raises ActorStopped."""
        ...

    def ask(self, message: object, *, timeout_s: float) -> Awaitable[Any]:
        """Send and wait for what the handler gives to `context.reply`.

        The deadline covers waiting for room too. Raises DeadlineExceeded, ActorStopped, or AskFailed with the
        handler's exception as its cause.
        """
        ...

    def stop(self) -> None:
        """End the actor, its children first, after the handler that runs now. What waits becomes dead letters.

        An order from outside is final: no restart rule applies. Idempotent.
        """
        ...
