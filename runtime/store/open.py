"""From a store's URL to a store."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.sqlite import SqliteStore

__all__ = ["open_store"]

_FORMS = "sqlite:///relative.db, sqlite:////absolute/path.db or memory:"


def open_store(url: str, ports: Ports, *, create: bool = True, view: bool = False) -> Store:
    """The store that a URL names; call `open` on it next. Raises InvalidSettings for a URL of no known form.

    With `create=False`, `open` raises StoreUnavailable instead of making a file that is not there. With `view` the
    store is only read, and needs no right but that.
    """
    if url == "memory:":
        return MemoryStore(ports)
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:]:
        return SqliteStore(Path(rest[1:]), ports, create=create, view=view)
    if separator and scheme in ("postgres", "postgresql"):
        raise InvalidSettings(f"the store {scheme}://... needs PostgreSQL, which is not there yet; use {_FORMS}")
    raise InvalidSettings(f"{url!r} is no store; use {_FORMS}")
