"""Messages that wait for another try: they run no earlier than they are due, and what was sent after them waits.

Ledger ──put off, handled──▶ Retries ──▶ who was overtaken, who came too early

I7 lets a retried message be overtaken. The runtime promises more: between the same two actors it is not, unless it was
parked.
"""

from __future__ import annotations

from runtime.envelope import Address
from runtime.store.records import MailRow

__all__ = ["Pair", "Retries"]

Pair = tuple[str, Address]
"""Sender and receiver."""


class Retries:
    """What waits for a retry, by who sent it to whom."""

    def __init__(self) -> None:
        self._waiting: dict[Pair, dict[bytes, tuple[int, MailRow]]] = {}  # by id: number in the order of sending
        self._parked: dict[bytes, None] = {}  # at some time: what an operator replays takes its chance

    def put_off(self, pair: Pair, number: int, row: MailRow) -> None:
        """A message is to run later, or was parked, which ends its waiting."""
        if row.parked:
            self._parked[row.id] = None
            self.ended(pair, row.id)
        elif row.id not in self._parked:
            self._waiting.setdefault(pair, {})[row.id] = number, row

    def ended(self, pair: Pair, id: bytes) -> MailRow | None:
        """It was handled, or given up on. The row that it waited as."""
        found = self._waiting.get(pair, {}).pop(id, None)
        return None if found is None else found[1]

    def overtaken(self, pair: Pair, number: int) -> MailRow | None:
        """One that waits, and was sent before this number."""
        waiting = self._waiting.get(pair)
        return next((row for before, row in waiting.values() if before < number), None) if waiting else None
