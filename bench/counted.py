"""What one order writes, counted and not timed: rows by table, and commits one after another.

Orders are placed one at a time over a fresh SQLite file. So no two share a commit, and the commits for each are those
that it waits for one by one, and the few that follow its answer. Triggers in the file count the rows. They cost time,
which is why this is a run of its own.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from bench.shop import BenchOrders, client_of, load, open_nodes, restock, sagas_at_home
from protos.sales_pb2 import Flow
from runtime.testing.processes.harness import Harness

__all__ = ["WhatAnOrderWrites", "count"]

_ORDERS = 100
_RESTOCK_COMMITS = 1  # The command is handled before it is posted.
_TABLES = ("mail", "history", "actors")
_ACTS = ("insert", "update", "delete")
_TRIGGER = """
    create trigger bench_{table}_{act} after {act} on {table} begin
        update bench_rows set written = written + 1 where what = '{table} {act}';
    end
"""


@dataclass(frozen=True, slots=True)
class WhatAnOrderWrites:
    """Of one order."""

    commits_in_sequence: float
    rows_written: dict[str, float]  # by table and what was done to it

    def lines(self) -> Iterator[str]:
        rows = ", ".join(f"{what} {count:g}" for what, count in self.rows_written.items())
        yield f"  {self.commits_in_sequence:10.1f} commits in sequence for each order, one at a time"
        yield f"  {sum(self.rows_written.values()):10.1f} rows written for each order: {rows}"


async def count(nodes: Mapping[str, Sequence[str]], settings: dict[str, str], placing: str) -> WhatAnOrderWrites:
    """Run some orders over nodes of these services. Raises SystemExit when one does not get ready to ship."""
    orders = BenchOrders("counted", _ORDERS, ("sku-0",), Flow.Value("ORCHESTRATION"))
    with tempfile.TemporaryDirectory(prefix="counted-") as name:
        file = Path(name) / "amends.db"
        async with open_nodes(nodes, settings, directory=Path(name), store_url=f"sqlite:///{file}") as harness:
            await sagas_at_home(harness, nodes)
            first = next(iter(harness.nodes.values()))
            database = apsw.Connection(str(file))
            database.set_busy_timeout(10_000)
            database.execute("create table bench_rows(what text primary key, written integer)").fetchall()
            async with client_of(first.address, placing) as client:
                await restock(client, ("sku-0",), _ORDERS)
                await _at_rest(database)
                for what in (f"{table} {act}" for table in _TABLES for act in _ACTS):
                    table, act = what.split()
                    database.execute("insert into bench_rows values(?, 0)", (what,)).fetchall()
                    database.execute(_TRIGGER.format(table=table, act=act)).fetchall()
                await load(client, orders, 1)
            await _at_rest(database)
            rows = database.execute("select what, written from bench_rows where written > 0").fetchall()
            database.close()
            commits = await committed(harness)
    written = {str(what): round(int(str(count)) / _ORDERS, 2) for what, count in rows}
    return WhatAnOrderWrites(round((commits[0] - _RESTOCK_COMMITS) / _ORDERS, 2), written)


async def _at_rest(database: apsw.Connection) -> None:
    """Wait until no message waits any more."""
    while database.execute("select count(*) from mail").get:  # noqa: ASYNC110 - emptied by other processes
        await asyncio.sleep(0.05)


async def committed(harness: Harness) -> tuple[int, int]:
    """Stop all nodes; the commits and transitions that they say they made."""
    commits = transitions = 0
    for node in harness.nodes.values():
        code = await node.stop()
        said = [record for record in node.log_records() if record["event"] == "committer stopped"]
        if code or not said:
            raise SystemExit(f"{node.name} did not drain: exit code {code}\n{harness.log_tails()}")
        commits += said[-1]["commits"]
        transitions += said[-1]["transitions"]
    return commits, transitions
