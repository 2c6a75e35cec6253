"""What a node tells machines that watch it: that it lives, whether it takes part, and what it has done."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client.parser import text_string_to_metric_families

from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder
from protos.sales_pb2 import ORCHESTRATION, OrderLine, PlaceOrder
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.errors import InvalidSettings, StoreUnavailable
from runtime.gateway.monitor.on_node import MonitorServed, NodeMonitor
from runtime.gateway.monitor.readiness import Readiness
from runtime.host import Node
from runtime.ports import Fact
from runtime.store.memory import MemoryStore
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import mail_row, post
from tests.tidy.source import ROOT

_TOLD = """
import sys
import runtime.host
foreign = ("uvicorn", "starlette", "prometheus_client")
print(*sorted(one for one in sys.modules if one.startswith("runtime.gateway.monitor.") or one in foreign))
"""


class CutOffStore(MemoryStore):
    """A store that members cannot reach while `is_cut`."""

    is_cut = False

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        if self.is_cut:
            raise StoreUnavailable("cut off")
        return await super().renew(name, incarnation, lease_s=lease_s, clock_off_s=clock_off_s)


class WatchedNode:
    """A node in this process, and what it answers."""

    def __init__(self, node: Node, store: CutOffStore, address: str, client: httpx.AsyncClient) -> None:
        self.node = node
        self.store = store
        self._address = address
        self._client = client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._client.get(f"http://{self._address}{path}", headers=headers)

    async def status(self, service: str) -> int:
        """What gRPC's health check says."""
        async with grpc.aio.insecure_channel(self.node.address) as channel:
            return int((await HealthStub(channel).Check(HealthCheckRequest(service=service))).status)

    async def metric(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families((await self.get("/metrics")).text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None


@asynccontextmanager
async def watched(store: CutOffStore | None = None) -> AsyncIterator[WatchedNode]:
    facts: list[Fact] = []
    ports = system_ports(facts.append)
    store = store or CutOffStore(ports)
    settings = Settings(
        listen="127.0.0.1:0", monitor_listen="127.0.0.1:0", name="one", lease_s=0.6, renew_s=0.1, sweep_s=0.1
    )
    node = Node(settings, catalogue(), ports, store=store)
    await node.start()
    try:
        (served,) = [fact for fact in facts if isinstance(fact, MonitorServed)]
        async with httpx.AsyncClient(trust_env=False) as client:
            yield WatchedNode(node, store, served.address, client)
    finally:
        store.is_cut = False
        await node.stop()


def test_a_node_that_is_not_watched_imports_nothing_for_it() -> None:
    told = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [f"runtime.gateway.monitor.{one}" for one in ("on_node", "parts", "readiness")]


def test_a_node_that_lacks_the_extra_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("runtime.gateway.monitor.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(
        InvalidSettings, match=r"monitor_listen needs prometheus_client, .* pip install 'amends\[metrics\]'"
    ):
        NodeMonitor(Settings(monitor_listen="127.0.0.1:0"), "1", system_ports(), Readiness())


async def test_a_node_that_takes_part_is_ready() -> None:
    async with watched() as one:
        assert (await one.get("/livez")).text == "alive\n"
        ready = await one.get("/readyz")
        assert (ready.status_code, ready.text) == (200, "ready\n")
        assert await one.status("readyz") == HealthCheckResponse.SERVING


async def test_a_node_without_a_lease_lives_and_is_not_ready() -> None:
    async with watched() as one:
        one.store.is_cut = True
        while (ready := await one.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.02)
        assert ready.text == "not ready: its lease is not sure: the store has not answered a renewal in time\n"
        assert await one.status("readyz") == HealthCheckResponse.NOT_SERVING
        assert await one.status("") == HealthCheckResponse.SERVING  # liveness: nobody is to restart it
        assert (await one.get("/livez")).status_code == 200
        assert await one.metric("amends_lease_left_seconds") == 0.0
        one.store.is_cut = False
        while (await one.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.02)


async def test_a_node_that_takes_a_shard_over_is_not_ready_until_it_has_read_its_mail() -> None:
    reading, may_end = asyncio.Event(), asyncio.Event()

    async def read(shards: list[int]) -> None:
        reading.set()
        await may_end.wait()

    async with watched() as one:
        ownership = one.node.shards.sweepers["sales"].ownership
        shard = frozenset({3})
        ownership.give_up(shard)
        taking = asyncio.ensure_future(ownership.take_over(shard, read))
        await reading.wait()
        ready = await one.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "not ready: it is taking over shards of sales\n")
        may_end.set()
        await taking
        assert (await one.get("/readyz")).status_code == 200


async def test_a_node_that_stops_says_so_and_keeps_its_metrics_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched() as one:
        answers: list[str] = []
        leave = one.node.membership.leave

        async def looked_at(*, within_s: float | None = None) -> bool:
            monkeypatch.undo()
            answers.extend([(await one.get("/readyz")).text, (await one.get("/metrics")).text])
            return await leave(within_s=within_s)

        monkeypatch.setattr(one.node.membership, "leave", looked_at)
        await one.node.stop()
        assert answers[0] == "not ready: the node is stopping\n"
        assert "amends_lease_left_seconds" in answers[1]
        with pytest.raises(httpx.ConnectError):
            await one.get("/livez")


async def test_what_a_node_has_done_is_counted() -> None:
    async with watched() as one:
        bill = BillOrder(order_id="ORD-1", amount_cents=100)
        await one.node.client.ask(bill, timeout=10.0)
        assert await one.metric("amends_turns_total", kind="billing") == 1.0
        assert await one.metric("amends_messages_total", kind="billing") == 1.0
        assert await one.metric("amends_turns_failed_total", kind="billing") == 0.0
        assert await one.metric("amends_shards", kind="billing") == 16.0
        assert await one.metric("amends_shards_unowned", kind="billing") == 0.0
        assert await one.metric("amends_reports_total", report="NodeStarted") == 1.0
        commits = await one.metric("amends_commit_seconds_count")
        assert commits and await one.metric("amends_commit_transitions_count") == commits
        assert await one.metric("amends_commit_transitions_sum") == await one.metric("amends_transitions_total")
        assert await one.metric("amends_node_info", node="one") == 1.0


def order_without_goods() -> PlaceOrder:
    """Its saga is turned back by a refusal."""
    line = OrderLine(sku="NONE", quantity=1)
    return PlaceOrder(order_id="ORD-1", line=line, amount_cents=1, flow=ORCHESTRATION)


async def test_sagas_are_counted_by_the_statuses_that_they_come_to() -> None:
    async with watched() as one:
        await one.node.client.ask(order_without_goods(), timeout=10.0)
        while await one.metric("amends_sagas_came_to_total", status="compensated") != 1.0:  # There are no goods.
            await asyncio.sleep(0.02)
        of_saga = {"kind": "order-process"}
        assert await one.metric("amends_sagas_came_to_total", status="compensating", **of_saga) == 1.0
        assert await one.metric("amends_sagas_came_to_total", status="running", **of_saga) is None, "in the same turn"
        assert await one.metric("amends_steps_total", step="ship", outcome="refused", **of_saga) == 1.0
        assert await one.metric("amends_undos_total", step="bill", outcome="done", **of_saga) == 1.0
        assert await one.metric("amends_saga_seconds_count", status="compensated", **of_saga) == 1.0
        assert await one.metric("amends_saga_seconds_bucket", status="compensated", le="60.0", **of_saga) == 1.0
        turns = await one.metric("amends_turns_total", **of_saga)
        assert await one.metric("amends_turn_seconds_bucket", le="+Inf", **of_saga) == turns


async def test_mail_that_nobody_pushed_is_counted_when_a_look_finds_it() -> None:
    async with watched() as one:
        assert await one.metric("amends_mail_found_total", kind="billing") == 0.0
        row = mail_row(1, kind="billing")
        assert await one.store.commit([post(row)]) == [Verdict.COMMITTED]
        while not await one.metric("amends_mail_found_total", kind="billing"):
            await asyncio.sleep(0.02)


async def test_metrics_come_in_the_format_that_is_asked_for() -> None:
    async with watched() as one:
        assert (await one.get("/metrics")).headers["content-type"].startswith("text/plain")
        newer = await one.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
        assert newer.headers["content-type"].startswith("application/openmetrics-text")
        assert newer.text.endswith("# EOF\n")


async def test_the_page_of_metrics_has_each_of_them_and_no_other() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    async with watched() as one:
        shown = set(re.findall(r"^# TYPE (\w+) \w+$", (await one.get("/metrics")).text, re.MULTILINE))
    assert set(re.findall(r"^\| `(amends_\w+)`", page, re.MULTILINE)) == shown
