"""Resident memory of nodes over very many orders, which must stay flat: what ended is in the store, not in memory.

python -m bench.memory --orders 100000 [--nodes 1] [--json]
"""

from __future__ import annotations

import json
from typing import Any

import click
import uvloop

from bench.shop import BESIDE, BenchOrders, client_of, load, machine, open_nodes, restock, rss_mib
from protos.sales_pb2 import ORCHESTRATION

__all__ = ["main"]

_LOOKS = 10


@click.command(help=__doc__)
@click.option("--orders", type=click.IntRange(_LOOKS), default=100_000, show_default=True)
@click.option("--nodes", type=click.Choice(["1", "4"]), default="1", show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(orders: int, nodes: str, concurrency: int, as_json: bool) -> None:
    figures = uvloop.run(measure(orders, int(nodes), concurrency, quiet=as_json))
    if as_json:
        print(json.dumps(figures))


async def measure(orders: int, nodes: int, concurrency: int, *, quiet: bool) -> dict[str, Any]:
    """Resident MiB by node before the first order and after each tenth of them."""
    before = machine()
    looks: list[dict[str, Any]] = []
    async with open_nodes(BESIDE[nodes], {}) as harness:
        first = next(iter(harness.nodes.values()))
        async with client_of(first.address) as client:
            await restock(client, ["sku-0"], orders)
            for look in range(_LOOKS + 1):
                if look:
                    part = BenchOrders(f"part-{look}", orders // _LOOKS, ("sku-0",), ORCHESTRATION)
                    await load(client, part, concurrency)
                looks.append({"orders": look * (orders // _LOOKS), "rss_mib": rss_mib(harness)})
                if not quiet:
                    print(f"after {looks[-1]['orders']:8,} orders: {looks[-1]['rss_mib']} MiB", flush=True)
        store_bytes = sum(file.stat().st_size for file in harness.directory.glob("amends.db*"))
    return {
        "rss_mib": looks[-1]["rss_mib"],
        "rss_mib_max": max(max(look["rss_mib"].values()) for look in looks),
        "by_orders": looks,
        "store_bytes_per_order": round(store_bytes / orders),
        "settings": {"orders": orders, "nodes": nodes, "concurrency": concurrency},
        "machine": before,
    }


if __name__ == "__main__":
    main()
