"""How a node comes up over very much that waits: commands of open sagas, and timers that are due long since.

python -m bench.restart [--mail 10000] [--timers 100000] [--seconds 60] [--json]

The store has so many open sagas whose bill waits in the mail, and so many whose time is over, as after a night in which
no node ran. While the node works at them, a customer places one order after the other. The store lies in a temporary
folder, and is removed afterwards.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import click
import grpc.aio
import psutil
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from actors.orchestration import OrderProcess
from bench.many_sagas import open_saga
from bench.shop import BenchOrders, Client, client_of, machine, open_nodes, percentile, restock
from protos.billing_pb2 import BillOrder
from protos.sales_pb2 import ORCHESTRATION, PENDING, OrderLine, OrderState
from runtime.adapters import system_ports
from runtime.envelope import Envelope, shard_of
from runtime.gateway.codes import PUSHBACK
from runtime.store.records import ActorRow, Expected, MailRow, Transition
from runtime.store.sqlite import SqliteStore

__all__ = ["main"]

_SHARDS = 16
_BATCH = 2_000
_MIB = 1024 * 1024
_CALL_S = 60.0
_LINE = OrderLine(sku="book", quantity=1)


@click.command(help=__doc__)
@click.option("--mail", type=click.IntRange(0), default=10_000, show_default=True, help="Sagas with a waiting bill.")
@click.option("--timers", type=click.IntRange(0), default=100_000, show_default=True, help="Sagas with a due timer.")
@click.option("--seconds", type=click.FloatRange(1.0), default=60.0, show_default=True, help="How long to look on.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(mail: int, timers: int, seconds: float, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="amends-bench-") as folder:
        figures = uvloop.run(measure(Path(folder), mail, timers, seconds))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value}")


@dataclass(slots=True)
class _Seen:
    """What those who look on have noted; seconds, and MiB."""

    orders_s: list[float] = field(default_factory=list)
    orders_failed: Counter[str] = field(default_factory=Counter)  # by cause
    first_order_s: float = 0.0  # from the start of the process; 0: none was done
    pings_s: list[float] = field(default_factory=list)
    renewals_s: list[float] = field(default_factory=list)  # between one renewal of the lease and the next
    rss_mib: list[float] = field(default_factory=list)


async def measure(folder: Path, mail: int, timers: int, seconds: float) -> dict[str, Any]:
    path = folder / "amends.db"
    await _fill(path, mail, timers)
    seen, began_s = _Seen(), time.perf_counter()
    async with open_nodes({"all": ()}, {"shards_per_kind": _SHARDS}, directory=folder) as harness:
        serves_s = time.perf_counter() - began_s
        node = harness.nodes["all"]
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        rounds = (
            _ping(node.address, seen),
            _watch_lease(connection, seen),
            _watch_memory(node.pid, seen),
            _order(node.address, seen, began_s),
        )
        tasks = [asyncio.create_task(each) for each in rounds]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        left = _left(connection)
        connection.close()
    orders, pings = sorted(seen.orders_s), sorted(seen.pings_s)
    return {
        "mail": mail,
        "timers": timers,
        "serves_after_s": serves_s,
        "first_order_done_after_s": seen.first_order_s,
        "orders": len(orders),
        "orders_failed": dict(seen.orders_failed.most_common()),
        "order_p50_s": percentile(orders, 0.5) if orders else -1.0,
        "order_max_s": orders[-1] if orders else -1.0,
        "ping_p50_s": percentile(pings, 0.5),
        "ping_p99_s": percentile(pings, 0.99),
        "ping_max_s": pings[-1],
        "renewal_gap_max_s": max(seen.renewals_s),
        "rss_max_mib": max(seen.rss_mib),
        "rss_end_mib": seen.rss_mib[-1],
        **left,
        **machine(),
    }


# --- the store ---


async def _fill(path: Path, mail: int, timers: int) -> None:
    store = SqliteStore(path, system_ports())
    await store.open()
    transitions = _transitions(mail, timers, time.time())
    while batch := list(islice(transitions, _BATCH)):
        await store.commit(batch)
    await store.close()


def _transitions(mail: int, timers: int, now_s: float) -> Iterator[Transition]:
    for number in range(mail + timers):
        saga = open_saga(number, now_s, shards=_SHARDS)
        yield Transition(actor=_order_of(saga), expected=Expected(0, b""))
        if number >= mail:
            yield Transition(actor=saga, expected=Expected(0, b""))
        else:
            saga = replace(saga, timers=b"", due_at_s=None)
            yield Transition(actor=saga, expected=Expected(0, b""), mail=(_bill(saga, now_s),))


def _order_of(saga: ActorRow) -> ActorRow:
    """The order that the saga drives, as sales has it."""
    state = OrderState(order_id=saga.key, line=_LINE, amount_cents=1_999, flow=ORCHESTRATION, status=PENDING)
    name, told = OrderState.DESCRIPTOR.full_name, state.SerializeToString()
    return replace(saga, kind="sales", revision=1, state_type=name, state=told, timers=b"", due_at_s=None, summary=None)


def _bill(saga: ActorRow, now_s: float) -> MailRow:
    command = BillOrder(order_id=saga.key, amount_cents=1_999, line=_LINE)
    envelope = Envelope(
        id=saga.key.encode().ljust(16)[:16],
        kind="billing",
        key=saga.key,
        type=BillOrder.DESCRIPTOR.full_name,
        body=command.SerializeToString(),
        conversation=saga.conversation,
        sender=f"{OrderProcess.kind}/{saga.key}",
        reply_to=f"{OrderProcess.kind}/{saga.key}",
        sent_at_s=now_s - 3_600.0,
    )
    return MailRow.of(envelope, shard_of(saga.key, _SHARDS))


def _left(connection: apsw.Connection) -> dict[str, int]:
    return {
        "timers_left": connection.execute("select count(*) from actors where due_at_s < ?", (time.time(),)).get,
        "mail_left": connection.execute("select count(*) from mail").get,
        "handled": connection.execute("select count(*) from history").get,
    }


# --- those who look on ---


async def _order(address: str, seen: _Seen, began_s: float) -> None:
    """One order after the other, each until it is ready to ship."""
    async with client_of(address) as client:
        await _restocked(client)
        orders = BenchOrders("NEW", 1_000_000, ("vase",), ORCHESTRATION)
        for request in orders.requests():
            placed_s = time.perf_counter()
            try:
                await client.PlaceOrder(request, timeout=_CALL_S)
            except grpc.aio.AioRpcError as error:
                seen.orders_failed[_cause(error)] += 1
                continue
            seen.orders_s.append(time.perf_counter() - placed_s)
            seen.first_order_s = seen.first_order_s or time.perf_counter() - began_s
            await asyncio.sleep(0.1)


def _cause(error: grpc.aio.AioRpcError) -> str:
    """Why an order was refused, or not done in time. Only a node that is full says when to come again."""
    code = error.code().name
    says_when = any(key == PUSHBACK for key, _ in error.trailing_metadata() or ())
    return f"{code} (BacklogFull)" if says_when else code


async def _restocked(client: Client) -> None:
    """A node that has so much to do may not answer the first time."""
    while True:
        try:
            return await restock(client, ("book", "vase"), 1_000_000)
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.1)


async def _ping(address: str, seen: _Seen) -> None:
    """How long the loop takes to answer what costs nothing."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            began_s = time.perf_counter()
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=_CALL_S)
            seen.pings_s.append(time.perf_counter() - began_s)
            await asyncio.sleep(0.02)


async def _watch_lease(connection: apsw.Connection, seen: _Seen) -> None:
    last, since_s = None, time.perf_counter()
    while True:
        until = connection.execute("select lease_until_s from nodes where name = 'all'").get
        if until != last:
            now_s = time.perf_counter()
            if last is not None:
                seen.renewals_s.append(now_s - since_s)
            last, since_s = until, now_s
        await asyncio.sleep(0.02)


async def _watch_memory(pid: int, seen: _Seen) -> None:
    process = psutil.Process(pid)
    while True:
        seen.rss_mib.append(round(process.memory_info().rss / _MIB, 1))
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
