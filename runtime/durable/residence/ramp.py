"""How much of what waits in the store is taken up at once: little at first, more while it goes well.

    sweep, due timers ──has_room?──▶ Ramp ◀──taken_up, began, done, dropped── Memory

A node that starts may find a hundred thousand messages and timers that wait. Every actor that comes into memory for one
of them gets its share of the loop and of the store, and what clients send meanwhile gets no more than that. So only a
window of them is at work, and the others stay in the store until there is room. The window grows by one for each actor
whose turn has ended while the window was what held work back. It shrinks when a turn has waited for its beginning for
long, since the loop has more to do then than it can. How long a handler or a commit takes does not matter here: a
window of slow ones grows, too. The idea is TCP's slow start (Jacobson, "Congestion Avoidance and Control", 1988), with
delay as the sign that there is too much, as in TCP Vegas (Brakmo and others, 1994).

What is pushed needs no room: its sender has just committed it, and senders are bounded themselves.
"""

from __future__ import annotations

from runtime.envelope import Address
from runtime.ports import Clock

__all__ = ["Ramp"]

FIRST = 32
"""How many actors are at work when nothing is known yet, and always may be."""

_WAIT_S = 0.1  # A turn that has waited for longer shows that too much is at work.
_SHRINK = 0.7


class Ramp:
    """Of one kind on one node. `first` is the smallest window."""

    def __init__(self, clock: Clock, *, first: int = FIRST) -> None:
        self.first = first
        self._clock = clock
        self._window = 0.0  # of those beyond `first`
        self._at_work: dict[Address, float] = {}  # since when, by the monotonic clock
        self._shrunk_at_s = float("-inf")
        self.is_short = False  # since the last look began, something was found for which there was no room

    @property
    def window(self) -> int:
        """How many actors may be at work for what waited in the store."""
        return self.first + int(self._window)

    @property
    def room(self) -> int:
        """How many more may be taken up now; 0 or less: none."""
        return self.window - len(self._at_work)

    def has_room(self) -> bool:
        """Whether one more may be taken up, which was found to wait."""
        if self.room > 0:
            return True
        self.is_short = True
        return False

    def taken_up(self, address: Address) -> None:
        """An actor has come into memory for what waited in the store."""
        self._at_work[address] = self._clock.monotonic_s()

    def began(self, address: Address) -> None:
        """The first turn of an actor begins."""
        since_s = self._at_work.get(address)
        if since_s is None:
            return
        now_s = self._clock.monotonic_s()
        if now_s - since_s > _WAIT_S and since_s > self._shrunk_at_s:  # What was taken up before knows nothing new.
            self._shrunk_at_s = now_s
            self._window *= _SHRINK

    def done(self, address: Address) -> None:
        """A turn of an actor has ended, and was committed if there was anything to commit."""
        if self._at_work and self._at_work.pop(address, None) is not None and self.is_short:
            self._window += 1.0

    def dropped(self, address: Address) -> None:
        """An actor has left memory, or has nothing to do: its room is free, and nothing was learnt."""
        if self._at_work:
            self._at_work.pop(address, None)
