"""The URL `memory:`: a store that ends with its node."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.store.engine import StoreNotes
from runtime.store.finding import StoreFinding
from runtime.store.memory import MemoryStore
from runtime.store.port import Store

__all__ = ["MemoryEngine"]


class MemoryEngine:
    """Every URL of it names a new store. So nobody else can read, copy or replace one."""

    def open(self, url: str, ports: Ports, *, create: bool, view: bool) -> Store:
        if url != "memory:":
            raise InvalidSettings("a store in memory has no name and no settings; write memory: alone")
        if view or not create:
            raise _from_outside()
        return MemoryStore(ports)

    def back_up(self, url: str, to: Path) -> int:
        raise _from_outside()

    def restore(self, url: str, source: Path, ports: Ports) -> Path | None:
        raise _from_outside()

    def examine(self, url: str, ports: Ports) -> list[StoreFinding]:
        raise _from_outside()

    def notes(self, url: str) -> StoreNotes:
        raise _from_outside()


def _from_outside() -> InvalidSettings:
    return InvalidSettings("a store in memory ends with its node and can't be read from outside; name a file")
