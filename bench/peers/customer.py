"""A customer of one of the compared systems: it places orders as it is told, and answers with what came of it.

    runner ──{"do": "load", "count": 500, ...}──▶ customer ──calls──▶ the system
           ◀─────{"elapsed_s": 1.2, ...}─────────

Each command and each answer is a line of JSON, on standard input and output. A customer runs in the environment of its
system, so only the standard library is imported here. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

__all__ = ["DeskOrder", "KeptOrder", "KeptStock", "OrderDesk", "serve_customer"]

_CALL_S = 120.0


@dataclass(frozen=True, slots=True)
class DeskOrder:
    """An order to place."""

    order_id: str
    sku: str
    quantity: int
    amount_cents: int = 1_999


@dataclass(frozen=True, slots=True)
class KeptOrder:
    """What the services know of one order."""

    status: str = ""  # of Sales: pending, ready, cancelled, or empty for an order that nobody placed
    charges: int = 0  # of Billing: how often money was taken
    refunds: int = 0  # and given back


@dataclass(frozen=True, slots=True)
class KeptStock:
    """What the warehouse knows of one SKU, in units."""

    restocked: int = 0
    on_hand: int = 0


class OrderDesk(Protocol):
    """Where orders are placed with one system."""

    async def restock(self, sku: str, units: int) -> None: ...

    async def place(self, order: DeskOrder) -> str:
        """Place an order and wait until it has ended; `ready` or `cancelled`."""

    async def submit(self, order: DeskOrder) -> None:
        """Place an order and return once it is kept: it goes on whatever breaks then."""

    async def orders(self, order_ids: Sequence[str]) -> list[KeptOrder]: ...

    async def stock(self, sku: str) -> KeptStock: ...


async def serve_customer(desk: OrderDesk) -> None:
    """Carry out commands until there are no more, or one fails. Then the process ends, whatever still runs in it."""
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    lines = await _input()

    def say(answer: Mapping[str, Any]) -> None:
        told.write(json.dumps(answer) + "\n")

    say({"serves": True})
    try:
        while line := await lines.readline():
            command = json.loads(line)
            say(await _do(desk, command.pop("do"), command, say))
        os._exit(0)
    except Exception:  # noqa: BLE001 - whatever it is: threads of a library would keep the process from ending
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


async def _do(
    desk: OrderDesk, what: str, told: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    if what == "restock":
        await desk.restock(told["sku"], told["units"])
        return {}
    if what == "place":
        return {"status": await desk.place(DeskOrder(**told))}
    if what == "load":
        return await _load(desk, told)
    if what == "submit":
        return await _submit(desk, told, say)
    if what == "orders":
        return {"orders": [asdict(one) for one in await desk.orders(told["order_ids"])]}
    if what == "stock":
        return asdict(await desk.stock(told["sku"]))
    raise ValueError(f"a customer is told to {what}, which it cannot")


async def _load(desk: OrderDesk, told: Mapping[str, Any]) -> dict[str, Any]:
    """Place orders, `concurrency` at a time, each until it has ended. None is begun after `seconds_max`."""
    orders = iter(_orders(told))
    took_s: list[float] = []
    began_s = time.perf_counter()

    async def place_one_after_another() -> None:
        for order in orders:
            placed_s = time.perf_counter()
            if placed_s - began_s > told["seconds_max"]:
                return
            status = await asyncio.wait_for(desk.place(order), _CALL_S)
            took_s.append(time.perf_counter() - placed_s)
            if status != "ready":
                raise ValueError(f"order {order.order_id} did not get ready, but is {status}")

    await _at_a_time(told["concurrency"], place_one_after_another)
    return {"elapsed_s": time.perf_counter() - began_s, "took_s": sorted(took_s)}


async def _submit(desk: OrderDesk, told: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Submit orders, and say which are accepted, one by one."""
    orders = iter(_orders(told))

    async def submit_one_after_another() -> None:
        for order in orders:
            await asyncio.wait_for(desk.submit(order), _CALL_S)
            say({"accepted": order.order_id})

    await _at_a_time(told["concurrency"], submit_one_after_another)
    return {"submitted": told["count"]}


async def _at_a_time(concurrency: int, work: Callable[[], Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


def _orders(told: Mapping[str, Any]) -> list[DeskOrder]:
    skus = told["skus"]
    return [DeskOrder(f"{told['prefix']}-{number:06}", skus[number % len(skus)], 1) for number in range(told["count"])]


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader
