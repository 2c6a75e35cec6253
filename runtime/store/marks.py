"""What tells a store from every other one. Both are drawn when it is created."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Marks"]


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells a store from others: an id, and what only those know who can read it."""

    cluster_id: str
    secret: str = field(repr=False)
