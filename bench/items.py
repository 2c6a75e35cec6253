"""Seconds that a saga takes for a list of so many items, each a step of its own, in one node.

python -m bench.items [--items 1000] [--pages] [--json]

With --pages the items are those of child sagas, so that no record grows with their number.
The node writes a fresh SQLite file. Its memory is read when the saga has begun, at its end, and once the node is idle.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import uvloop

from bench.items_node import BookAll, BookPages
from bench.shop import machine, rss_mib
from examples.trip import trip_pb2
from examples.trip.trip_pb2 import StartTrip
from runtime import Client, connect
from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.processes.harness import Harness

__all__ = ["main"]

_NODE = (sys.executable, "-m", "bench.items_node")
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.STUCK)
_LOOK_S = 0.05
_KINDS = {"all": BookAll.kind, "pages": BookPages.kind}
_IDLE_S = 5.0


@click.command(help=__doc__)
@click.option("--items", type=click.IntRange(1, 100_000), default=1_000, show_default=True)
@click.option("--pages", is_flag=True, help="A child saga for each hundred of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(items: int, pages: bool, as_json: bool) -> None:
    figures = uvloop.run(measure(items, "pages" if pages else "all"))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24} {value}")


async def measure(items: int, way: str) -> dict[str, Any]:
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    async with Harness(command=_NODE, settings={"log_format": "json"}, env=env) as harness:
        node = await harness.start("one", ("all",))
        async with connect(node.address, contracts=[trip_pb2]) as client:
            await _booked(client, "warm", 10, way)
            before = rss_mib(harness)["one"]
            took_s = await _booked(client, "T", items, way)
            after = rss_mib(harness)["one"]
            await asyncio.sleep(_IDLE_S)
        return {
            "items": items,
            "way": way,
            "seconds": round(took_s, 2),
            "items_per_s": round(items / took_s),
            "rss_mib_before": before,
            "rss_mib_after": after,
            "rss_mib_idle": rss_mib(harness)["one"],
            **machine(),
        }


async def _booked(client: Client, trip_id: str, items: int, way: str) -> float:
    began_s = time.perf_counter()
    await client.send(StartTrip(trip_id=trip_id, flight=way, price_cents=items))
    while True:
        found = await client.read(_KINDS[way], trip_id)
        record = found.state if found is not None else None
        if isinstance(record, SagaRecord) and record.status in _ENDED:
            if record.status != SagaRecord.COMPLETED:
                raise SystemExit(f"it has not completed: {record.reason or record.stuck_reason}")
            return time.perf_counter() - began_s
        await asyncio.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
