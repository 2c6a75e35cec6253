"""Inputs that can have no effect any more: assumed as the search goes, and proved at its end.

    a late answer is noted, and changes nothing ──assume──▶ it is left out from this record on
    a cancellation is answered, and no more     ──assume──▶ it is left out from this record on
    a record follows another                    ──follow──▶ what was left out at the one is left out at the other
    the search is over                          ──refute──▶ each is tried at each record where it was left out

Nothing is taken on trust from the engine. If one of them would have had an effect, or would have gone unnoted, the
search is repeated, and leaves that one in.

Why this proves the assumption: let a schedule exist in which an input that was left out has an effect, and look at the
first such input. Until it comes, the schedule differs from one without it by notes alone, so its records are among
those that were searched. They follow the record at which the input was left out, and so the input was tried there.
"""

from __future__ import annotations

from runtime.testing.explorer.driver import Input, SagaDriver
from runtime.testing.explorer.world import Reply, SentCommand

__all__ = ["CANCELLATION", "Leftovers"]

CANCELLATION = Input(cancel=True)


class Leftovers:
    """What one search leaves out, by record."""

    def __init__(self, driver: SagaDriver) -> None:
        self._driver = driver
        self._refuted: set[Input] = set()
        self._left_out: dict[int, set[Input]] = {}
        self._next: dict[int, set[int]] = {}

    def follow(self, record: int, after: int) -> None:
        """One record follows another by some input."""
        self._next.setdefault(record, set()).add(after)

    def assume(self, record: int, reply: Reply) -> bool:
        """Says whether a reply may be left out from this record on."""
        return self._assume(record, Input(plain(reply)))

    def assume_cancelled(self, record: int) -> bool:
        """Says whether a client's cancellation may be left out from this record on."""
        return self._assume(record, CANCELLATION)

    def is_void(self, record: int, one: Input) -> bool:
        """Says whether an input has no effect at this record but a note, and of a cancellation an answer."""
        taken = self._driver.take(record, one)
        is_same = taken.record == record and not (taken.sent or taken.timers) if one.cancel else taken.changes_nothing
        return is_same and bool(taken.note) and not (taken.mistakes or taken.crash)

    def _assume(self, record: int, one: Input) -> bool:
        known = self._left_out.get(record)
        if known is not None and one in known:
            return True
        if one in self._refuted or not self.is_void(record, one):
            return False
        self._left_out.setdefault(record, set()).add(one)
        return True

    def refute(self) -> bool:
        """Says whether an assumption was wrong. From now on those are not assumed any more."""
        before = len(self._refuted)
        waiting = list(self._left_out)
        while waiting:
            record = waiting.pop()
            for after in sorted(self._next.get(record, ())):
                known = self._left_out.setdefault(after, set())
                new = self._left_out[record] - known
                if new:
                    self._refuted.update(one for one in new if not self.is_void(after, one))
                    known |= new
                    waiting.append(after)
        self._left_out.clear()
        self._next.clear()
        return len(self._refuted) > before


def plain(reply: Reply) -> Reply:
    """The same reply to the saga, which knows the command by its id alone."""
    command = reply.command
    return Reply(SentCommand(command.step, command.undo, command.attempt, 0, (), ""), reply.answer)
