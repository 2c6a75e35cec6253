"""Seconds that an operator, and a node that starts, wait in a store of very many sagas.

python -m bench.many_sagas [--finished 1000000] [--open 100000] [--json]

One open saga in ten is stuck, and the others wait for an answer. The time of half of those is over, as after a night in
which no node ran. The store lies in a temporary folder, and is removed afterwards: 1.1 million sagas take about 1 GB.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import click
import uvloop

from actors.orchestration import OrderProcess
from bench.shop import machine, open_nodes
from protos import orders_pb2
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderLine
from runtime.adapters import system_ports
from runtime.contracts import Contracts
from runtime.envelope import shard_of
from runtime.operate.lookup import accounts
from runtime.operate.survey import WAITS, Wanted, saga_counts, sagas, some_need_a_person
from runtime.protos.durable_pb2 import Timer, TimerFired, Timers
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.summary import summary_of
from runtime.store.records import ActorRow, Expected, NodeRow, Transition
from runtime.store.sqlite import SqliteStore

__all__ = ["fill_store", "main", "open_saga"]

_KIND = OrderProcess.kind
_SHARDS = 16
_BATCH = 2_000
_NODE, _INCARNATION = "before", "1"
_HOUR_S = 3_600.0
_WITHIN_S = 60.0
_LOOKS = 5


@click.command(help=__doc__)
@click.option("--finished", type=click.IntRange(0), default=1_000_000, show_default=True, help="That have completed.")
@click.option("--open", "open_", type=click.IntRange(1), default=100_000, show_default=True, help="That have not.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(finished: int, open_: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="amends-bench-") as folder:
        figures = uvloop.run(measure(Path(folder), finished, open_))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value}")


async def measure(folder: Path, finished: int, open_: int) -> dict[str, Any]:
    path = folder / "amends.db"
    figures: dict[str, Any] = {"finished": finished, "open": open_}
    await fill_store(path, finished, open_)
    figures["bytes_per_saga"] = path.stat().st_size // (finished + open_)
    figures.update(await _as_operator(path))
    figures["restart_to_first_progress_s"] = await _restart(folder, path)
    return {**figures, **machine()}


# --- the store ---


async def fill_store(path: Path, finished: int, open_: int) -> None:
    """So many sagas in a new store, and a node with a lease that owns all their shards."""
    store = SqliteStore(path, system_ports())
    await store.open()
    rows = _rows(finished, open_, time.time())
    while batch := list(islice(rows, _BATCH)):
        await store.commit([Transition(actor=row, expected=Expected(0, b"")) for row in batch])
    node = NodeRow(_NODE, _INCARNATION, "127.0.0.1:1", (_KIND,), "0", carries=SagaBehaviour(OrderProcess).carries)
    await store.join(node, lease_s=_HOUR_S)
    for shard in range(_SHARDS):
        await store.assign(_KIND, shard, owner=_NODE, expected_epoch=0)
    await store.close()


def _rows(finished: int, open_: int, now_s: float) -> Iterator[ActorRow]:
    """Open ones lie scattered among the finished ones, as they would after months."""
    every = max(1, (finished + open_) // open_)
    opened = 0
    for number in range(finished + open_):
        if number % every == 0 and opened < open_:
            opened += 1
            yield _row(number, now_s, is_open=True, is_stuck=opened % 10 == 0)
        else:
            yield _row(number, now_s, is_open=False, is_stuck=False)


def open_saga(number: int, now_s: float, *, shards: int) -> ActorRow:
    """An order process whose bill has not been answered in time: its timer is due since an hour."""
    return replace(
        _row(number * 2, now_s, is_open=True, is_stuck=False), shard=shard_of(f"ORD-{number * 2:09}", shards)
    )


def _row(number: int, now_s: float, *, is_open: bool, is_stuck: bool) -> ActorRow:
    key, started_at_s = f"ORD-{number:09}", now_s - _HOUR_S * 24 + number / 100
    record = _record(key, started_at_s, is_open=is_open, is_stuck=is_stuck)
    timers, due_at_s = b"", None
    if is_open and not is_stuck:
        due_at_s = now_s + (_HOUR_S if number % 2 else -_HOUR_S) + number / 1_000_000
        step = OrderProcess.definition.flow_steps[0]
        timer = Timer(
            name=step.timer, due_at_s=due_at_s, type=TimerFired.DESCRIPTOR.full_name, set_by=record.conversation
        )
        timers = Timers(timers=[timer]).SerializeToString()
    id = number.to_bytes(16, "big")
    state, name = record.SerializeToString(), record.DESCRIPTOR.full_name
    shard, told = shard_of(key, _SHARDS), summary_of(record, None)
    return ActorRow(_KIND, key, shard, 4, id, id, name, state, timers, due_at_s, started_at_s, summary=told)


def _record(key: str, started_at_s: float, *, is_open: bool, is_stuck: bool) -> SagaRecord:
    record = SagaRecord()
    record.CopyFrom(OrderProcess.definition.template)
    record.status = SagaRecord.RUNNING if is_open else SagaRecord.COMPLETED
    record.started_at_s, record.last_progress_at_s = started_at_s, started_at_s + 1.0
    record.conversation = key.encode().ljust(16)[:16]
    line = OrderLine(sku="book", quantity=1)
    record.state = OrderProcessState(order_id=key, line=line, amount_cents=1_999).SerializeToString()
    for step in OrderProcess.definition.flow_steps:
        task = record.tasks[step.index]
        if is_open and step.index:
            continue
        task.status = TaskRecord.RUNNING if is_open else TaskRecord.DONE
        task.address = f"{step.command.kind}/{key}"
        task.do.status = Exchange.OPEN if is_open else Exchange.DONE
        task.do.command_id, task.do.attempts, task.do.asked_at_s = record.conversation, 1, started_at_s
    if is_stuck:
        record.status, record.stuck_in = SagaRecord.STUCK, SagaRecord.RUNNING
        record.stuck_reason, record.tasks[0].stuck = "step bill: no answer; still to do: bill, ship, close", True
        record.tasks[0].do.status = Exchange.UNKNOWN
    if not is_open:
        record.ended_at_s = started_at_s + 1.0
    return record


# --- what is measured ---


async def _as_operator(path: Path) -> dict[str, float]:
    store = SqliteStore(path, system_ports(), create=False, view=True)
    await store.open()
    contracts = Contracts([orders_pb2])
    key = f"ORD-{0:09}"
    figures = {
        "list_all_s": await _took(lambda: sagas(store, limit=100)),
        "list_stuck_s": await _took(lambda: sagas(store, Wanted(statuses=("stuck",)), limit=100)),
        "list_stuck_by_error_s": await _took(
            lambda: sagas(store, Wanted(statuses=("stuck",), error="none"), limit=100)
        ),
        "list_idle_s": await _took(lambda: sagas(store, Wanted(statuses=("running",), idle_s=60.0), limit=100)),
        "list_without_version_s": await _took(lambda: sagas(store, Wanted(statuses=(WAITS,)), limit=100)),
        "exit_code_s": await _took(lambda: some_need_a_person(store, Wanted(statuses=("running",)))),
        "count_s": await _took(lambda: saga_counts(store)),
        "explain_s": await _took(lambda: accounts(store, contracts, key)),
    }
    await store.close()
    arguments = ("-m", "runtime.admin", "--store", f"sqlite:///{path}")
    figures["command_list_stuck_s"] = await _command(*arguments, "sagas", "--status", "stuck")
    figures["command_explain_s"] = await _command(*arguments, "explain", key)
    return figures


async def _took(work: Callable[[], Awaitable[object]]) -> float:
    """The slowest of a few, of which the first one finds nothing in the cache."""
    slowest = 0.0
    for _ in range(_LOOKS):
        began = time.perf_counter()
        await work()
        slowest = max(slowest, time.perf_counter() - began)
    return slowest


async def _command(*arguments: str) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise click.ClickException(f"{' '.join(arguments)} has failed")
    return time.perf_counter() - began


async def _restart(folder: Path, path: Path) -> float:
    """From the start of the process until a turn of it is in the store; the node before has left in order."""
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.leave(_NODE, _INCARNATION)
    await store.close()
    began = time.perf_counter()
    async with open_nodes({"all": ()}, {"shards_per_kind": _SHARDS}, directory=folder):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        while time.perf_counter() - began < _WITHIN_S:
            if connection.execute("select exists (select 1 from history)").get:
                connection.close()
                return time.perf_counter() - began
            await asyncio.sleep(0.01)
    raise click.ClickException(f"nothing has moved within {_WITHIN_S:.0f} s")


if __name__ == "__main__":
    main()
