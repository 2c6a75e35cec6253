"""A primary that dies, and its synchronous standby in its place: what was acknowledged is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.machines import open_machines

pytestmark = pytest.mark.timeout(300)


async def test_a_promoted_synchronous_standby_has_lost_nothing(tmp_path: Path) -> None:
    async with PostgresServer("first") as first, await first.standby("second") as second:
        await first.sql("ALTER SYSTEM SET synchronous_standby_names = 'second'")
        await first.restart()
        async with open_machines(tmp_path, first) as machines:
            await machines.place("before", 12)
            placing = asyncio.create_task(machines.place("during", 12))
            first.kill()
            await second.promote()
            await second.sql("ALTER SYSTEM RESET synchronous_standby_names")
            await second.sql("SELECT pg_reload_conf()")
            machines.proxy.target = second.address
            await placing
            await machines.place("after", 6)
            await machines.all_ends_well()
            assert len(await machines.shop.orders(machines.placed)) == 30
