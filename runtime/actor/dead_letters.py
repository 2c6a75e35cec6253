"""Messages that no handler will see, and why. In memory only: mail of durable actors is parked in the store instead."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from runtime.actor.event_stream import EventStream

__all__ = ["DeadLetter", "DeadLetters", "Reason"]


class Reason(Enum):
    STOPPED = "the actor has stopped"
    FULL = "the mailbox is full"
    FAILED = "its handler raised"
    LATE = "nobody waits for this answer any more"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    message: object
    recipient: str  # path
    reason: Reason
    error: BaseException | None = None  # the handler's


class DeadLetters:
    """Counts dead letters, publishes each on the event stream, and keeps the last few (older ones are forgotten)."""

    __slots__ = ("_counts", "_events", "_kept")

    def __init__(self, events: EventStream, *, kept_max: int = 256) -> None:
        self._events = events
        self._kept: deque[DeadLetter] = deque(maxlen=kept_max)
        self._counts = dict.fromkeys(Reason, 0)

    @property
    def recent(self) -> tuple[DeadLetter, ...]:
        """Oldest first."""
        return tuple(self._kept)

    def count(self, reason: Reason) -> int:
        return self._counts[reason]

    def add(self, letter: DeadLetter) -> None:
        self._counts[letter.reason] += 1
        if isinstance(letter.message, DeadLetter):
            return  # a subscriber could not take one: publishing that as well would never end
        self._kept.append(letter)
        self._events.publish(letter)
