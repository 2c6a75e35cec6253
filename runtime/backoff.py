"""How long to wait before something is tried again: pauses that grow with each attempt, drawn apart by a share.

    attempt 1, 2, 3, ... ──▶ first_s x factor^(attempt - 1), at most max_s ──▶ longer or shorter by up to `jitter`

Pure: who waits draws the fraction from its Randomness port and waits by its Clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import InvalidSettings

__all__ = ["Backoff", "spread"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """With the defaults: about 0.1, 0.2, 0.4, ... up to 10 s, each up to 20 % longer or shorter."""

    first_s: float = 0.1
    max_s: float = 10.0
    factor: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not (0 <= self.first_s <= self.max_s and self.factor >= 1 and 0 <= self.jitter <= 1):
            raise InvalidSettings(f"no delays can be drawn from {self}")

    @property
    def longest_s(self) -> float:
        return self.max_s * (1 + self.jitter)

    def pause_s(self, attempt: int, fraction: float = 0.5) -> float:
        """The pause after the `attempt`-th attempt in a row (from 1), for a draw from [0, 1); 0.5 is the middle."""
        try:
            steady_s = min(self.first_s * float(self.factor) ** max(attempt - 1, 0), self.max_s)
        except OverflowError:  # long after it has stopped to matter
            steady_s = self.max_s if self.first_s else 0.0
        return spread(steady_s, self.jitter, fraction)


def spread(pause_s: float, jitter: float, fraction: float) -> float:
    """The pause, longer or shorter by up to the share `jitter`, for a draw from [0, 1)."""
    return pause_s * (1 + jitter * (2 * fraction - 1))
