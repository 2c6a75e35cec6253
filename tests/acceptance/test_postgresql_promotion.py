"""A primary that dies, and its standby in its place: what the standby had confirmed is there, and the rest is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from protos.orders_pb2 import RestockRequest
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.machines import MACHINES, Machines, open_machines

pytestmark = pytest.mark.timeout(300)

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'amends%'"
_TAKEN_OVER = "another one of the timeline 2 has taken over"


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


async def test_what_an_asynchronous_standby_lacks_is_lost_and_told_by_name_and_can_be_asked_for_again(
    tmp_path: Path,
) -> None:
    async with (
        PostgresServer("first") as first,
        await first.standby("second") as second,
        open_machines(tmp_path, first) as machines,
    ):
        kept = await machines.place("kept", 6)
        await machines.shop.ended(kept)
        await _stops_following(second, first)
        lost = await machines.place("lost", 6)
        await _is_promoted(machines, first, second)

        def all_are_named() -> bool:
            return {f"sales/{order}" for order in lost} <= _named(machines)

        await machines.shop.harness.eventually(all_are_named, timeout_s=60, what="each lost order is told by name")
        assert not {f"sales/{order}" for order in kept} & _named(machines)
        await machines.place("lost", 6)  # As clients do whose calls have failed.
        await machines.place("after", 6)
        await machines.all_ends_well()


async def test_a_primary_that_was_replaced_and_comes_back_is_refused_and_nothing_is_written_to_it(
    tmp_path: Path,
) -> None:
    async with (
        PostgresServer("first") as first,
        await first.standby("second") as second,
        open_machines(tmp_path, first) as machines,
    ):
        await machines.shop.ended(await machines.place("before", 6))
        await _stops_following(second, first)
        await _is_promoted(machines, first, second)
        for node in MACHINES:
            await machines.logged(node, "store turned")
        await first.start()
        database = machines.shop.harness.store_url.rpartition("/")[2]
        rows = await first.sql("SELECT count(*) FROM history", database=database)

        machines.proxy.target = first.address  # As when a name leads to the old server again.
        await second.sql(_END_SESSIONS)
        with pytest.raises(grpc.aio.AioRpcError):
            await machines.shop.client(machines.shop.harness.nodes["north"]).Restock(
                RestockRequest(sku="book", quantity=1, request_id="refused"), timeout=30.0
            )

        def is_refused() -> bool:
            return all(any(_TAKEN_OVER in line for line in _lines(machines, node)) for node in MACHINES)

        await machines.shop.harness.eventually(is_refused, timeout_s=60, what="each node refuses the old primary")
        assert await first.sql("SELECT count(*) FROM history", database=database) == rows

        machines.proxy.target = second.address
        await machines.place("after", 6)
        await machines.all_ends_well()


async def _stops_following(standby: PostgresServer, primary: PostgresServer) -> None:
    """The standby has all that is committed by now, and gets nothing more."""
    await standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    position = await primary.sql("SELECT pg_current_wal_flush_lsn()")
    while await standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") != "t":
        await asyncio.sleep(0.02)
    await standby.sql("SELECT pg_reload_conf()")
    while await primary.sql("SELECT count(*) FROM pg_stat_replication") != "0":
        await asyncio.sleep(0.02)


async def _is_promoted(machines: Machines, first: PostgresServer, second: PostgresServer) -> None:
    first.kill()
    await second.promote()
    machines.proxy.target = second.address


def _lines(machines: Machines, node: str) -> list[str]:
    return machines.shop.harness.nodes[node].log_lines()


def _named(machines: Machines) -> set[str]:
    """The actors of which the nodes have said that something is lost."""
    records = [record for node in machines.shop.harness.nodes.values() for record in node.log_records()]
    return {name for record in records if record.get("event") == "commits lost" for name in record["actors"]}
