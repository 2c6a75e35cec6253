"""Death watch: who wants to know when an actor has ended for good. A restart is not an end, and is not told."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.actor.mailbox import Mailbox
from runtime.actor.ref import ActorRef

__all__ = ["DeathWatch", "Terminated"]


@dataclass(frozen=True, slots=True)
class Terminated:
    """The message a watcher gets, after all that the ended actor had sent it before. Not counted by the limit."""

    ref: ActorRef
    error: BaseException | None = None  # what it failed with; None: it ended normally, or by order


class DeathWatch:
    """One actor's share in the web of watches, in both directions; bounded by the number of actors."""

    __slots__ = ("_owner", "_watched", "_watchers")

    def __init__(self, owner: Mailbox) -> None:
        self._owner = owner
        self._watched: dict[DeathWatch, None] = {}
        self._watchers: dict[DeathWatch, None] = {}

    def add(self, other: DeathWatch) -> None:
        self._watched[other] = None
        other._watchers[self] = None

    def remove(self, other: DeathWatch) -> None:
        self._watched.pop(other, None)
        other._watchers.pop(self, None)

    def let_go(self) -> None:
        """Watch nobody any more."""
        for other in tuple(self._watched):
            self.remove(other)

    def tell_end(self, news: Terminated) -> None:
        self.let_go()
        for watcher in tuple(self._watchers):
            watcher.remove(self)
            watcher._owner.push(news)
