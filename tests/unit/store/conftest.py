"""Stores in a file of the test's own folder, closed at its end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.store.sqlite import SqliteStore

OpenStore = Callable[..., SqliteStore]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "amends.db"


@pytest.fixture
async def make_store(path: Path) -> AsyncIterator[OpenStore]:
    """Makes stores on `path`, not yet opened."""
    async with AsyncExitStack() as closing:

        def make(**settings: object) -> SqliteStore:
            store = SqliteStore(path, system_ports(), **settings)  # type: ignore[arg-type]
            closing.push_async_callback(store.close)
            return store

        yield make
