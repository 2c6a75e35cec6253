"""From a store's URL to a store."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.connection import log_bytes
from runtime.store.sqlite.copies import back_up, restore
from runtime.store.sqlite.keeper import LOG_BYTES_LONG

__all__ = ["LOG_BYTES_LONG", "back_up_store", "open_store", "restore_store", "store_log_bytes"]

_FORMS = "sqlite:///relative.db, sqlite:////absolute/path.db or memory:"


def open_store(url: str, ports: Ports, *, create: bool = True, view: bool = False) -> Store:
    """The store that a URL names; call `open` on it next. Raises InvalidSettings for a URL of no known form.

    With `create=False`, `open` raises StoreUnavailable instead of making a file that is not there. With `view` the
    store is only read, and needs no right but that.
    """
    if url == "memory:":
        return MemoryStore(ports)
    return SqliteStore(_file_of(url), ports, create=create, view=view)


def back_up_store(url: str, to: Path) -> int:
    """Copy a store, live or not, into a new file; gives its size. Raises StoreError, InvalidSettings."""
    return back_up(_file_of(url), to)


def restore_store(url: str, source: Path, ports: Ports) -> Path | None:
    """Put a copy in the store's place; gives where the old file was set aside. Raises StoreError, InvalidSettings."""
    return restore(_file_of(url), source, ports.ids.new_id)


def store_log_bytes(url: str) -> int:
    """How long the log beside the store's file is; beyond `LOG_BYTES_LONG` something keeps it from being cut."""
    return log_bytes(_file_of(url))


def _file_of(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest[1:]:
        return Path(rest[1:])
    if url == "memory:":
        raise InvalidSettings("a store in memory ends with its node and can't be read from outside; name a file")
    if separator and scheme in ("postgres", "postgresql"):
        raise InvalidSettings(f"the store {scheme}://... needs PostgreSQL, which is not there yet; use {_FORMS}")
    raise InvalidSettings(f"{url!r} is no store; use {_FORMS}")
