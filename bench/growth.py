"""What an order costs in a store with very many finished ones: CPU, time and bytes, at several sizes of the store.

    python -m bench.growth [--store postgresql] [--sizes 10000,100000,1000000] [--orders 2000] [--draw FILE] [--json]

The first orders are placed for real. Their rows are then copied under other names until the store holds as many
finished orders as wanted, and the same number of new orders is measured at each size. One million take about 4 GB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import uvloop

from bench.drawn import Bar, bars
from bench.finished import Copies, copies_in
from bench.orders import store_of
from bench.shop import BESIDE, BenchOrders, client_of, family_cpu_s, load, machine, open_nodes, percentile, restock
from protos.sales_pb2 import Flow

__all__ = ["main"]

_SKUS = ("book",)
_WARM_UP = 300
_PREFIX = "first"  # Of the orders that are copied.


class _Sizes(click.ParamType[tuple[int, ...]]):
    name = "N,N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            sizes = tuple(int(one) for one in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 10000,100000", param, ctx)
        if list(sizes) != sorted(set(sizes)) or sizes[0] < 1 or any(one % sizes[0] for one in sizes):
            self.fail("the sizes must grow, and be multiples of the first", param, ctx)
        return sizes


@click.command(help=__doc__)
@click.option("--store", type=click.Choice(["sqlite", "postgresql"]), default="sqlite", show_default=True)
@click.option("--sizes", type=_Sizes(), default="10000,100000,1000000", show_default=True, help="Finished orders.")
@click.option("--orders", type=click.IntRange(1), default=2000, show_default=True, help="Measured at each size.")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--nodes", type=click.Choice(["1", "4"]), default="4", show_default=True, help="All services, or each.")
@click.option("--draw", type=click.Path(dir_okay=False, path_type=Path), help="Draw what an order costs as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(store: str, draw: Path | None, as_json: bool, **rest: Any) -> None:
    figures = uvloop.run(measure(store, say=not as_json, **{**rest, "nodes": int(rest["nodes"])}))
    if draw is not None:
        draw.write_text(drawn(figures))
    if as_json:
        print(json.dumps({"sizes": figures, "machine": machine()}))


async def measure(
    store: str, sizes: tuple[int, ...], orders: int, concurrency: int, nodes: int, *, say: bool
) -> list[dict[str, Any]]:
    """The figures at each size, in order; `say` prints each as it is known."""
    figures: list[dict[str, Any]] = []
    async with store_of(store) as url:
        await _place(url, nodes, _orders(_PREFIX, sizes[0]), concurrency)
        async with copies_in(url) as copies:
            await copies.take(f"{_PREFIX}-")
            for place, size in enumerate(sizes):
                await _grow(copies, sizes[place - 1] if place else 0, size, sizes[0])
                in_all = size + (place + 1) * _WARM_UP + place * orders
                figures.append({"finished": size, "bytes_per_order": await copies.size_bytes() // in_all})
                figures[-1].update(await _place(url, nodes, _orders(f"at-{size}", orders), concurrency))
                if say:
                    _show(figures[-1])
    return figures


async def _grow(copies: Copies, before: int, size: int, one_copy: int) -> None:
    if before:
        await copies.add(range(before // one_copy, size // one_copy))
    await copies.settle()


def _orders(prefix: str, count: int) -> BenchOrders:
    return BenchOrders(prefix, count, _SKUS, Flow.ORCHESTRATION)


async def _place(url: str, nodes: int, orders: BenchOrders, concurrency: int) -> dict[str, Any]:
    """Starts the nodes, warms them up, places these orders, and stops the nodes again."""
    async with open_nodes(BESIDE[nodes], {}, store_url=url) as harness:
        first = next(iter(harness.nodes.values()))
        async with client_of(first.address) as client:
            await restock(client, _SKUS, orders.count + _WARM_UP, request_id=orders.prefix)
            await load(client, _orders(f"warm-{orders.prefix}", _WARM_UP), concurrency)
            cpu_before_s, began_s = family_cpu_s(), time.perf_counter()
            took_s = await load(client, orders, concurrency)
            elapsed_s, spent_s = time.perf_counter() - began_s, family_cpu_s() - cpu_before_s
        for node in harness.nodes.values():
            await node.stop()
    return {
        "sagas_per_s": round(orders.count / elapsed_s, 1),
        "cpu_ms_per_saga": round(spent_s / orders.count * 1000, 3),
        "p50_ms": round(percentile(took_s, 0.50) * 1000, 2),
        "p99_ms": round(percentile(took_s, 0.99) * 1000, 2),
    }


def drawn(figures: Sequence[Mapping[str, Any]]) -> str:
    """A bar for each size, as the text of an SVG file."""
    sizes = [Bar(f"{each['finished']:,} finished", {"ms of CPU": each["cpu_ms_per_saga"]}) for each in figures]
    return bars(sizes, "CPU of an order by how many finished ones are in the store")


def _show(figures: dict[str, Any]) -> None:
    print(f"{figures['finished']:,} finished orders in the store, {figures['bytes_per_order']:,} bytes each")
    print(f"  {figures['sagas_per_s']:10,.0f} sagas/s     p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms")
    print(f"  {figures['cpu_ms_per_saga']:10.2f} ms of CPU for each order, all processes and the server together")


if __name__ == "__main__":
    main()
