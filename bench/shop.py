"""What the benches of the order system share: nodes as real processes, a client over one channel, what they cost."""

from __future__ import annotations

import asyncio
import itertools
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import apsw
import grpc
import grpc.aio
import psutil

from actors.orchestration import OrderProcess
from actors.sales import Sales
from protos import orders_pb2_grpc
from protos.orders_pb2 import PlaceOrderRequest, RestockRequest
from protos.sales_pb2 import READY_TO_SHIP, Flow
from runtime.gateway.calls.channel import CallsChannel
from runtime.operate.shards import whys
from runtime.testing.processes.harness import Harness

__all__ = [
    "BESIDE",
    "NODES",
    "BenchOrders",
    "Client",
    "client_of",
    "cpu_s",
    "family_cpu_s",
    "load",
    "machine",
    "nodes_cpu_s",
    "open_nodes",
    "percentile",
    "restock",
    "rss_mib",
    "sagas_at_home",
]

Client: TypeAlias = "orders_pb2_grpc.OrderServiceAsyncStub"  # named so in the generated stubs only

NODES: Mapping[int, Mapping[str, tuple[str, ...]]] = {
    1: {"all": ()},
    4: {name: (name,) for name in ("sales", "billing", "warehouse", "orchestration")},
}
"""Nodes by name, with the services of each, by how many there are."""

BESIDE: Mapping[int, Mapping[str, tuple[str, ...]]] = {**NODES, 4: {**NODES[4], "sales": ("sales", "orchestration")}}
"""The same, but sales hosts the order saga too, which lives beside it; the node of orchestration stands by."""

_NODE = (sys.executable, str(Path(__file__).parents[1] / "node.py"))
_MIB = 1024 * 1024
_CALL_S = 60.0
_LOOKS, _LOOK_S = 300, 0.1


@asynccontextmanager
async def open_nodes(
    nodes: Mapping[str, Sequence[str]],
    settings: Mapping[str, object],
    *,
    directory: Path | None = None,
    store_url: str = "",
    launcher: Sequence[str] = (),
    env: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Harness]:
    """These nodes over the store of this URL; without one over a fresh SQLite file, with synchronous=FULL.

    `launcher` is what Python runs instead of node.py.
    """
    common: dict[str, object] = {"log_format": "json"}
    settings = {**common, **settings}
    command = (sys.executable, *launcher) if launcher else _NODE
    async with Harness(
        command=command, directory=directory, store_url=store_url, settings=settings, env=env
    ) as harness:
        await asyncio.gather(*(harness.start(name, services) for name, services in nodes.items()))
        yield harness


async def sagas_at_home(harness: Harness, nodes: Mapping[str, Sequence[str]]) -> None:
    """Wait until all shards of the order saga are beside sales, where a node hosts both. Raises SystemExit in the end.

    The first node to start takes what it hosts, and gives it to those that come later.
    """
    if not any({"sales", "orchestration"} <= {*services} for services in nodes.values()):
        return
    told: set[str] = set()
    for _ in range(_LOOKS):
        reasons = whys(await harness.store.cluster())
        told = {why for (kind, _), why in reasons.items() if kind == OrderProcess.kind}
        if told == {f"beside {Sales.kind}"}:
            return
        await asyncio.sleep(_LOOK_S)
    raise SystemExit(f"the shards of the order saga did not come to rest beside sales: {', '.join(sorted(told))}")


@asynccontextmanager
async def client_of(address: str, placing: str = "unary") -> AsyncIterator[Client]:
    """`placing` "stream": what is called at the same time goes over one stream."""
    channel = grpc.aio.insecure_channel(address)
    async with CallsChannel(channel) if placing == "stream" else channel as calls:
        await asyncio.wait_for(calls.channel_ready(), _CALL_S)
        yield orders_pb2_grpc.OrderServiceStub(calls)


@dataclass(frozen=True, slots=True)
class BenchOrders:
    """Orders to place: each of one unit, over these SKUs in turn."""

    prefix: str
    count: int
    skus: tuple[str, ...]
    flow: Flow.ValueType

    def requests(self) -> Iterator[PlaceOrderRequest]:
        skus = itertools.cycle(self.skus)
        for number in range(self.count):
            yield PlaceOrderRequest(
                order_id=f"{self.prefix}-{number:07}",
                sku=next(skus),
                quantity=1,
                amount_cents=1_999,
                flow=self.flow,
                wait=True,
            )


async def restock(client: Client, skus: Sequence[str], units: int, *, request_id: str = "bench") -> None:
    for sku in skus:
        await client.Restock(RestockRequest(sku=sku, quantity=units, request_id=request_id), timeout=_CALL_S)


async def load(client: Client, orders: BenchOrders, concurrency: int) -> list[float]:
    """Place orders, `concurrency` at a time, each until it is ready to ship; seconds that each took, sorted."""
    requests = orders.requests()
    took_s: list[float] = []

    async def customer() -> None:
        for request in requests:
            began_s = time.perf_counter()
            order = await client.PlaceOrder(request, timeout=_CALL_S)
            took_s.append(time.perf_counter() - began_s)
            if order.status != READY_TO_SHIP:
                raise SystemExit(f"order {order.order_id} did not get ready to ship: {order}")

    async with asyncio.TaskGroup() as customers:
        for _ in range(concurrency):
            customers.create_task(customer())
    return sorted(took_s)


def percentile(ascending: Sequence[float], share: float) -> float:
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)]


def cpu_s(harness: Harness) -> float:
    """User and system time so far of the client and of all nodes that run."""
    times = psutil.Process().cpu_times()
    return times.user + times.system + nodes_cpu_s(harness)


def nodes_cpu_s(harness: Harness) -> float:
    """The same without the client."""
    times = [psutil.Process(node.pid).cpu_times() for node in harness.nodes.values() if node.alive]
    return sum(each.user + each.system for each in times)


def family_cpu_s() -> float:
    """User and system time so far of the client and of all that descends from it: nodes, and the server of a store."""
    here = psutil.Process()
    spent_s = 0.0
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent_s += times.user + times.system
    return spent_s


def rss_mib(harness: Harness) -> dict[str, float]:
    """Resident memory by node."""
    alive = [node for node in harness.nodes.values() if node.alive]
    return {node.name: round(psutil.Process(node.pid).memory_info().rss / _MIB, 1) for node in alive}


def machine() -> dict[str, object]:
    """What figures depend on."""
    return {
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
        "sqlite": apsw.sqlite_lib_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }
