"""Named timers of one actor: each is a message to itself, later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.errors import Overloaded
from runtime.ports import Cancellable, Clock

__all__ = ["ActorTimer", "Timers"]


@dataclass(slots=True, eq=False)
class ActorTimer:
    name: str
    message: object
    alarm: Cancellable | None = None


class Timers:
    """A name has one timer at most, from `set` until its message is handled, cancelled or replaced.

    So a message that already waits in the mailbox is dropped if its timer was cancelled or replaced meanwhile.
    """

    __slots__ = ("_by_name", "_clock", "_ring")

    def __init__(self, clock: Clock, ring: Callable[[ActorTimer], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._by_name: dict[str, ActorTimer] = {}

    def set(self, name: str, delay_s: float, message: object, *, timers_max: int) -> None:
        self.cancel(name)
        if len(self._by_name) >= timers_max:
            raise Overloaded(f"{timers_max} timers are set already; {name!r} would be one too many")
        timer = ActorTimer(name, message)
        timer.alarm = self._clock.call_later(delay_s, self._ring, timer)
        self._by_name[name] = timer

    def cancel(self, name: str) -> bool:
        timer = self._by_name.pop(name, None)
        if timer is None:
            return False
        if timer.alarm is not None:
            timer.alarm.cancel()
        return True

    def cancel_all(self) -> None:
        for name in tuple(self._by_name):
            self.cancel(name)

    def claim(self, timer: ActorTimer) -> bool:
        """Its message is about to be handled; False when it must not be any more."""
        if self._by_name.get(timer.name) is not timer:
            return False
        del self._by_name[timer.name]
        return True
