"""Messages that wait for a retry. They run no earlier than they are due, and later messages wait behind them.

DeliveryOrder ──put off, ended──▶ Retries ──▶ who was overtaken, who came too early

I7 lets a retried message be overtaken. The runtime promises more: between the same two actors nothing overtakes it,
unless it was parked.
"""

from __future__ import annotations

from runtime.envelope import Address
from runtime.store.records import MailRow

__all__ = ["Pair", "Retries"]

Pair = tuple[str, Address]
"""Sender and receiver."""


class Retries:
    """What waits for a retry, by sender and receiver."""

    def __init__(self) -> None:
        self._waiting: dict[Pair, dict[bytes, tuple[int, MailRow]]] = {}  # By id; the number is the order of sending.
        self._parked: dict[bytes, None] = {}  # Parked at some time. A replay by an operator may be overtaken.

    def put_off(self, pair: Pair, number: int, row: MailRow) -> None:
        """Notes that a message runs later. Parking it ends its waiting."""
        if row.parked:
            self._parked[row.id] = None
            self.ended(pair, row.id)
        elif row.id not in self._parked:
            self._waiting.setdefault(pair, {})[row.id] = number, row

    def ended(self, pair: Pair, id: bytes) -> MailRow | None:
        """Notes that it was handled or given up. Gives the row as which it waited."""
        found = self._waiting.get(pair, {}).pop(id, None)
        return None if found is None else found[1]

    def overtaken(self, pair: Pair, number: int) -> MailRow | None:
        """A message that waits for a retry, and was sent before this number."""
        waiting = self._waiting.get(pair)
        return next((row for before, row in waiting.values() if before < number), None) if waiting else None
