"""Which messages of a conversation a page asks for, and where it ends.

A conversation may have tens of thousands of messages. A page of it costs one pass over its rows, and makes records of
the rows that it shows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.envelope import address_of
from runtime.store.records import HistoryRow

__all__ = ["ConversationSize", "HandledFilter", "HandledPlace"]


@dataclass(frozen=True, slots=True)
class ConversationSize:
    """How many messages the store has of a conversation. Dead letters do not count among those that wait."""

    handled: int = 0
    waiting: int = 0
    parked: int = 0

    @property
    def total(self) -> int:
        return self.handled + self.waiting + self.parked


@dataclass(frozen=True, slots=True, order=True)
class HandledPlace:
    """Where a page ends. The next one begins behind it, whether or not the message is still there."""

    handled_at_s: float
    id: bytes

    @classmethod
    def of(cls, row: HistoryRow) -> HandledPlace:
        return cls(row.handled_at_s, row.id)


@dataclass(frozen=True, slots=True)
class HandledFilter:
    """Which handled messages are meant: those that fit all that is said. What is left out asks for nothing."""

    kind: str = ""  # Of the actor that got it, or of the one that sent it.
    key: str = ""  # Of the same actor; without a kind it asks for nothing.
    type: str = ""  # The full name of the message, or its last part.
    error: str = ""  # Part of the error. Letters from a to z may be capitals or not.
    only_errors: bool = False  # An error, or a reason why it was not handled, is written beside it.

    def fits(self, row: HistoryRow) -> bool:
        """The specification: every store chooses as this does."""
        return (
            self.fits_actors((row.kind, row.key), row.sender)
            and self.fits_type(row.type)
            and self.fits_error(row.error)
        )

    def fits_actors(self, receiver: tuple[str, str], sender: str) -> bool:
        """Whether it went to the actor that is meant, or came from it; `sender` is KIND/KEY, or empty."""
        if not self.kind:
            return True
        if not self.key:
            return receiver[0] == self.kind or sender.startswith(f"{self.kind}/")
        return receiver == (self.kind, self.key) or sender == address_of(self.kind, self.key)

    def fits_type(self, name: str) -> bool:
        return not self.type or name == self.type or name.endswith(f".{self.type}")

    def fits_error(self, error: str) -> bool:
        return _small(self.error) in _small(error) and bool(error or not self.only_errors)


def _small(text: str) -> bytes:
    """With small letters in place of capitals from A to Z, and no others: SQL without a locale does so too."""
    return text.encode("utf-8", "surrogatepass").lower()
