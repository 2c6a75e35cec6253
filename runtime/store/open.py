"""From a store's URL to a store: each scheme has an engine, which is imported when its first URL comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.store.engine import Engine, StoreNotes
from runtime.store.finding import StoreFinding
from runtime.store.port import Store
from runtime.store_url import without_password

__all__ = ["back_up_store", "examine_store", "open_store", "restore_store", "store_notes"]

_FORMS = "sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user@host/database or memory:"


def open_store(url: str, ports: Ports, *, create: bool = True, view: bool = False) -> Store:
    """The store that a URL names; call `open` on it next. Raises InvalidSettings for a URL of no known form.

    With `create=False`, `open` raises StoreUnavailable instead of making a store that is not there. With `view` the
    store is only read, and needs no right but that.
    """
    return _engine_of(url).open(url, ports, create=create, view=view)


def back_up_store(url: str, to: Path) -> int:
    """Copy a store, live or not, into a new file; gives its size. Raises StoreError, InvalidSettings."""
    return _engine_of(url).back_up(url, to)


def restore_store(url: str, source: Path, ports: Ports) -> Path | None:
    """Put a copy in the store's place; gives where the old file was set aside. Raises StoreError, InvalidSettings."""
    return _engine_of(url).restore(url, source, ports)


def examine_store(url: str, ports: Ports) -> list[StoreFinding]:
    """What an operator should know of the store, each trouble with its cure. Raises StoreError, InvalidSettings."""
    return _engine_of(url).examine(url, ports)


def store_notes(url: str) -> StoreNotes:
    """What can be said of a store without opening it. Raises InvalidSettings."""
    return _engine_of(url).notes(url)


def _memory() -> Engine:
    from runtime.store.memory_engine import MemoryEngine

    return MemoryEngine()


def _sqlite() -> Engine:
    from runtime.store.sqlite.engine import SqliteEngine

    return SqliteEngine()


def _postgresql() -> Engine:
    try:
        from runtime.store.postgresql.engine import PostgresqlEngine
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise InvalidSettings(
            f"a store postgresql://... needs {error.name}: pip install 'amends[postgresql]'"
        ) from error

    return PostgresqlEngine()


_ENGINES: Mapping[str, Callable[[], Engine]] = MappingProxyType(
    {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql, "postgres": _postgresql}
)


def _engine_of(url: str) -> Engine:
    scheme, separator, _ = url.partition(":")
    if not separator or scheme not in _ENGINES:
        raise InvalidSettings(f"{without_password(url)!r} is no store; use {_FORMS}")
    return _ENGINES[scheme]()
