"""Rounds of misfortune on PostgreSQL, as many as wanted: a test runs a few of each, a campaign hundreds.

Each round leaves acknowledged orders to `Machines.all_ends_well`, which tells whether anything was lost or doubled.
"""

from __future__ import annotations

import asyncio

from tests.acceptance.machines import Machines

__all__ = ["cut_off_rounds", "restart_rounds", "swallow_rounds", "terminate_rounds", "zombie_rounds"]

_ORDERS = 12
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'amends%'"


async def zombie_rounds(machines: Machines, count: int) -> None:
    """South is frozen with orders under way until north has all its shards, and then wakes up."""
    for number in range(count):
        placing = asyncio.create_task(machines.place(f"zombie-{number}", _ORDERS))
        await _under_way(machines, f"zombie-{number}", (number % 4) * 2)
        await machines.shop.freeze("south")
        await machines.owned_by("north")
        machines.shop.thaw("south")
        await placing
        await machines.owned_by("north", "south")


async def cut_off_rounds(machines: Machines, count: int) -> None:
    """South loses the store, and north does not. Every second time nobody tells south that the connection is gone."""
    for number in range(count):
        placing = asyncio.create_task(machines.place(f"cut-off-{number}", _ORDERS))
        await _under_way(machines, f"cut-off-{number}", 2)
        machines.link("south").cut(silent=number % 2 == 1)
        await machines.owned_by("north")
        machines.link("south").heal()
        await placing
        await machines.owned_by("north", "south")


async def restart_rounds(machines: Machines, count: int) -> None:
    """The server stops, or dies, with orders under way, and comes back."""
    for number in range(count):
        placing = asyncio.create_task(machines.place(f"restart-{number}", _ORDERS))
        await _under_way(machines, f"restart-{number}", 2)
        if number % 2:
            machines.server.kill()
        await machines.server.restart()
        await placing


async def terminate_rounds(machines: Machines, count: int) -> None:
    """Somebody ends every session of the nodes with orders under way."""
    for number in range(count):
        placing = asyncio.create_task(machines.place(f"terminate-{number}", _ORDERS))
        await _under_way(machines, f"terminate-{number}", number % 8)
        await machines.server.sql(_END_SESSIONS)
        await placing


async def swallow_rounds(machines: Machines, count: int) -> int:
    """Answers of the store are swallowed until a node does not know what became of a commit; how often that was so.

    At the end each of these is settled: the store has told what became of it. `count` is how many of such commits are
    wanted, of both nodes together.
    """
    number, unknown, settled = 0, "commit outcome unknown", machines.events_of_all("commit settled")
    before = machines.events_of_all(unknown)
    while (found := machines.events_of_all(unknown) - before) < count:
        number += 1
        node = ("north", "south")[number % 2]
        placing = asyncio.create_task(machines.place(f"swallow-{number}", _ORDERS))
        await _under_way(machines, f"swallow-{number}", number % 5)
        link = machines.link(node)
        link.swallow_replies(then_break_s=0.02)
        await _dialled_again(machines, node)
        link.heal()
        await placing
    await machines.logged_by_all("commit settled", settled + found)
    return found


async def _dialled_again(machines: Machines, node: str) -> None:
    """Wait until a node has lost an answer, and with it a connection: it dials another one."""
    counts = machines.link(node).counts
    dialled = counts.accepted
    await machines.shop.harness.eventually(
        lambda: counts.accepted > dialled, timeout_s=30, what=f"{node} dials again", every_s=0.002
    )


async def _under_way(machines: Machines, prefix: str, count: int) -> None:
    """Wait until so many of these orders are in the books."""

    async def check() -> bool:
        return len(await machines.shop.orders(f"{prefix}-{number}" for number in range(_ORDERS))) >= count

    await machines.shop.harness.eventually(check, timeout_s=60, what=f"{count} orders are placed", every_s=0.005)
