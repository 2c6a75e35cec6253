"""Whether the actors of a kind that come into memory are new to the store, so that their rows need not be looked for.

    Memory ──each row that was looked for, found or not──▶ Newcomers ──likely──▶ an actor begins with no row

An order's bill and its saga are new whenever they are met, and looking for what is not there costs a read each. A guess
is no risk: a turn from no row is written only if there is none. So only kinds whose turns can be taken back guess.
After a wrong guess the row is read, since no chain of the same turn is begun again, and that ends the guessing.
"""

from __future__ import annotations

__all__ = ["Newcomers"]


class Newcomers:
    """Of one kind on one node. The latest `sure_after` reads have to agree before it guesses."""

    __slots__ = ("_new", "sure_after")

    def __init__(self, sure_after: int = 64) -> None:
        self.sure_after = sure_after
        self._new = 0  # So many of the latest reads, one after another, have found no row.

    @property
    def are_likely(self) -> bool:
        return self._new >= self.sure_after

    def looked(self, *, found: bool) -> None:
        """A row was looked for."""
        self._new = 0 if found else self._new + 1
