"""What a node says while it waits for its store shows no password."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.shop import NODE

pytestmark = pytest.mark.timeout(120)

HOLD = "BEGIN; LOCK TABLE kind_names IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)"
LOCKED = (
    "SELECT 'held' FROM pg_locks WHERE relation = 'kind_names'::regclass AND mode = 'AccessExclusiveLock' AND granted"
)
LET_GO = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE kind_names%' "
    "AND pid <> pg_backend_pid()"
)


async def test_a_node_that_waits_for_a_locked_table_names_its_store_without_the_password(
    postgres_server: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    password = postgres_url.partition("@")[0].rpartition(":")[2]
    async with Harness(command=NODE, directory=tmp_path, store_url=postgres_url) as harness:
        node = await harness.start("one")
        assert await node.stop() == 0
        database = postgres_url.rpartition("/")[2]
        holding = asyncio.create_task(postgres_server.sql(HOLD, database=database))

        async def locked() -> bool:
            return "held" in await postgres_server.sql(LOCKED, database=database)

        await harness.eventually(locked, timeout_s=30, what="the table is locked")
        node.launch()

        def waits() -> bool:
            return any(one["event"] == "start waits" for one in node.log_records())

        await harness.eventually(waits, timeout_s=30, what="the node says what it waits for")
        await postgres_server.sql(LET_GO)
        with pytest.raises(AssertionError, match="terminating connection"):
            await holding
        assert password not in node.output()
        node.kill()
