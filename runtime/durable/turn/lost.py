"""Counts the runs of each message that ended without a commit, so that no message is repeated for ever.

    Activation ──lost: these ran, nothing was written──▶ LostRuns ──▶ the next turn of the actor is half as long
                                                            │
                                                            └──▶ the count is written to the mail before they run again;
                                                                 past its budget a message is parked with the reason

Whatever the reason was (a lease that ran out, a store that failed or was full, a lost compare-and-set), the handlers
have run, and what they did outside has happened. A node has one such memory for each kind. It outlives the activation
and the loss of a shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runtime.envelope import Address
from runtime.store.records import HistoryRow, MailRow

__all__ = ["LostRuns", "TurnLost", "lost_runs_max"]

_LOST_RUNS_MIN = 12
_GENERATION = 8192


def lost_runs_max(runs_max: int) -> int:
    """How many runs of a message may come to nothing before it is parked.

    It is the number of runs that may fail, and at least a dozen: a saga may fail only once, and must not be parked for
    a few losses that it did not cause.
    """
    return max(runs_max, _LOST_RUNS_MIN)


class TurnLost(Exception):
    """A turn cannot be ended. It has to be begun again, with fewer messages."""


class Written(Protocol):
    """A turn's draft, as far as its rows count."""

    @property
    def address(self) -> Address: ...

    @property
    def history(self) -> Sequence[HistoryRow]: ...

    @property
    def rescheduled(self) -> Sequence[MailRow]: ...


@dataclass(slots=True)
class _Loss:
    unwritten: int  # Lost runs that the row of mail does not count yet.
    reason: str  # Why the last run was lost.
    write_first: bool  # The count has to be written before the next run: the store, or the lease, may fail once more.
    is_condemned: bool = False


class LostRuns:
    """What was lost lately. It remembers between 8,192 and twice as many messages of its kind."""

    def __init__(self, turn_messages_max: int, told: Callable[[Sequence[bytes]], None] | None = None) -> None:
        self._turn_messages_max = turn_messages_max
        self._told = told  # with the ids, each time that runs were lost
        self._newer: dict[bytes, _Loss] = {}
        self._older: dict[bytes, _Loss] = {}
        self._sizes: dict[Address, int] = {}  # How many messages the next turn of an actor may take that has lost one.
        self.is_empty = True  # An attribute and no property, since each turn asks.

    def add(self, address: Address, ids: Sequence[bytes], reason: str, *, write_first: bool = True) -> None:
        """Note that the handlers of these messages have run in one turn, which was not committed."""
        if len(self._newer) >= _GENERATION:
            self._newer, self._older = {}, self._newer
        self.is_empty = False
        if self._told is not None:
            self._told(ids)
        for id in ids:
            before = self._older.pop(id, None) or self._newer.get(id)
            self._newer[id] = _Loss(1 if before is None else before.unwritten + 1, reason, write_first)
        if len(self._sizes) >= _GENERATION:
            self._sizes.pop(next(iter(self._sizes)))
        self._sizes[address] = max(1, len(ids) // 2)

    def condemn(self, id: bytes, reason: str) -> None:
        """Have a message parked with the reason, whatever its budget says. It must not run again."""
        self._newer[id] = _Loss(self.unwritten(id), reason, write_first=False, is_condemned=True)
        self.is_empty = False

    def is_condemned(self, id: bytes) -> bool:
        loss = self._find(id)
        return loss is not None and loss.is_condemned

    def given_up(self, id: bytes, failed_before: int, runs_max: int) -> tuple[str, int] | None:
        """Why a message is to be parked without another run, and how often it has run; None if it may run."""
        loss = self._find(id)
        if loss is not None and loss.is_condemned:
            return loss.reason, max(1, failed_before)  # At least 1: an undo must know that the do may have run in part.
        if loss is not None and loss.reason and failed_before >= lost_runs_max(runs_max):
            return f"its runs end without a commit, the last since {loss.reason}", failed_before
        return None

    def turn_max(self, address: Address) -> int:
        """How many messages the next turn of this actor may take."""
        return self._sizes.get(address, self._turn_messages_max)

    def has_lost(self, address: Address) -> bool:
        """Whether this actor has lost a turn, and has not yet gone on as before."""
        return address in self._sizes

    def unwritten(self, id: bytes) -> int:
        """Lost runs of a message that its row of mail does not count yet."""
        loss = self._find(id)
        return 0 if loss is None else loss.unwritten

    def is_to_be_written(self, id: bytes) -> bool:
        """Whether the row of mail has to count the lost runs before the message runs again."""
        loss = self._find(id)
        return loss is not None and loss.unwritten > 0 and loss.write_first

    def reason(self, id: bytes) -> str:
        """Why the last run of a message was lost; empty if none was."""
        loss = self._find(id)
        return "" if loss is None else loss.reason

    def written(self, id: bytes) -> None:
        """The row of mail counts the lost runs of this message now."""
        loss = self._find(id)
        if loss is not None:
            loss.unwritten = 0

    def name_anew(self, id: bytes, new_id: bytes) -> None:
        """A timer that is set again has another id. Its lost runs are counted by that one now."""
        self._newer[new_id] = _Loss(0, self.reason(id), write_first=True)

    def committed(self, address: Address, ids: Iterable[bytes]) -> None:
        """A turn over these messages is in the store. Their losses are past, and the next turn may be twice as long."""
        for id in ids:
            self._newer.pop(id, None)
            self._older.pop(id, None)
        size = self._sizes.pop(address, self._turn_messages_max) * 2
        if size < self._turn_messages_max:
            self._sizes[address] = size
        self.is_empty = not (self._newer or self._older or self._sizes)

    def settle(self, turn: Written, attempts: dict[bytes, int], *, was_noted: bool) -> None:
        """A turn is in the store. If it `was_noted`, it has only counted what was lost; else it has handled it.

        `attempts` of its actor are set to what the store counts now.
        """
        done = [row.id for row in turn.history] + [row.id for row in turn.rescheduled]
        if not was_noted:
            self.committed(turn.address, done)
            return
        for id in done:
            self.written(id)
        for row in turn.rescheduled:
            attempts[row.id] = row.attempts

    def _find(self, id: bytes) -> _Loss | None:
        return self._newer.get(id) or self._older.get(id)
