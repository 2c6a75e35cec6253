"""What tells a store from every other one, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime.errors import StoreCorrupt

__all__ = ["HALF_COPIED", "Marks", "check_whole_copy"]

HALF_COPIED = "half_copied"
"""The name of the mark that a store has while a copy goes into it, by which everybody else is refused."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells a store from others: an id, and what only those know who can read it."""

    cluster_id: str
    secret: str = field(repr=False)


def check_whole_copy(marks: Mapping[str, str], at: str) -> None:
    """`at` names the store. Raises StoreCorrupt for one that a copy goes into, or went into and broke off."""
    if HALF_COPIED in marks:
        raise StoreCorrupt(
            f"{at} has a copy that is not finished; wait for it, or, if it broke off, remove this store and copy anew"
        )
