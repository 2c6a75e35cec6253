"""Fixtures for pytest: one PostgreSQL server for all tests of a process, and an empty database for each test.

    pytest_plugins = ["runtime.testing.fixtures", "runtime.testing.processes.postgresql.fixtures"]     # in conftest.py

    async def test_my_trip(make_cluster: MakeCluster, postgres_url: str) -> None: ...

The server starts with the first test that asks for it, which takes a second or two. Under pytest-xdist each worker has
one. A test that stops or breaks a server starts a PostgresServer of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from runtime.testing.processes.postgresql.server import PostgresServer

__all__ = ["postgres_server", "postgres_url"]

T = TypeVar("T")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that all tests of this process share: leave it running."""
    server = PostgresServer()
    try:
        _wait_for(server.start())
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, which is dropped after the test, whoever is connected to it."""
    url: str = _wait_for(postgres_server.create_database())
    yield url
    _wait_for(postgres_server.drop_database(url))


def _wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it on a loop of its own: the test's loop does not run while fixtures are made."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
