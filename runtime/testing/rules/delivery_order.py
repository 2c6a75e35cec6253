"""I7 and I10 at each commit: messages between two actors are handled as sent, and what is tried again is so in time.

Ledger ──the transition──▶ DeliveryOrder.broken ──▶ (invariant, text, conversation)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from runtime.envelope import Address, Envelope, address_of, decode
from runtime.errors import InvalidMessage
from runtime.record import record
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition
from runtime.testing.rules.retries import Pair, Retries

__all__ = ["DeliveryOrder", "SentMail"]

_RAN = (Outcome.HANDLED, Outcome.IGNORED)
_Broken = Iterator[tuple[str, str, bytes]]


@record(frozen=True, slots=True)
class SentMail:
    """One message that was committed to somebody's mail."""

    row: MailRow
    envelope: Envelope | None  # None when its bytes are none
    number: int  # in the order of commits, which for one sender is that of sending

    @classmethod
    def of(cls, row: MailRow, number: int) -> Self:
        try:
            return cls(row, decode(row.envelope), number)
        except InvalidMessage:
            return cls(row, None, number)

    @property
    def pair(self) -> Pair:
        return "" if self.envelope is None else self.envelope.sender, self.row.address


_Sent = Mapping[bytes, SentMail]
_Undone = Mapping[bytes, bytes]


class DeliveryOrder:
    """Of one run. `sent` is all that was ever sent, by id; `undone` is what an undo has settled."""

    def __init__(self) -> None:
        self._retries = Retries()
        self._delayed: dict[bytes, None] = {}  # was retried later or parked at least once
        self._last: dict[tuple[str, Address], int] = {}  # (sender, receiver): number of what was handled last

    @property
    def tables(self) -> tuple[object, ...]:
        """Whatever holds what has been committed so far."""
        return self, self._retries

    def may_be_overtaken(self, one: SentMail) -> None:
        """A message waits again that was handled, in a history that is lost."""
        self._delayed[one.row.id] = None
        self._retries.ended(one.pair, one.row.id)

    def broken(self, transition: Transition, sent: _Sent, undone: _Undone, clocks_wrong_s: float) -> _Broken:
        """Called once for each commit; clocks may be wrong by so much."""
        for later in transition.rescheduled:
            self._delayed[later.id] = None
        yield from self._early(transition, sent, clocks_wrong_s)
        for row in transition.history:
            if row.outcome in _RAN:  # else it was put to rest by its undo, or given up, and has not run
                yield from self._out_of_turn(row, sent.get(row.id), undone)

    def _early(self, transition: Transition, all_sent: _Sent, clocks_wrong_s: float) -> _Broken:
        """What is tried again runs when it is due, and before what its sender sent after it."""
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
        """Between two actors messages are handled as sent, but for those that were retried later or parked."""
        envelope = None if sent is None else sent.envelope
        if sent is None or envelope is None or not envelope.sender or envelope.undo_of or envelope.due_at_s:
            return
        pair = sent.pair
        text = f"{address_of(*pair[1])} handled {row.type} of {pair[0]}"
        overtaken = self._retries.overtaken(pair, sent.number)
        if overtaken is not None:
            yield "I7", f"{text} before {overtaken.id.hex()}, which waits", row.conversation
        if row.id in self._delayed or row.id in undone:
            return
        if sent.number < self._last.get(pair, 0):
            yield "I7", f"{text} after one that was sent later", row.conversation
        else:
            self._last[pair] = sent.number
