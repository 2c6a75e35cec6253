"""Opening a store in PostgreSQL: made once however many nodes start, and refused where it would not be safe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreCorrupt, StoreReadOnly, StoreTooNew, StoreUnavailable
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.statements import schema_steps
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import SHARD, mail_row, post
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.unit.store.postgresql.conftest import OpenStore


async def test_nodes_that_start_at_once_make_one_store(open_store: OpenStore, sql: Any) -> None:
    stores = await asyncio.gather(*(open_store() for _ in range(8)))
    assert len({(store.cluster_id, store.cluster_secret) for store in stores}) == 1
    assert await sql.fetchval("select count(*) from meta") == 3


async def test_nodes_that_bring_a_store_up_to_date_at_once_do_it_once(open_store: OpenStore, sql: Any) -> None:
    first = await open_store()
    steps = (*schema_steps(), "create table counted (n integer); insert into counted values (1)")
    stores = await asyncio.gather(*(open_store(steps=steps) for _ in range(6)))
    assert {store.cluster_id for store in stores} == {first.cluster_id}
    assert await sql.fetchval("select count(*) from counted") == 1
    # A node of the older version that runs on goes on working, and none starts.
    assert await first.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    with pytest.raises(StoreTooNew, match="upgrade this node"):
        await open_store()


async def test_a_step_that_fails_leaves_the_store_as_it_was(open_store: OpenStore, sql: Any) -> None:
    await open_store()
    with pytest.raises(StoreUnavailable, match="42601"):
        await open_store(steps=(*schema_steps(), "create table half (n integer); this is no statement"))
    assert await sql.fetchval("select value from meta where name = 'schema'") == "1"
    assert await sql.fetchval("select to_regclass('half')") is None


async def test_a_store_that_shall_exist_is_not_made(open_store: OpenStore, url: str, sql: Any) -> None:
    for options in ({"create": False}, {"view": True}):
        with pytest.raises(StoreUnavailable, match="has no store; start a node with it first"):
            await open_store(**options)
    assert await sql.fetchval("select to_regnamespace($1)", PostgresqlTarget.of(url).settings.schema) is None


async def test_a_view_reads_and_does_not_write(open_store: OpenStore) -> None:
    store = await open_store()
    await store.commit([post(mail_row(1))])
    view = await open_store(view=True)
    assert view.cluster_id == store.cluster_id
    assert await view.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]
    with pytest.raises(StoreReadOnly):
        await view.commit([post(mail_row(2))])


async def test_tables_of_another_program_are_left_alone(open_store: OpenStore, sql: Any, url: str) -> None:
    schema = PostgresqlTarget.of(url).quoted_schema
    await sql.execute(f"create schema {schema}; create table mail (subject text)")
    with pytest.raises(StoreCorrupt, match="another program"):
        await open_store()
    assert await sql.fetchval("select to_regclass('meta')") is None


@pytest.mark.parametrize(
    ("damage", "lacks"),
    [
        ("drop table history cascade", "lacks the table history"),
        ("alter table mail drop column parked", "lacks the column parked of mail"),
        ("delete from meta where name = 'cluster_id'", "lacks its cluster_id"),
        ("update meta set value = 'x' where name = 'schema'", "lacks the number of its schema"),
    ],
)
async def test_a_store_that_lacks_something_is_refused(
    open_store: OpenStore, sql: Any, damage: str, lacks: str
) -> None:
    await open_store()
    await sql.execute(damage)
    with pytest.raises(StoreCorrupt, match=f"{lacks}.*restore it from a backup"):
        await open_store()


async def test_weaker_commits_than_asked_are_refused(postgres_server: PostgresServer, open_store: OpenStore) -> None:
    url = await postgres_server.create_database()
    await postgres_server.sql(
        f"alter database {PostgresqlTarget.of(url).at.rpartition('/')[2]} set synchronous_commit = off"
    )
    with pytest.raises(StoreUnavailable, match="synchronous_commit=off, weaker than local"):
        await open_store(url)
    store = await open_store(f"{url}?synchronous_commit=on")
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]


async def test_a_database_of_another_encoding_is_refused(
    postgres_server: PostgresServer, open_store: OpenStore
) -> None:
    await postgres_server.sql("create database latin encoding 'LATIN1' locale 'C' template template0")
    with pytest.raises(StoreUnavailable, match="encoding LATIN1; make a database with ENCODING 'UTF8'"):
        await open_store(postgres_server.url_of("latin"))


async def test_what_refuses_a_user_is_said_without_the_password(
    postgres_server: PostgresServer, open_store: OpenStore
) -> None:
    await postgres_server.sql("create role guest login password 'hush-hush'")
    place = f"{postgres_server.address}/postgres"
    for url, cure in (
        (f"postgresql://guest:wrong-word@{place}", "check user, password"),
        (f"postgresql://guest:hush-hush@{place}", "lacks a right"),
        (f"{postgres_server.url_of('nowhere')}", "CREATE DATABASE"),
        ("postgresql://guest:hush-hush@127.0.0.1:1/postgres?reconnect_s=0.2", "check that it runs"),
    ):
        with pytest.raises(StoreUnavailable, match=cure) as caught:
            await open_store(url)
        assert "wrong-word" not in str(caught.value)
        assert "hush-hush" not in str(caught.value)


async def test_a_server_that_would_lose_commits_in_a_power_cut_is_refused() -> None:
    async with PostgresServer("unsafe", settings={"fsync": "off"}) as server:
        for settings in ({}, {"fsync": "on", "full_page_writes": "off"}):
            if settings:
                await server.restart(settings)
            with pytest.raises(StoreUnavailable, match="would lose commits in a power cut; set fsync"):
                await PostgresqlStore(PostgresqlTarget.of(server.url), system_ports()).open()


async def test_a_standby_is_read_and_not_written(postgres_server: PostgresServer) -> None:
    async with PostgresServer("primary") as server:
        store = PostgresqlStore(PostgresqlTarget.of(server.url), system_ports())
        await store.open()
        await store.close()
        standby = await server.standby("second")
        try:
            with pytest.raises(StoreReadOnly, match="is a standby; name the primary"):
                await PostgresqlStore(PostgresqlTarget.of(standby.url), system_ports()).open()
            view = PostgresqlStore(PostgresqlTarget.of(standby.url), system_ports(), view=True)
            await view.open()
            assert view.cluster_id == store.cluster_id
            await view.close()
        finally:
            standby.close()
