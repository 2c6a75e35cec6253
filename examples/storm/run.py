"""One storm from its start to its verdict.

nodes behind proxies, participants ─▶ Customers and Chaos side by side ─▶ all is healed ─▶ every order has to end
                                                                          ─▶ at rest ─▶ audit ─▶ StormReport
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from examples.books import count_waiting, mistakes, read_books
from examples.storm.audit import AuditVerdict, judge, read_movements
from examples.storm.chaos import Chaos, Pace
from examples.storm.customers import Customers, Unanswered
from protos.orders_pb2 import Order
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP, OrderStatus
from runtime.adapters import AsyncioTasks, SystemClock
from runtime.testing.processes.clocks import faketime_library
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.process import NodeProcess

__all__ = ["NODES", "StormFailed", "StormPlan", "StormReport", "StormRun"]

NODES: Mapping[str, tuple[str, ...]] = {
    "anna": ("sales", "billing"),
    "bert": ("billing", "warehouse"),
    "cleo": ("warehouse", "orchestration"),
    "dora": ("orchestration", "sales"),
}
"""Nodes by name, with the services of each: every service lives on two, so that the other takes over."""

_ROOT = Path(__file__).parents[2]
_SETTINGS: Mapping[str, object] = {"log_format": "json", "lease_s": 1.5, "renew_s": 0.4, "sweep_s": 0.5}
_PATIENCE_S = 60.0
_REST_S = 60.0
_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class StormPlan:
    seconds: float
    seed: int
    open_max: int = 384  # orders at a time
    pace: Pace = field(default_factory=Pace)
    node: tuple[str, ...] = (sys.executable, "-m", "examples.storm.node")


@dataclass(slots=True)
class StormReport:
    """What came of a storm."""

    plan: StormPlan
    chaos: Counter[str]
    orders: Counter[str] = field(default_factory=Counter)  # by how they ended
    rate_per_s: float = 0.0
    rest_after_s: float = 0.0  # from the last trouble until nothing was on its way any more
    charged_cents: int = 0
    refunded_cents: int = 0
    repeated: int = 0  # requests that a participant got again: handlers that ran more than once
    cents_off: int = 0
    units_off: int = 0
    unfinished: int = 0
    faults: list[str] = field(default_factory=list)  # a sentence for each thing that is not as it must be

    @property
    def is_clean(self) -> bool:
        return not (self.faults or self.cents_off or self.units_off or self.unfinished)

    def as_object(self) -> dict[str, object]:
        """Ready for JSON."""
        names = ("kills", "freezes", "cuts", "frozen_links", "delays", "throttles", "swallowed", "duplications")
        return {
            "seconds": self.plan.seconds,
            "seed": self.plan.seed,
            **{name: self.chaos[name] for name in (*names, "clock_shifts")},
            "orders": self.orders.total(),
            "orders_per_s": round(self.rate_per_s, 1),
            "ready": self.orders["READY_TO_SHIP"],
            "cancelled": self.orders["CANCELLED"],
            "charged_cents": self.charged_cents,
            "refunded_cents": self.refunded_cents,
            "repeated": self.repeated,
            "rest_after_s": round(self.rest_after_s, 1),
            "cents_off": self.cents_off,
            "units_off": self.units_off,
            "unfinished": self.unfinished,
            "faults": self.faults[:_SHOWN_MAX],
        }


class StormRun:
    """Run it once. `customers` and `chaos` are there to be watched while it runs."""

    customers: Customers
    chaos: Chaos

    def __init__(self, plan: StormPlan) -> None:
        self.phase = "nodes start"
        self._plan = plan
        self._clock = SystemClock()
        self._tasks = AsyncioTasks()
        self._began_s = self._healed_at_s = 0.0

    @property
    def raged_s(self) -> float:
        """Seconds since it broke loose; 0 before."""
        return self._clock.monotonic_s() - self._began_s if self._began_s else 0.0

    async def run(self, watch: Callable[[StormRun], object] = lambda storm: None) -> StormReport:
        """`watch` is called a few times a second. Raises StormFailed if anything is off."""
        async with self._surroundings() as harness, self.customers.open():
            report = StormReport(self._plan, self.chaos.counts)
            await self.customers.stock_up()
            watching = self._tasks.start(self._watch(watch), name="watch")
            try:
                await self._rage(report)
                await self._settle(harness, report)
            except (AssertionError, grpc.aio.AioRpcError) as error:  # a node ended by itself; an answer nobody expects
                report.faults.append(str(error))
                report.unfinished = self.customers.begun - self.customers.settled
            finally:
                watching.cancel()
            if not report.is_clean:
                raise StormFailed(report, harness.directory)
        return report

    async def _rage(self, report: StormReport) -> None:
        self.phase = "storm"
        self._began_s = self._clock.monotonic_s()
        chaos = self._tasks.start(self.chaos.run(self._plan.seconds), name="chaos")
        orders = self._tasks.start(self.customers.run(self._plan.seconds), name="customers")
        try:
            await chaos
            self._healed_at_s = self._clock.monotonic_s()
            self.phase = "healed: orders end"
            await orders
        except Unanswered as error:
            report.faults.append(str(error))
        finally:
            chaos.cancel()
            orders.cancel()
        report.rate_per_s = self.customers.settled / self.raged_s

    async def _settle(self, harness: Harness, report: StormReport) -> None:
        self.phase = "healed: everything comes to rest"
        try:
            await harness.eventually(
                lambda: _is_at_rest(harness), timeout_s=_REST_S, what="no message is on its way", every_s=0.5
            )
        except AssertionError as error:
            report.faults.append(str(error).partition("\n")[0])
        report.rest_after_s = self._clock.monotonic_s() - self._healed_at_s
        self.phase = "every order is checked"
        orders = await self.customers.how_they_ended()
        moved = read_movements(harness.directory)
        report.charged_cents, report.refunded_cents = moved.charged.total(), moved.refunded.total()
        report.repeated = moved.repeated
        self._add(report, orders, judge(moved, orders, await self.customers.what_is_on_hand()))
        report.faults.extend(mistakes(await read_books(harness.store)))

    def _add(self, report: StormReport, orders: Sequence[Order], verdict: AuditVerdict) -> None:
        report.orders.update(OrderStatus.Name(order.status) for order in orders)
        report.unfinished = sum(order.status not in (READY_TO_SHIP, CANCELLED) for order in orders)
        report.cents_off, report.units_off = verdict.cents_off, verdict.units_off
        told = self.customers.told
        lost = [order.order_id for order in orders if not order.status and order.order_id in told.placed]
        report.faults.extend(f"{key} was acknowledged, and there is no such order" for key in lost)
        report.faults.extend((*verdict.faults, *told.contradicted))
        for order in orders:
            was = told.ended.get(order.order_id, order.status)
            if was != order.status:
                names = (OrderStatus.Name(was), OrderStatus.Name(order.status))
                report.faults.append(f"{order.order_id} was told to be {names[0]}, and is {names[1]}")

    async def _watch(self, watch: Callable[[StormRun], object]) -> None:
        while True:
            watch(self)
            await self._clock.sleep(0.2)

    @asynccontextmanager
    async def _surroundings(self) -> AsyncIterator[Harness]:
        """Participants, and nodes behind proxies that know where these are."""
        env = {"PYTHONPATH": str(_ROOT)}
        harness = Harness(
            command=self._plan.node, settings=_SETTINGS, proxied=True, clocks=faketime_library() is not None, env=env
        )
        socket = harness.directory / "socket"
        env["STORM_SOCKET"] = str(socket)
        async with harness:
            command = (sys.executable, "-m", "examples.storm.participants", str(harness.directory), str(socket))
            participants = NodeProcess("participants", command, harness.directory, env)
            participants.launch()
            try:
                await harness.eventually(socket.exists, timeout_s=20, what="the participants listen")
                for name, services in NODES.items():
                    await harness.start(name, services, env=env)
                self.chaos = Chaos(harness, tuple(NODES), self._plan.seed, self._plan.pace)
                addresses = [harness.proxies[name].address for name in NODES]
                self.customers = Customers(
                    addresses, self._plan.seed, open_max=self._plan.open_max, patience_s=_PATIENCE_S
                )
                yield harness
            finally:
                participants.kill()


class StormFailed(AssertionError):
    """Something does not add up. Files and logs are kept."""

    def __init__(self, report: StormReport, directory: Path) -> None:
        super().__init__(f"files and logs are in {directory}")
        self.report = report


async def _is_at_rest(harness: Harness) -> bool:
    """No message is on its way, dead letters aside. Only to know when to look; nothing is judged by it."""
    return not await count_waiting(harness.store)
