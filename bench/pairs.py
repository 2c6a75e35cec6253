"""What a setting or viewers cost: `bench.orders` without and with them, in turns, so that both meet the same machine.

    python -m bench.pairs --rounds 8 --setting trace_ratio=0.01 --collect
    python -m bench.pairs --rounds 8 --setting monitor_listen=127.0.0.1:0
    python -m bench.pairs --rounds 8 --viewers 20 --orders 10000
    python -m bench.pairs --rounds 8 --nodes 4 --beside --concurrency 1 --orders 300

With --collect the nodes send their traces to a collector that takes all and keeps nothing. With --viewers so many
browsers look at an operator's page over the same store. CPU is that of the nodes alone; what the page takes is told
beside it. A page is read once a second, so a run with viewers wants orders for ten seconds or more. With --beside the
order saga is apart from sales in the one run, and beside it in the other.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import click
import uvloop

from bench.orders import BenchPlan, measure

__all__ = ["main"]


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(1), default=8, show_default=True)
@click.option("--setting", "settings", multiple=True, metavar="NAME=VALUE", help="Of the nodes of every second run.")
@click.option("--collect", is_flag=True, help="Set trace_endpoint, too.")
@click.option("--viewers", type=click.IntRange(0, 100), default=0, show_default=True, help="Of every second run.")
@click.option("--nodes", type=click.Choice(["1", "4"]), default="1", show_default=True)
@click.option("--orders", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--warm-up", type=click.IntRange(0), default=300, show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--store", default="sqlite", show_default=True)
@click.option("--beside", is_flag=True, help="Sales hosts the order saga too, in every second run alone.")
def main(
    rounds: int, settings: tuple[str, ...], collect: bool, viewers: int, nodes: str, beside: bool, **rest: Any
) -> None:
    plan = BenchPlan(nodes=int(nodes), flow="orchestration", skus=1, settings={}, apart=beside, **rest)
    given = dict(text.split("=", 1) for text in settings)
    other = replace(plan, settings=given, viewers=viewers, apart=False)
    uvloop.run(compare(plan, other, rounds, collect=collect))


async def compare(plan: BenchPlan, other: BenchPlan, rounds: int, *, collect: bool) -> None:
    """Run pairs; who goes first changes with each. Prints each pair, and the medians of their ratios."""
    async with collecting() if collect else nothing() as more:
        plans = (plan, replace(other, settings={**other.settings, **more}))
        ratios: list[tuple[float, float, float]] = []
        for number in range(rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            figures = {one: await measure(plans[one]) for one in order}
            compared = ("nodes_cpu_s_per_saga", "sagas_per_s", "p50_ms")
            cpu, rate, p50 = ([figures[one][name] for one in (0, 1)] for name in compared)
            ratios.append((cpu[1] / cpu[0], rate[1] / rate[0], p50[1] / p50[0]))
            print(
                f"CPU {cpu[0] * 1000:.2f} and {cpu[1] * 1000:.2f} ms an order, {rate[0]:.0f} and {rate[1]:.0f} a second"
                f", p50 {p50[0]:.2f} and {p50[1]:.2f} ms{told_of_page(figures[1]['viewers_per_s'])}"
            )
        show("CPU", [pair[0] for pair in ratios])
        show("rate", [pair[1] for pair in ratios])
        show("p50", [pair[2] for pair in ratios])


def told_of_page(looks: dict[str, float]) -> str:
    """Without viewers nothing."""
    return (
        f"; the page took {looks['page_cpu_s']:.2f} s of CPU a second for {looks['screens']:.1f} screens"
        if looks
        else ""
    )


def show(what: str, ratios: Sequence[float]) -> None:
    print(f"{what} with by without: {median(ratios):.3f} in the median, {min(ratios):.3f} to {max(ratios):.3f}")


@asynccontextmanager
async def nothing() -> AsyncIterator[dict[str, str]]:
    yield {}


@asynccontextmanager
async def collecting() -> AsyncIterator[dict[str, str]]:
    """A collector as a process of its own, whose time is not counted; the setting that names it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.collector", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield {"trace_endpoint": (await process.stdout.readline()).decode().strip()}
    finally:
        process.terminate()
        await process.wait()


if __name__ == "__main__":
    main()
