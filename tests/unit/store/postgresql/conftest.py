"""A store of its own for each test, in a schema of the server that all tests share."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from runtime.adapters import system_ports
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.testing.processes.postgresql.server import PostgresServer

_NUMBERS = itertools.count(1)

OpenStore = Callable[..., Awaitable[PostgresqlStore]]


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """Of a schema that is not there yet."""
    return f"{postgres_server.url}?schema=unit_{next(_NUMBERS)}"


@pytest.fixture
async def open_store(url: str) -> AsyncIterator[OpenStore]:
    """Opens the store of `url`, or of another one; all are closed after the test."""
    opened: list[PostgresqlStore] = []

    async def open(of: str = "", **options: Any) -> PostgresqlStore:
        store = PostgresqlStore(PostgresqlTarget.of(of or url), system_ports(), **options)
        opened.append(store)
        await store.open()
        return store

    yield open
    for store in opened:
        await store.close()


async def _connected(url: str) -> Any:
    target = PostgresqlTarget.of(url)
    return await asyncpg.connect(target.dsn, server_settings={"search_path": target.quoted_schema})


@pytest.fixture
async def sql(url: str) -> AsyncIterator[Any]:
    """A session of an administrator, who sees the tables of the store."""
    connection = await _connected(url)
    yield connection
    connection.terminate()


@pytest.fixture
async def watch(url: str) -> AsyncIterator[Any]:
    """Another one, to look at sessions: within a transaction one always sees the same."""
    connection = await _connected(url)
    yield connection
    connection.terminate()
