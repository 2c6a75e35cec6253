"""What a store tells once it is another history than the one its users have worked with.

A standby was promoted that lacks the newest commits, or a backup was restored beneath running nodes. Each commit that
is tried after that is judged by the new history, as always. But what nodes remember of the old one may never have been.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AnotherHistory"]


@dataclass(frozen=True, slots=True)
class AnotherHistory:
    what: str  # What has changed, as an operator would say it: the timeline of the server went from 3 to 4.
    may_have_lost: bool  # Whether commits that were confirmed may be gone.
    since_s: float = 0.0  # Commits from this instant on may be gone, by the store's clock; 0.0: nobody knows.
