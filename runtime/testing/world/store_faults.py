"""How the way of nodes to the database misbehaves, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreFaults"]


@dataclass(slots=True)
class StoreFaults:
    """Chances for each call, and seconds."""

    delay_s: tuple[float, float] = (0.0002, 0.003)  # The least and the greatest delay of each way.
    slow: float = 0.0  # A call takes up to `slow_s` longer.
    slow_s: float = 1.0
    refused: float = 0.0  # The store is busy, full or lost before anything was written.
    reply_lost: float = 0.0  # A write other than a commit was done, and its reply is lost.
    unknown_applied: float = 0.0
    unknown_missing: float = 0.0
    unknown_late: float = 0.0  # The caller hears that the outcome is unknown before the commit is applied.
    dies: float = 0.0  # The commit is applied, and the node is killed before it hears so.
    hang: float = 0.0  # A commit takes up to `hang_s`.
    hang_s: float = 8.0
    settle_fails: float = 0.0

    def heal(self) -> None:
        """Removes all faults from now on."""
        self.slow = self.refused = self.reply_lost = self.dies = self.hang = self.settle_fails = 0.0
        self.unknown_applied = self.unknown_missing = self.unknown_late = 0.0
