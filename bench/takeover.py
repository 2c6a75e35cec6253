"""Seconds from kill -9 of a node until all that it had in its hands moves again on another one.

    python -m bench.takeover [--orders 1000] [--store postgresql] [--setting lease_s=1 ...] [--json]

All orders wait for the warehouse, which is frozen. Then one of two nodes that drive them is killed and the warehouse
goes on: half of its answers are for processes whose node is dead.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import click
import uvloop

from bench.shop import Client, client_of, machine, open_nodes, restock
from protos.orders_pb2 import PlaceOrderRequest
from runtime.envelope import shard_of
from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["main"]

_KIND = "order-process"
_NODES = {
    "sales": ("sales",),
    "billing": ("billing",),
    "orchestration-1": ("orchestration",),
    "orchestration-2": ("orchestration",),
}
_PATIENT: dict[str, object] = {"lease_s": 300.0}  # a frozen warehouse is not to be taken for dead
_SHARDS = 16
_WITHIN_S = 60.0


@click.command(help=__doc__)
@click.option("--orders", type=click.IntRange(1), default=1000, show_default=True, help="Open ones.")
@click.option("--store", type=click.Choice(THROWAWAY_STORES), default="sqlite", show_default=True)
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="Of every node.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(orders: int, store: str, settings: tuple[str, ...], as_json: bool) -> None:
    figures = uvloop.run(measure(orders, store, dict(text.split("=", 1) for text in settings)))
    if as_json:
        print(json.dumps(figures))
    else:
        print(f"{figures['orphans']} of {orders} open orders were in the hands of the killed node, on {store}")
        print(f"  {figures['all_moved_s']:8.2f} s until the last of them moved on the other one")
        print(f"  {figures['all_ended_s']:8.2f} s until all {orders} had ended")


async def measure(count: int, store: str, settings: dict[str, str]) -> dict[str, Any]:
    before = machine()
    order_ids = [f"order-{number}" for number in range(count)]
    async with (
        throwaway_store(store, say=lambda what: None) as url,
        open_nodes(_NODES, {"shards_per_kind": _SHARDS, **settings}, store_url=url) as harness,
    ):
        warehouse = await harness.start("warehouse", ["warehouse"], settings=_PATIENT)
        async with client_of(harness.nodes["sales"].address) as client:
            await restock(client, ["book"], count)
            await _shared(harness)
            warehouse.freeze()
            await _place(client, order_ids)
            await harness.eventually(
                lambda: _waiting_for_label(harness, order_ids), timeout_s=_WITHIN_S, what="all wait for their label"
            )
            orphans = await _orphans(harness, order_ids, "orchestration-1")
            seen = await _revisions(harness, orphans)
            began_s = time.perf_counter()
            harness.nodes["orchestration-1"].kill()
            warehouse.thaw()
            await harness.eventually(
                lambda: _moved(harness, seen), timeout_s=_WITHIN_S, what="all orphans move", every_s=0.02
            )
            moved_s = time.perf_counter() - began_s
            await harness.eventually(
                lambda: _ended(harness, order_ids), timeout_s=_WITHIN_S, what="all orders end", every_s=0.02
            )
            ended_s = time.perf_counter() - began_s
    return {
        "all_moved_s": round(moved_s, 3),
        "all_ended_s": round(ended_s, 3),
        "orphans": len(orphans),
        "settings": {"orders": count, "store": store, **settings, "nodes": {**_NODES, "warehouse": ("warehouse",)}},
        "machine": before,
    }


async def _place(client: Client, order_ids: list[str]) -> None:
    todo = iter(order_ids)

    async def customer() -> None:
        for order_id in todo:
            request = PlaceOrderRequest(order_id=order_id, sku="book", quantity=1, amount_cents=100)
            await client.PlaceOrder(request, timeout=_WITHIN_S)

    await asyncio.gather(*(customer() for _ in range(64)))


async def _shared(harness: Harness) -> None:
    """Wait until both nodes that drive orders have their share."""

    async def check() -> bool:
        owners = {row.owner for row in (await harness.store.cluster()).shards if row.kind == _KIND}
        return owners == {"orchestration-1", "orchestration-2"}

    await harness.eventually(check, timeout_s=_WITHIN_S, what="both nodes share the processes")


async def _records(harness: Harness, order_ids: list[str]) -> list[SagaRecord]:
    rows = await harness.store.load([(_KIND, order_id) for order_id in order_ids])
    return [SagaRecord.FromString(row.state) for row in rows if row is not None]


async def _waiting_for_label(harness: Harness, order_ids: list[str]) -> bool:
    records = await _records(harness, order_ids)
    asked = [any(task.path == "ship" and task.status for task in record.tasks) for record in records]
    return len(asked) == len(order_ids) and all(asked)


async def _orphans(harness: Harness, order_ids: list[str], owner: str) -> list[str]:
    view = await harness.store.cluster()
    shards = {row.shard for row in view.shards if row.kind == _KIND and row.owner == owner}
    return [order_id for order_id in order_ids if shard_of(order_id, _SHARDS) in shards]


async def _revisions(harness: Harness, order_ids: list[str]) -> dict[str, int]:
    rows = await harness.store.load([(_KIND, order_id) for order_id in order_ids])
    return {row.key: row.revision for row in rows if row is not None}


async def _moved(harness: Harness, seen: dict[str, int]) -> bool:
    now = await _revisions(harness, list(seen))
    return all(now[order_id] > revision for order_id, revision in seen.items())


async def _ended(harness: Harness, order_ids: list[str]) -> bool:
    records = await _records(harness, order_ids)
    return all(record.status == SagaRecord.COMPLETED for record in records)


if __name__ == "__main__":
    main()
