"""I7 and I10 at each commit: messages between two actors are handled in the order sent; retries come when due.

Ledger ──the transition──▶ DeliveryOrder.broken ──▶ (invariant, text, conversation)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from runtime.envelope import Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.record import record
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition
from runtime.testing.rules.retries import Pair, Retries

__all__ = ["DeliveryOrder", "SentMail"]

_RAN = (Outcome.HANDLED, Outcome.IGNORED)
_Broken = Iterator[tuple[str, str, bytes]]


@record(frozen=True, slots=True)
class SentMail:
    """One message that was committed to an actor's mail."""

    row: MailRow
    envelope: Envelope | None  # None if its bytes are no envelope.
    number: int  # Counts the commits. For one sender that is the order of sending.
    at_s: float  # The true time of its commit.

    @classmethod
    def of(cls, row: MailRow, number: int, at_s: float) -> Self:
        try:
            return cls(row, decode(row.envelope), number, at_s)
        except InvalidMessage:
            return cls(row, None, number, at_s)

    @property
    def pair(self) -> Pair:
        return "" if self.envelope is None else self.envelope.sender, self.row.address


_Sent = Mapping[bytes, SentMail]
_Undone = Mapping[bytes, bytes]


class DeliveryOrder:
    """The order in one run. `sent` has all that was ever sent, by id; `undone` has what an undo has settled."""

    def __init__(self) -> None:
        self._retries = Retries()
        self._delayed: dict[bytes, None] = {}  # These were retried later, or parked, at least once.
        self._last: dict[Pair, int] = {}  # The number that a pair handled last.

    @property
    def tables(self) -> tuple[object, ...]:
        """The objects that hold what was committed so far."""
        return self, self._retries

    def may_be_overtaken(self, one: SentMail) -> None:
        """Hears of a message that waits again, since a failover lost its handling."""
        self._delayed[one.row.id] = None
        self._retries.ended(one.pair, one.row.id)

    def broken(self, transition: Transition, sent: _Sent, undone: _Undone, clocks_wrong_s: float) -> _Broken:
        """What this commit breaks. It is asked once for each commit; clocks may be wrong by so much."""
        for later in transition.rescheduled:
            self._delayed[later.id] = None
        yield from self._early(transition, sent, clocks_wrong_s)
        for row in transition.history:
            if row.outcome in _RAN:  # Else it has not run: its undo refused it, or it was given up.
                yield from self._out_of_turn(row, sent.get(row.id), undone)

    def _early(self, transition: Transition, all_sent: _Sent, clocks_wrong_s: float) -> _Broken:
        """A retry runs no earlier than it is due. Notes the retries that this commit puts off."""
        for row in transition.history:
            sent = all_sent.get(row.id)
            was = None if sent is None else self._retries.ended(sent.pair, row.id)
            early_s = 0.0 if was is None else was.due_at_s - row.handled_at_s - clocks_wrong_s
            if early_s > 0 and row.outcome is Outcome.HANDLED:
                yield "I10", f"{row.type} {row.id.hex()} ran {early_s:.3f} s before its time", row.conversation
        for later in transition.rescheduled:
            sent = all_sent.get(later.id)
            if sent is not None:
                self._retries.put_off(sent.pair, sent.number, later)

    def _out_of_turn(self, row: HistoryRow, sent: SentMail | None, undone: _Undone) -> _Broken:
        """Two actors' messages are handled in the order sent, except those that were retried later or parked."""
        envelope = None if sent is None else sent.envelope
        if sent is None or envelope is None or not envelope.sender or envelope.undo_of or envelope.due_at_s:
            return
        pair = sent.pair
        text = f"{address_of(*pair[1])} handled {row.type} of {pair[0]}"
        overtaken = self._retries.overtaken(pair, sent.number)
        if overtaken is not None:
            yield "I7", f"{text} before {overtaken.id.hex()}, which waits for its retry", row.conversation
        if row.id in self._delayed or row.id in undone:
            return
        if sent.number < self._last.get(pair, 0):
            yield "I7", f"{text} after one that was sent later", row.conversation
        else:
            self._last[pair] = sent.number
