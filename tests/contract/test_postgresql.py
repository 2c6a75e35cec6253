"""PostgreSQL passes the conformance suite, on a server of its own."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from runtime.ports import Ports
from runtime.store.port import Store
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.testing.conformance.suite import StoreConformance
from runtime.testing.processes.postgresql.server import PostgresServer

_NUMBERS = itertools.count(1)


class TestPostgresqlStore(StoreConformance):
    server: PostgresServer

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server: PostgresServer) -> None:
        self.server = postgres_server

    @asynccontextmanager
    async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
        target = PostgresqlTarget.of(f"{self.server.url}?schema=test_{next(_NUMBERS)}")
        async with AsyncExitStack() as closing:
            stores: list[Store] = []
            for _ in range(count):
                store = PostgresqlStore(target, ports)
                await store.open()
                closing.push_async_callback(store.close)
                stores.append(store)
            yield stores

    async def let_pass(self, store: Store, time_s: float) -> None:
        """The clock of a server goes on by itself, so the leases are made older."""
        assert isinstance(store, PostgresqlStore)
        await store.members.write(lambda one: one.execute(_OLDER, time_s))


_OLDER = "update nodes set lease_until_s = lease_until_s - $1"
