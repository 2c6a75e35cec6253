"""A server that was replaced by a promoted standby, and a URL that leads to another store."""

from __future__ import annotations

import asyncio

import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreReplaced, StoreUnavailable
from runtime.store.postgresql import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.postgresql.timeline import Timeline
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import SHARD, mail_row, node_row, post
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.proxy import Proxy


async def test_a_newer_timeline_is_told_once_and_an_older_one_is_refused() -> None:
    timeline = Timeline("postgresql://db/orders")
    timeline.meet(3)
    turning = asyncio.ensure_future(timeline.turned())
    timeline.meet(3)
    await asyncio.sleep(0)
    assert not turning.done()
    timeline.meet(4)
    told = await turning
    assert told.what == "the timeline of the server postgresql://db/orders went from 3 to 4"
    assert told.may_have_lost
    with pytest.raises(StoreUnavailable, match="of the timeline 3, and another one of the timeline 4 has taken over"):
        timeline.meet(3)
    again = asyncio.ensure_future(timeline.turned())
    await asyncio.sleep(0)
    assert not again.done(), "it was told already"
    timeline.meet(6)
    assert "from 4 to 6" in (await again).what


async def test_a_promoted_standby_is_another_history_and_the_old_server_is_refused() -> None:
    async with PostgresServer("old") as old, Proxy(old.address) as proxy:
        url = old.url_of("postgres", address=proxy.address)
        store = PostgresqlStore(PostgresqlTarget.of(f"{url}?reconnect_s=5"), system_ports())
        await store.open()
        assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
        await store.join(node_row("one"), lease_s=500.0)
        standby = await old.standby("new")
        try:
            turning = asyncio.ensure_future(store.turned())
            await standby.promote()
            proxy.target = standby.address
            proxy.link().reset()
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]
            assert "went from 1 to 2" in (await turning).what
            assert await store.renew("one", "1", lease_s=500.0)
            assert await store.commit([post(mail_row(2))]) == [Verdict.COMMITTED]
            assert await standby.sql("select count(*) from mail") == "2"
            proxy.target = old.address
            proxy.link().reset()
            with pytest.raises(StoreUnavailable, match="has taken over; stop this one"):
                await store.load([("billing", "a")])
        finally:
            await store.close()
            standby.close()


async def test_a_url_that_comes_to_lead_to_another_store_is_refused(postgres_server: PostgresServer) -> None:
    async with PostgresServer("other") as other, Proxy(other.address) as proxy:
        first = PostgresqlStore(PostgresqlTarget.of(other.url_of("postgres", address=proxy.address)), system_ports())
        await first.open()
        assert await first.load([("billing", "a")]) == [None]
        await other.sql("drop schema public cascade; create schema public")
        proxy.link().reset()
        with pytest.raises(StoreReplaced, match=r"is another store than the one that was opened \(none, not "):
            await first.load([("billing", "a")])
        second = PostgresqlStore(PostgresqlTarget.of(other.url), system_ports())
        await second.open()
        with pytest.raises(StoreReplaced, match=f"{second.cluster_id}, not {first.cluster_id}"):
            await first.load([("billing", "a")])
        await second.close()
        await first.close()
