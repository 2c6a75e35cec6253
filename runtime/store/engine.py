"""What a scheme of store URLs stands for: how such a store is opened, copied and described.

    open.py ──scheme──▶ Engine ──▶ Store

An engine is chosen by the scheme of a URL, and imported only then: what it needs need not be installed otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.ports import Ports
from runtime.store.finding import StoreFinding
from runtime.store.port import Store

__all__ = ["Engine", "StoreNotes"]


@dataclass(frozen=True, slots=True)
class StoreNotes:
    """What can be said of a store from outside, without opening it."""

    log_bytes: int = 0  # The length of the log beside a store's file.
    warnings: tuple[str, ...] = ()  # Each names a trouble and its cure.


class Engine(Protocol):
    """Each method raises InvalidSettings for a URL that is wrong, or that names a store that cannot do it.

    The error shows no password.
    """

    def open(self, url: str, ports: Ports, *, create: bool, view: bool) -> Store:
        """The store that a URL names, not open yet.

        With `create=False`, its `open` raises StoreUnavailable instead of making a store that is not there. With `view`
        the store is only read, and needs no right but that.
        """
        ...

    def back_up(self, url: str, to: Path) -> int:
        """Copy a store, live or not, into a new file; gives its size in bytes. Raises StoreError."""
        ...

    def restore(self, url: str, source: Path, ports: Ports) -> Path | None:
        """Put a copy in the store's place; gives where the old file was set aside. Raises StoreError."""
        ...

    def examine(self, url: str, ports: Ports) -> list[StoreFinding]:
        """What an operator should know of the store, each trouble with its cure. Raises StoreError."""
        ...

    def notes(self, url: str) -> StoreNotes: ...
