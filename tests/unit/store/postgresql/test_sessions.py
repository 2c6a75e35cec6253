"""Sessions that end, and a server that starts anew: calls go on, and what was committed is there once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreBusy, StoreReadOnly, StoreUnavailable
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import SHARD, mail_row, node_row, post
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.unit.store.postgresql.conftest import OpenStore
from tests.unit.store.postgresql.load import CountedLoad

_END_ALL = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'amends %'"


async def test_reads_go_on_when_their_session_was_ended(open_store: OpenStore, sql: Any) -> None:
    store = await open_store()
    await store.join(node_row("one"), lease_s=5.0)
    assert await store.load([("billing", "a")]) == [None]
    assert await sql.fetchval(_END_ALL) >= 2
    assert await store.load([("billing", "a")]) == [None]
    assert [node.name for node in (await store.cluster()).nodes] == ["one"]


async def test_all_sessions_are_ended_again_and_again_under_load(open_store: OpenStore, sql: Any) -> None:
    load = CountedLoad(await open_store())
    ended = 0
    while not load.is_over:
        ended += await sql.fetchval(_END_ALL)
        await load.goes_on()
    await load.adds_up()
    assert ended > 2


async def test_a_server_that_starts_anew_under_load_costs_a_pause() -> None:
    async with PostgresServer("restarted") as server:
        store = PostgresqlStore(PostgresqlTarget.of(server.url), system_ports())
        await store.open()
        load = CountedLoad(store, turns=8)
        await load.goes_on()
        await server.restart()
        await load.goes_on()
        server.kill()
        await server.start()
        await load.adds_up()
        await store.close()


async def test_a_server_that_is_away_is_named_with_the_cure_once_the_time_is_over() -> None:
    async with PostgresServer("away") as server:
        store = PostgresqlStore(PostgresqlTarget.of(f"{server.url}?reconnect_s=0.3"), system_ports())
        await store.open()
        server.kill()
        with pytest.raises(StoreUnavailable, match="check that it runs"):
            await store.load([("billing", "a")])
        with pytest.raises(StoreUnavailable, match="check that it runs"):
            await store.renew("one", "1", lease_s=5.0)
        await store.close()


async def test_a_lease_waits_for_no_commit_and_no_read(open_store: OpenStore, sql: Any, watch: Any) -> None:
    """All rows of mail are held by somebody, so commits stand still; the members of the cluster do not."""
    store = await open_store()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    async with sql.transaction():
        await sql.execute("lock table mail in access exclusive mode")
        committing = asyncio.ensure_future(store.commit([post(mail_row(2))]))
        reading = [asyncio.ensure_future(store.waiting_for(("billing", "a"), SHARD, limit=9)) for _ in range(6)]
        while await watch.fetchval("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") < 5:
            await asyncio.sleep(0.005)
        assert await store.join(node_row("one"), lease_s=5.0) is None
        assert await store.renew("one", "1", lease_s=5.0)
        assert len((await store.cluster()).nodes) == 1
        assert not committing.done()
    assert await committing == [Verdict.COMMITTED]
    assert {len(rows) for rows in await asyncio.gather(*reading)} <= {1, 2}  # replay: a real server decides


async def test_rows_that_somebody_holds_for_too_long_are_an_error_that_says_so(
    open_store: OpenStore, sql: Any, url: str
) -> None:
    store = await open_store(f"{url}&statement_s=0.4")
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    async with sql.transaction():
        await sql.execute("lock table mail in access exclusive mode")
        with pytest.raises(StoreBusy, match="another session holds rows for too long; see pg_stat_activity"):
            await store.commit([post(mail_row(2))])
    assert await store.commit([post(mail_row(2))]) == [Verdict.COMMITTED]


async def test_a_database_that_becomes_read_only_refuses_commits_as_such(
    postgres_server: PostgresServer, open_store: OpenStore
) -> None:
    url = await postgres_server.create_database()
    store = await open_store(url)
    await postgres_server.sql(f"alter database {url.rpartition('/')[2]} set default_transaction_read_only = on")
    for act in (store.settle, store.commit):  # `settle` asks on a new connection
        with pytest.raises(StoreReadOnly, match="is read-only; name the primary"):
            await act([post(mail_row(1))])


async def test_a_store_that_is_closed_says_so(open_store: OpenStore) -> None:
    store = await open_store()
    await store.close()
    with pytest.raises(StoreUnavailable, match="is closed; open it first"):
        await store.load([("billing", "a")])


async def test_closing_leaves_no_session_and_no_row_behind(open_store: OpenStore, sql: Any, url: str) -> None:
    store = await open_store()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    assert await sql.fetchval("select count(*) from committers") == 1
    await store.close()
    assert await sql.fetchval("select count(*) from committers") == 0
