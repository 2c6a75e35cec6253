"""How the way of one node to the database misbehaves, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreFaults"]


@dataclass(slots=True)
class StoreFaults:
    """How a connection misbehaves: chances for each call, and seconds."""

    delay_s: tuple[float, float] = (0.0002, 0.003)  # each way
    slow: float = 0.0  # a call that takes up to `slow_s` longer
    slow_s: float = 1.0
    refused: float = 0.0  # busy, full or lost before anything was written
    reply_lost: float = 0.0  # of a write other than a commit, which was done all the same
    unknown_applied: float = 0.0
    unknown_missing: float = 0.0
    unknown_late: float = 0.0  # not yet applied when the caller is told that the outcome is unknown
    dies: float = 0.0  # the commit is applied, and the node is killed before it hears of it
    hang: float = 0.0  # a commit that takes up to `hang_s`
    hang_s: float = 8.0
    settle_fails: float = 0.0

    def heal(self) -> None:
        """Be a good store from now on."""
        self.slow = self.refused = self.reply_lost = self.dies = self.hang = self.settle_fails = 0.0
        self.unknown_applied = self.unknown_missing = self.unknown_late = 0.0
