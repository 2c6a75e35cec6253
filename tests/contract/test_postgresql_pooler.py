"""A store on PostgreSQL behind PgBouncer, which hands each transaction another session."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreUnavailable
from runtime.ports import Ports
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.connection import PLANS
from runtime.testing.conformance.membership import MembershipConformance
from runtime.testing.conformance.races import RaceConformance
from runtime.testing.conformance.settle import SettleConformance
from runtime.testing.conformance.turns import TurnConformance
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.contract.debian import pgbouncer
from tests.contract.pooler import Pooler

pytestmark = pytest.mark.skipif(pgbouncer() is None, reason="there is no PgBouncer: apt-get install pgbouncer")

_NUMBERS = itertools.count(1)
_OLDER = "update nodes set lease_until_s = lease_until_s - $1"


async def pinned(server: PostgresServer) -> str:
    """A new database whose sessions have the pinned plans, whoever opens them; gives its name."""
    name = f"pooled_{next(_NUMBERS)}"
    await server.create_database(name)
    settings = (f"ALTER DATABASE {name} SET {setting} = '{value}'" for setting, value in PLANS.items())
    await server.sql("; ".join(settings))
    return name


class TestBehindPgBouncer(TurnConformance, RaceConformance, SettleConformance, MembershipConformance):
    """The parts of the suite in which sessions matter."""

    server: PostgresServer

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server: PostgresServer) -> None:
        self.server = postgres_server

    @asynccontextmanager
    async def open_stores(self, ports: Ports, count: int) -> AsyncIterator[list[Store]]:
        name = await pinned(self.server)
        async with AsyncExitStack() as closing:
            pooler = await closing.enter_async_context(Pooler(self.server))
            stores: list[Store] = []
            for _ in range(count):
                store = open_store(f"{pooler.url_of(name)}?pooler=transaction", ports)
                await store.open()
                closing.push_async_callback(store.close)
                stores.append(store)
            yield stores
        await self.server.drop_database(self.server.url_of(name))

    async def let_pass(self, store: Store, time_s: float) -> None:
        assert isinstance(store, PostgresqlStore)
        await store.members.write(lambda one: one.execute(_OLDER, time_s))


async def refused(url: str, telling: str) -> None:
    with pytest.raises(StoreUnavailable, match=telling):
        await open_store(url, system_ports()).open()


async def test_a_role_without_pinned_plans_is_refused_with_the_cure(postgres_server: PostgresServer) -> None:
    url = await postgres_server.create_database()
    async with Pooler(postgres_server) as pooler:
        name = url.rpartition("/")[2]
        await refused(f"{pooler.url_of(name)}?pooler=transaction&reconnect_s=0.01", "ALTER ROLE ... SET enable_seqscan")


async def test_a_pooler_that_the_url_does_not_tell_of_is_refused_with_the_cure(
    postgres_server: PostgresServer,
) -> None:
    name = await pinned(postgres_server)
    async with Pooler(postgres_server) as pooler:
        await refused(f"{pooler.url_of(name)}?reconnect_s=0.01", "add pooler=transaction to the URL")


async def test_a_pooler_that_pools_statements_is_refused_with_the_cure(postgres_server: PostgresServer) -> None:
    name = await pinned(postgres_server)
    async with Pooler(postgres_server, mode="statement") as pooler:
        await refused(f"{pooler.url_of(name)}?pooler=transaction&reconnect_s=0.01", "let it pool transactions")
