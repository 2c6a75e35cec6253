"""The longest that an order takes while a node is added under load, and while it is stopped again.

python -m bench.handover [--customers 8] [--rounds 5] [--store postgresql] [--json]

Two nodes host everything, and customers place orders with them one after another. A third node is started, has its
share of the shards, and is stopped. Before all that, orders are timed for as long with two nodes as they are.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import click
import uvloop

from bench.shop import Client, client_of, machine, open_nodes, percentile, restock
from protos.orders_pb2 import PlaceOrderRequest
from protos.sales_pb2 import READY_TO_SHIP
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["main"]

_SHARDS = 16
_STAY = ("north", "south")
_ADDED = "east"
_WITHIN_S = 60.0
_QUIET_S = 1.0  # Orders that a change has delayed end within it.


@click.command(help=__doc__)
@click.option(
    "--customers", type=click.IntRange(1), default=8, show_default=True, help="Each places one order at a time."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="How often a node comes and goes.")
@click.option("--store", type=click.Choice(THROWAWAY_STORES), default="sqlite", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(customers: int, rounds: int, store: str, as_json: bool) -> None:
    figures = uvloop.run(measure(customers, rounds, store))
    if as_json:
        print(json.dumps(figures))
        return
    for phase in ("alone", "added", "stopped"):
        one = figures[phase]
        print(f"{phase:>8}: {one['orders']:6} orders, p50 {one['p50_s']:.3f} s, longest {one['longest_s']:.3f} s")


async def measure(customers: int, rounds: int, store: str) -> dict[str, Any]:
    before = machine()
    async with (
        throwaway_store(store, say=lambda what: None) as url,
        open_nodes(dict.fromkeys(_STAY, ()), {"shards_per_kind": _SHARDS}, store_url=url) as harness,
    ):
        await _split(harness, *_STAY)
        async with client_of(harness.nodes["north"].address) as one, client_of(harness.nodes["south"].address) as two:
            await restock(one, ["book"], 1_000_000)
            shopping = Shopping([one, two], customers)
            await shopping.phase("warm-up", asyncio.sleep(_QUIET_S))
            for _ in range(rounds):
                await shopping.phase("alone", asyncio.sleep(_QUIET_S))
                await shopping.phase("added", _add(harness))
                await shopping.phase("stopped", _stop(harness))
            await shopping.end()
    phases = {phase: _figures(sorted(took_s)) for phase, took_s in shopping.took_s.items()}
    return {**phases, "settings": {"customers": customers, "rounds": rounds, "store": store}, "machine": before}


class Shopping:
    """Customers that place orders without a pause. An order counts for the phase in which it began."""

    def __init__(self, clients: list[Client], customers: int) -> None:
        self.took_s: dict[str, list[float]] = {}
        self._phase = "warm-up"
        self._goes_on = True
        self._tasks = [asyncio.create_task(self._shop(clients[one % len(clients)], one)) for one in range(customers)]

    async def phase(self, name: str, change: Any) -> None:
        """Time the orders that begin during a change, and for a while after it."""
        self._phase = name
        await change
        await asyncio.sleep(_QUIET_S)

    async def end(self) -> None:
        self._goes_on = False
        await asyncio.gather(*self._tasks)
        self.took_s.pop("warm-up", None)

    async def _shop(self, client: Client, customer: int) -> None:
        number = 0
        while self._goes_on:
            number += 1
            phase, began_s = self._phase, time.perf_counter()
            request = PlaceOrderRequest(
                order_id=f"order-{customer}-{number}", sku="book", quantity=1, amount_cents=100, wait=True
            )
            order = await client.PlaceOrder(request, timeout=_WITHIN_S)
            if order.status != READY_TO_SHIP:
                raise SystemExit(f"order {order.order_id} did not get ready to ship: {order}")
            self.took_s.setdefault(phase, []).append(time.perf_counter() - began_s)


async def _add(harness: Harness) -> None:
    await harness.start(_ADDED)
    await _split(harness, *_STAY, _ADDED)


async def _stop(harness: Harness) -> None:
    await harness.nodes[_ADDED].stop()
    await _split(harness, *_STAY)


async def _split(harness: Harness, *names: str) -> None:
    """Wait until these own all shards in equal shares."""

    async def check() -> bool:
        rows = (await harness.store.cluster()).shards
        splits = [Counter(row.owner for row in rows if row.kind == kind) for kind in sorted({row.kind for row in rows})]
        return bool(splits) and all(
            set(split) == set(names) and max(split.values()) - min(split.values()) <= 1 for split in splits
        )

    await harness.eventually(check, timeout_s=_WITHIN_S, what=f"{names} have equal shares", every_s=0.02)


def _figures(ascending: list[float]) -> dict[str, Any]:
    return {
        "orders": len(ascending),
        "p50_s": round(percentile(ascending, 0.5), 3),
        "longest_s": round(ascending[-1], 3),
    }


if __name__ == "__main__":
    main()
