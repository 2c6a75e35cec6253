"""A commit whose outcome nobody was told: what the store says of it afterwards stays true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.errors import CommitUnknown, StoreBusy
from runtime.store.postgresql import PostgresqlStore
from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.samples import mail_row, post, turn
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.proxy import Proxy
from tests.unit.store.postgresql.conftest import OpenStore
from tests.unit.store.postgresql.load import CountedLoad


@pytest.fixture
async def proxy(postgres_server: PostgresServer) -> AsyncIterator[Proxy]:
    """Between the store and the server."""
    async with Proxy(postgres_server.address) as proxy:
        yield proxy


@pytest.fixture
async def store(proxy: Proxy, postgres_server: PostgresServer, url: str, open_store: OpenStore) -> PostgresqlStore:
    """A store behind the proxy, whose connection for commits is there and warm."""
    store = await open_store(url.replace(postgres_server.address, proxy.address))
    assert await store.commit([post(mail_row(90, "warm"))]) == [Verdict.COMMITTED]
    return store


async def test_a_commit_whose_answer_is_lost_is_found(proxy: Proxy, store: PostgresqlStore) -> None:
    batch = [post(mail_row(1)), post(mail_row(2, "b"))]
    proxy.link().swallow_replies(then_break_s=0.05)
    with pytest.raises(CommitUnknown, match="broke before it answered"):
        await store.commit(batch)
    proxy.link().heal()
    assert await store.settle(batch) == [True, True]


async def test_a_commit_that_never_arrived_is_missing_and_can_be_made_anew(
    proxy: Proxy, store: PostgresqlStore
) -> None:
    proxy.link().there.freeze()
    committing = asyncio.ensure_future(store.commit([post(mail_row(1))]))
    await asyncio.sleep(0)
    proxy.link().reset()
    with pytest.raises(CommitUnknown):
        await committing
    proxy.link().heal()
    assert await store.settle([post(mail_row(1))]) == [False]
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]


async def waits(watch: Any, count: int) -> None:
    """Until so many sessions of stores wait for a lock."""
    waiting = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'amends %'"
    )
    while await watch.fetchval(waiting) < count:
        await asyncio.sleep(0.005)


async def gone(watch: Any) -> None:
    """Until no session of a store runs a statement."""
    running = "select count(*) from pg_stat_activity where state <> 'idle' and application_name like 'amends %'"
    while await watch.fetchval(running):
        await asyncio.sleep(0.005)


@pytest.fixture
async def prepared(store: PostgresqlStore) -> Transition:
    """A turn whose message waits."""
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    return turn(1)


async def test_a_statement_that_still_runs_is_waited_for(
    proxy: Proxy, store: PostgresqlStore, prepared: Transition, sql: Any, watch: Any
) -> None:
    """It holds its row of `committers` and waits for a message: nobody may say yet that it is missing."""
    async with sql.transaction():
        await sql.execute("select 1 from mail for update")
        committing = asyncio.ensure_future(store.commit([prepared]))
        await waits(watch, 1)
        proxy.link().reset()
        with pytest.raises(CommitUnknown):
            await committing
        settling = asyncio.ensure_future(store.settle([prepared]))
        await waits(watch, 2)
        assert not settling.done()
    assert await settling == [True]
    [row] = await store.load([("billing", "a")])
    assert row == prepared.actor


async def test_a_statement_that_comes_after_the_answer_writes_nothing(
    proxy: Proxy, store: PostgresqlStore, prepared: Transition, sql: Any, watch: Any
) -> None:
    """It waits for its row of `committers`, whose generation is raised meanwhile, as an answer does."""
    async with sql.transaction():
        await sql.execute("update committers set generation = generation + 1")
        committing = asyncio.ensure_future(store.commit([prepared]))
        await waits(watch, 1)
        proxy.link().reset()
        with pytest.raises(CommitUnknown):
            await committing
    await gone(watch)
    assert await store.settle([prepared]) == [False]
    assert await store.commit([prepared]) == [Verdict.COMMITTED]


async def test_whoever_comes_first_to_the_row_the_answer_stays_true(
    proxy: Proxy, store: PostgresqlStore, prepared: Transition, sql: Any, watch: Any
) -> None:
    async with sql.transaction():
        await sql.execute("select 1 from committers for update")
        committing = asyncio.ensure_future(store.commit([prepared]))
        await waits(watch, 1)
        proxy.link().reset()
        with pytest.raises(CommitUnknown):
            await committing
        settling = asyncio.ensure_future(store.settle([prepared]))
        await waits(watch, 2)
    [was_written] = await settling
    await gone(watch)
    [row] = await store.load([("billing", "a")])
    assert (row is not None) == was_written


async def test_a_row_of_committers_that_is_gone_is_made_anew(
    store: PostgresqlStore, prepared: Transition, sql: Any
) -> None:
    await sql.execute("delete from committers")
    assert await store.commit([prepared]) == [Verdict.COMMITTED]
    await sql.execute("update committers set generation = generation + 1")
    assert await store.commit([post(mail_row(2))]) == [Verdict.COMMITTED]


async def test_an_answer_that_would_take_too_long_is_asked_for_again(
    proxy: Proxy, open_store: OpenStore, store: PostgresqlStore, prepared: Transition, sql: Any, url: str
) -> None:
    impatient = await open_store(f"{url}&statement_s=0.4")
    assert await impatient.commit([post(mail_row(91, "warm"))]) == [Verdict.COMMITTED]
    async with sql.transaction():
        await sql.execute("select 1 from committers for update")
        with pytest.raises(StoreBusy, match="holds rows for too long"):
            await impatient.settle([prepared])
    assert await impatient.settle([prepared]) == [False]


async def test_many_lost_answers_under_load_lose_and_double_nothing(
    proxy: Proxy, store: PostgresqlStore, open_store: OpenStore
) -> None:
    load = CountedLoad(store, reader=await open_store())
    while not load.is_over:
        lost = load.committer.stats.unknown
        proxy.link().swallow_replies(then_break_s=0.01)
        while load.committer.stats.unknown == lost and not load.is_over:
            await asyncio.sleep(0.005)
        proxy.link().heal()
        await load.goes_on()
    await load.adds_up()
    assert load.committer.stats.unknown > 1
