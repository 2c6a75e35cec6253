"""Nodes on PostgreSQL that come, go, freeze and lose the store: others take over, and no order is lost or doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.machines import Machines, open_machines
from tests.acceptance.trials import cut_off_rounds, zombie_rounds

pytestmark = pytest.mark.timeout(300)

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'amends%' AND wait_event_type = 'Lock'"
HOLD = "BEGIN; LOCK TABLE actors IN SHARE MODE; SELECT pg_sleep(600)"


async def test_nodes_join_are_replaced_one_by_one_under_load_and_leave(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_machines(tmp_path, postgres_server, nodes=["north"]) as machines:
        harness = machines.shop.harness
        placing = asyncio.create_task(machines.place("rolling", 40))
        await harness.start("south")
        await machines.owned_by("north", "south")
        for name in ("north", "south"):
            assert await harness.nodes[name].stop() == 0
            await harness.restart(name)
            await machines.owned_by("north", "south")
        await placing
        assert await harness.nodes["south"].stop() == 0
        await machines.owned_by("north")
        await machines.all_ends_well()
        assert set(await machines.incarnations()) == {"north"}


async def test_a_node_of_the_same_name_takes_its_shards_back_long_before_the_lease_ends(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_machines(tmp_path, postgres_server, settings={"lease_s": 600.0}) as machines:
        harness = machines.shop.harness
        dead = await machines.incarnations()
        harness.nodes["south"].kill()
        placing = asyncio.create_task(machines.place("again", 12))
        await harness.restart("south")
        await placing
        await machines.all_ends_well()
        assert (await machines.incarnations())["south"] != dead["south"]


async def test_a_frozen_node_writes_nothing_stale_when_it_wakes_up(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_machines(tmp_path, postgres_server) as machines:
        await zombie_rounds(machines, 2)
        await machines.all_ends_well()


async def test_a_node_frozen_inside_a_statement_keeps_nobody_from_its_rows(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_machines(tmp_path, postgres_server) as machines:
        database = machines.shop.harness.store_url.rpartition("/")[2]
        holding = asyncio.create_task(postgres_server.sql(HOLD, database=database))
        placing = asyncio.create_task(machines.place("inside", 6))
        await inside_statements(machines, database)
        await machines.shop.freeze("south")
        await postgres_server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE actors%pg_sleep%' "
            "AND pid <> pg_backend_pid()"
        )
        with pytest.raises(AssertionError, match="terminating connection"):
            await holding
        await machines.owned_by("north")
        await placing
        await machines.shop.ended(machines.placed, timeout_s=60)
        machines.shop.thaw("south")
        await machines.owned_by("north", "south")
        await machines.all_ends_well()


async def inside_statements(machines: Machines, database: str) -> None:
    """Wait until a statement of each node waits inside the server."""

    async def check() -> bool:
        return int(await machines.server.sql(f"{WAITS} AND datname = '{database}'")) >= len(machines.shop.harness.nodes)

    await machines.shop.harness.eventually(check, timeout_s=60, what="a statement of each node waits in the server")


async def test_a_node_that_is_cut_off_from_the_store_is_replaced_until_it_is_back(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    async with open_machines(tmp_path, postgres_server) as machines:
        await cut_off_rounds(machines, 2)
        await machines.all_ends_well()
