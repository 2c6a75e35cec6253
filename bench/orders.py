"""Order sagas per second, end to end: a client places orders over gRPC and waits until each is ready to ship.

    python -m bench.orders --nodes 4 --concurrency 64 --orders 3000 [--store postgresql] [--json]
    python -m bench.orders --placing stream --against-yardstick 5 --count

Client and nodes are processes of their own on one machine; see bench/README.md for what the figures mean.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import click
import uvloop

from bench import yardstick
from bench.against import compare
from bench.bytes import bytes_of, lines
from bench.counted import committed, count
from bench.shop import (
    BESIDE,
    NODES,
    BenchOrders,
    Client,
    client_of,
    cpu_s,
    load,
    machine,
    nodes_cpu_s,
    open_nodes,
    percentile,
    restock,
    rss_mib,
    sagas_at_home,
)
from bench.viewers import Totals, viewers
from protos.sales_pb2 import Flow
from runtime.store_url import without_password
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is asked for on the command line."""

    nodes: int
    concurrency: int
    orders: int
    warm_up: int
    flow: str
    skus: int
    settings: dict[str, str]
    store: str
    viewers: int = 0  # browsers at the operator's page, while orders are placed
    placing: str = "unary"  # or "stream"
    apart: bool = False  # The order saga is not hosted by sales, and so not beside it.

    @property
    def layout(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes by name, with the services of each."""
        return (NODES if self.apart else BESIDE)[self.nodes]


@click.command(help=__doc__)
@click.option("--nodes", type=click.Choice(["1", "4"]), default="4", show_default=True, help="All services, or each.")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--orders", type=click.IntRange(1), default=3000, show_default=True)
@click.option("--warm-up", type=click.IntRange(0), default=500, show_default=True, help="Orders before the measured.")
@click.option("--flow", type=click.Choice(["orchestration", "choreography"]), default="orchestration")
@click.option(
    "--skus", type=click.IntRange(1), default=1, show_default=True, help="1: one hot actor has all the stock."
)
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="Of every node.")
@click.option(
    "--store",
    default="sqlite",
    show_default=True,
    help="sqlite or postgresql: made for the run. Or the URL of a store.",
)
@click.option(
    "--placing",
    type=click.Choice(["unary", "stream"]),
    default="unary",
    show_default=True,
    help="A call for each order, or one stream for all.",
)
@click.option(
    "--against-yardstick",
    "rounds",
    type=click.IntRange(0, 100),
    default=0,
    metavar="ROUNDS",
    help="Run so many rounds in turn with the yardstick, and print the ratios.",
)
@click.option("--count", "counts", is_flag=True, help="Count commits in sequence and rows of an order, on SQLite.")
@click.option("--apart", is_flag=True, help="Each service on its node alone, so that no saga is beside sales.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(nodes: str, settings: tuple[str, ...], rounds: int, counts: bool, as_json: bool, **rest: Any) -> None:
    plan = BenchPlan(nodes=int(nodes), settings=dict(text.split("=", 1) for text in settings), **rest)
    told: list[str] = []
    if rounds:
        bare = yardstick.BareLoad(plan.concurrency, plan.orders, plan.placing)
        figures, told = compare(lambda: uvloop.run(measure(plan)), partial(yardstick.measure, plan.nodes), bare, rounds)
    else:
        figures = uvloop.run(measure(plan))
    if counts:
        counted = uvloop.run(count(plan.layout, plan.settings, plan.placing))
        figures, told = {**figures, **asdict(counted)}, [*told, *counted.lines()]
    if as_json:
        print(json.dumps(figures))
    else:
        show(plan, figures)
        print("\n".join(told))


async def measure(plan: BenchPlan) -> dict[str, Any]:
    """Run the plan once, on a fresh store."""
    before = machine()
    skus = tuple(f"sku-{number}" for number in range(plan.skus))
    measured = BenchOrders("order", plan.orders, skus, Flow.Value(plan.flow.upper()))
    warm_up = replace(measured, prefix="warm", count=plan.warm_up)
    async with (
        store_of(plan.store) as url,
        open_nodes(plan.layout, plan.settings, store_url=url) as harness,
        looked_at(url, plan.viewers) as totals,
    ):
        await sagas_at_home(harness, plan.layout)
        first = next(iter(harness.nodes.values()))
        async with client_of(first.address, plan.placing) as client:
            await restock(client, skus, plan.orders + plan.warm_up)
            await load(client, warm_up, min(plan.concurrency, max(plan.warm_up, 1)))
            elapsed_s, spent = await placed(client, harness, measured, plan.concurrency, totals)
        memory = rss_mib(harness)
        commits, transitions = await committed(harness)
        stored = (await bytes_of(url)).each()
    share = plan.orders / (plan.orders + plan.warm_up)  # warm-up orders commit as much as others
    return {
        **spent,
        "commits_per_s": round(commits * share / elapsed_s, 1),
        "transitions_per_commit": round(transitions / max(commits, 1), 2),
        "transitions_per_saga": round(transitions / (plan.orders + plan.warm_up), 2),
        "rss_mib": memory,
        "bytes_per_order": stored,
        "settings": asdict(plan),
        "machine": before,
    }


async def placed(
    client: Client, harness: Harness, orders: BenchOrders, concurrency: int, totals: Totals
) -> tuple[float, dict[str, Any]]:
    """Seconds from the first call to the last answer, and the figures of that time."""
    all_s, nodes_s, looks = cpu_s(harness), nodes_cpu_s(harness), await totals()
    began_s = time.perf_counter()
    took_s = await load(client, orders, concurrency)
    elapsed_s = time.perf_counter() - began_s
    all_s, nodes_s = cpu_s(harness) - all_s, nodes_cpu_s(harness) - nodes_s
    return elapsed_s, {
        "sagas_per_s": round(orders.count / elapsed_s, 1),
        "p50_ms": round(percentile(took_s, 0.50) * 1000, 2),
        "p99_ms": round(percentile(took_s, 0.99) * 1000, 2),
        "cpu_s_per_saga": round(all_s / orders.count, 6),
        "nodes_cpu_s_per_saga": round(nodes_s / orders.count, 6),
        "viewers_per_s": {
            name: round((total - looks[name]) / elapsed_s, 3) for name, total in (await totals()).items()
        },
    }


@asynccontextmanager
async def looked_at(url: str, count: int) -> AsyncIterator[Totals]:
    """So many browsers at a page over the store; without any no page either, and no totals."""
    if not count:
        yield _nothing
        return
    async with viewers(url, count) as totals:
        yield totals


async def _nothing() -> dict[str, float]:
    return {}


@asynccontextmanager
async def store_of(given: str) -> AsyncIterator[str]:
    """The URL of the store to measure: one that is made for the run and thrown away, or one that is there."""
    if given in THROWAWAY_STORES:
        async with throwaway_store(given, say=lambda what: None) as url:
            yield url
    else:
        yield given


def show(plan: BenchPlan, figures: dict[str, Any]) -> None:
    word = "node" if plan.nodes == 1 else "nodes"
    load_of = f"{plan.orders} orders by {plan.flow}, {plan.concurrency} at a time, placed by {plan.placing}"
    where = ", sagas apart from sales" if plan.apart and plan.nodes > 1 else ""
    print(f"{load_of}, {plan.nodes} {word}{where}, {without_password(plan.store)}")
    print(f"  {figures['sagas_per_s']:10,.0f} sagas/s     p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms")
    print(f"  {figures['commits_per_s']:10,.0f} commits/s   of {figures['transitions_per_commit']} transitions each")
    print(f"  {figures['cpu_s_per_saga'] * 1000:10.2f} ms of CPU for each order, all processes together")
    print("  resident MiB: " + ", ".join(f"{name} {mib}" for name, mib in figures["rss_mib"].items()))
    print("\n".join(lines(figures["bytes_per_order"])))


if __name__ == "__main__":
    main()
