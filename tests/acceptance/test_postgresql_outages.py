"""PostgreSQL that hangs, restarts, dies, ends sessions, or whose answers are lost, while orders are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.machines import MACHINES, Machines, open_machines
from tests.acceptance.trials import restart_rounds, swallow_rounds, terminate_rounds

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def breakable_server() -> Iterator[PostgresServer]:
    """One that these tests break, and set right again; the others of this process are not on it."""
    server, loop = PostgresServer("breakable"), asyncio.new_event_loop()
    try:
        loop.run_until_complete(server.start())
        yield server
    finally:
        loop.close()
        server.close()


@pytest_asyncio.fixture
async def machines(breakable_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Machines]:
    async with open_machines(tmp_path, breakable_server) as opened:
        yield opened


async def test_an_outage_of_the_store_evicts_nobody(machines: Machines) -> None:
    before = await machines.incarnations()
    placing = asyncio.create_task(machines.place("outage", 12))
    machines.server.freeze()
    for node in MACHINES:
        await machines.logged(node, "lease lost")
    machines.server.thaw()
    await placing
    await machines.all_ends_well()
    assert await machines.incarnations() == before
    assert [machines.events(node, "node evicted") for node in MACHINES] == [0, 0]


async def test_restarts_and_deaths_of_the_server_under_load_cost_no_order_and_no_cent(machines: Machines) -> None:
    await restart_rounds(machines, 2)
    await machines.all_ends_well()


async def test_sessions_that_somebody_ends_cost_no_order_and_no_cent(machines: Machines) -> None:
    await terminate_rounds(machines, 4)
    await machines.all_ends_well()


async def test_commits_whose_answers_are_lost_are_neither_doubled_nor_taken_for_failed(machines: Machines) -> None:
    assert await swallow_rounds(machines, 4) >= 4
    await machines.all_ends_well()
