"""Where the CPU time of an order goes, by part of the system, beside what the yardstick takes for one.

    python -m bench.where [--nodes 1,4] [--placing stream,unary] [--rounds 3] [--draw FILE.svg] [--json]

Nodes tell it of themselves (bench/sampled_node.py). Parts are explained in docs/explanation/performance.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
import uvloop

from bench import yardstick
from bench.drawn import Bar, bars
from bench.parts import CLIENT, PARTS
from bench.sampled_node import SAMPLES_FILE
from bench.shop import BESIDE, BenchOrders, client_of, load, machine, open_nodes, restock
from protos.sales_pb2 import Flow
from runtime.testing.processes.harness import Harness

__all__ = ["Setup", "Spent", "main"]

_HERE = Path(__file__).parents[1]
_SKUS = ("book",)
_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Setup:
    """How many nodes there are, and how the client places."""

    nodes: int
    placing: str

    def __str__(self) -> str:
        return f"{self.nodes} {'node' if self.nodes == 1 else 'nodes'}, {self.placing}"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU an order: of the yardstick that places by unary calls, and of each part."""

    yardstick: float
    parts: Mapping[str, float]

    def by_yardstick(self) -> dict[str, float]:
        """Each part in multiples of all that the yardstick takes, in the order of `PARTS`."""
        return {part: self.parts.get(part, 0.0) / self.yardstick for part in PARTS}


class _Listed(click.ParamType[tuple[str, ...]]):
    name = "A,B"

    def __init__(self, *known: str) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        given = tuple(str(value).split(","))
        if set(given) - set(self._known):
            self.fail(f"{value!r} is not one or more of {','.join(self._known)}", param, ctx)
        return given


@click.command(help=__doc__)
@click.option("--nodes", type=_Listed("1", "4"), default="1,4", show_default=True, help="All services in one, or each.")
@click.option("--placing", type=_Listed("unary", "stream"), default="stream,unary", show_default=True)
@click.option("--orders", type=click.IntRange(100), default=3000, show_default=True, help="Measured in each run.")
@click.option("--concurrency", type=click.IntRange(1, 4096), default=64, show_default=True)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Their median is told.")
@click.option("--draw", type=click.Path(dir_okay=False, path_type=Path), help="Draw it as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(
    nodes: tuple[str, ...],
    placing: tuple[str, ...],
    orders: int,
    concurrency: int,
    rounds: int,
    draw: Path | None,
    as_json: bool,
) -> None:
    found: dict[Setup, Spent] = {}
    for setup in (Setup(int(count), way) for way in placing for count in nodes):
        found[setup] = _median([_one_round(setup, orders, concurrency) for _ in range(rounds)])
        if not as_json:
            _show(setup, found[setup])
    if as_json:
        by_name = {str(setup): {"yardstick": one.yardstick, **one.parts} for setup, one in found.items()}
        print(json.dumps({"cpu_s_per_saga": by_name, "machine": machine()}))
    if draw is not None:
        drawn = [Bar(str(setup), one.by_yardstick()) for setup, one in found.items()]
        draw.write_text(bars(drawn, "CPU of an order, by what the yardstick takes", mark=1.0))


def _one_round(setup: Setup, orders: int, concurrency: int) -> Spent:
    """Orders, and the yardstick at once after them."""
    parts = uvloop.run(_sampled(setup, orders, concurrency))
    (bare,) = yardstick.measure(setup.nodes, [yardstick.BareLoad(concurrency, orders, "unary")])
    return Spent(bare["cpu_s_per_saga"], parts)


def _median(rounds: Sequence[Spent]) -> Spent:
    return Spent(
        median(one.yardstick for one in rounds),
        {part: median(one.parts.get(part, 0.0) for one in rounds) for part in PARTS},
    )


async def _sampled(setup: Setup, orders: int, concurrency: int) -> dict[str, float]:
    """Seconds of CPU an order, by part."""
    measured = BenchOrders("order", orders, _SKUS, Flow.ORCHESTRATION)
    warm_up = BenchOrders("warm-up", max(orders // 6, concurrency), _SKUS, Flow.ORCHESTRATION)
    with tempfile.TemporaryDirectory(prefix="where-") as name:
        samples = _WhatNodesTell(Path(name))
        async with open_nodes(BESIDE[setup.nodes], {}, launcher=samples.launcher, env=samples.environment) as harness:
            first = next(iter(harness.nodes.values()))
            async with client_of(first.address, setup.placing) as client:
                await restock(client, _SKUS, measured.count + warm_up.count)
                await load(client, warm_up, concurrency)
                before, client_s = await samples.of(harness), _client_s()
                await load(client, measured, concurrency)
                client_s = _client_s() - client_s
                after = await samples.of(harness)
    spent = {part: seconds - before[part] for part, seconds in after.items()}
    return {part: seconds / orders for part, seconds in {**spent, CLIENT: client_s}.items()}


def _client_s() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


class _WhatNodesTell:
    """What nodes answer when they are asked where their time went."""

    launcher = ("-m", "bench.sampled_node")

    def __init__(self, folder: Path) -> None:
        self._file = folder / "answers"
        self._file.touch()
        self._read = 0
        self.environment = {SAMPLES_FILE: str(self._file), "PYTHONPATH": str(_HERE)}

    async def of(self, harness: Harness) -> dict[str, float]:
        """Seconds of CPU of all nodes since each began."""
        for node in harness.nodes.values():
            os.kill(node.pid, signal.SIGUSR1)
        async with asyncio.timeout(_ANSWER_S):
            while len(lines := self._file.read_text().splitlines()) < self._read + len(harness.nodes):  # noqa: ASYNC110 - a file of others
                await asyncio.sleep(0.01)
        new, self._read = lines[self._read :], len(lines)
        answers = [json.loads(line) for line in new]
        return {part: sum(each.get(part, 0.0) for each in answers) for part in PARTS}


def _show(setup: Setup, spent: Spent) -> None:
    total_s = sum(spent.parts.values())
    print(f"{setup}: {total_s * 1000:.2f} ms of CPU an order, {total_s / spent.yardstick:.2f} of the yardstick's")
    for part, ratio in spent.by_yardstick().items():
        print(f"  {spent.parts.get(part, 0.0) * 1e6:8.0f} µs  {ratio:5.2f}  {part}")


if __name__ == "__main__":
    main()
