"""What the doctor has found out about a store: `amends admin doctor` shows it."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.config import Settings

__all__ = ["MAIL_MANY", "MAIL_OLD_S", "MUCH_MAIL_CURE", "OLD_MAIL_CURE", "REFUSALS_CURE", "StoreFinding"]

MAIL_OLD_S = 60.0
"""Mail that is due waits for milliseconds. From this age on, something keeps it from being handled."""

MAIL_MANY = Settings().backlog_max
"""Beyond so much mail that is due, a node refuses new commands of clients unless its `backlog_max` says otherwise."""

OLD_MAIL_CURE = "see `nodes`, `shards` and `pauses`: nobody hosts its kind, or its handler waits"
MUCH_MAIL_CURE = (
    f"more waits than is done: make slow handlers faster, or add nodes that host the kind. A node with more than "
    f"its backlog_max ({MAIL_MANY:,} unless it is set) refuses new commands"
)
REFUSALS_CURE = "it ends by itself once half of backlog_max is left; if it goes on, see what waits, and add nodes"


@dataclass(frozen=True, slots=True)
class StoreFinding:
    """One check. Where all is well there is nothing to cure."""

    check: str
    found: str
    cure: str = ""
