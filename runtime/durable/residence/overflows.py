"""Mail that was left in the store of actors that nothing in memory remembers.

Residents ──note──▶ Overflows ◀──all_was_read── Sweeper     a look that began after the last overflow and reached all
"""

from __future__ import annotations

__all__ = ["Overflows"]


class Overflows:
    """Of one kind on one node."""

    def __init__(self) -> None:
        self.count = 0
        self._read = 0  # of these, those whose mail has been read since

    def note(self) -> None:
        """Mail waits in the store for an actor that nothing in memory remembers."""
        self.count += 1

    @property
    def are_open(self) -> bool:
        """Whether the mail of an actor that comes into memory has to be read before pushes are taken for it."""
        return self.count != self._read

    def all_was_read(self, count: int) -> None:
        """A sweep that began when there were so many has reached all mail."""
        self._read = count
