"""Every store passes the conformance suite."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.suite import StoreConformance


class TestMemoryStore(StoreConformance):
    @asynccontextmanager
    async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
        store = MemoryStore(ports)
        await store.open()
        yield [store] * count
        await store.close()


class TestSqliteStore(StoreConformance):
    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
        async with AsyncExitStack() as closing:
            stores: list[Store] = []
            for _ in range(count):
                store = SqliteStore(self.folder / "store.db", ports)
                await store.open()
                closing.push_async_callback(store.close)
                stores.append(store)
            yield stores
