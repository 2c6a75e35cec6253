"""Many orders at once: placed by a fixed number of workers, each waiting for its order to end; then summed up.

The rate is of orders that ended, from the first placement to the last end; the percentiles are of single orders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import grpc.aio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from actors.client.screen import name_of
from protos import orders_pb2_grpc
from protos.orders_pb2 import PlaceOrderRequest, RestockRequest
from protos.sales_pb2 import Flow, OrderStatus
from runtime.adapters import AsyncioTasks, SystemClock, SystemIds
from runtime.ports import Clock

__all__ = ["LoadPlan", "Summary", "percentile", "run"]

_ATTEMPT_S = 20.0
_ATTEMPTS_MAX = 6
_PAUSE_S = 0.5
_AGAIN = (  # the same order again is the same order
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # too much waits at the node
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    orders: int
    concurrency: int
    sku: str
    quantity: int
    amount_cents: int
    flow: Flow.ValueType
    restock: bool


@dataclass(slots=True)
class Summary:
    """What came of a load. `took_s` is of all, `latencies_s` of each order that ended."""

    concurrency: int
    flow: str
    sku: str
    took_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    first_error: str = ""

    @property
    def orders_per_s(self) -> float:
        return len(self.latencies_s) / self.took_s if self.took_s > 0 else 0.0

    def plain(self) -> dict[str, object]:
        """For JSON: seconds and milliseconds rounded, end states by name."""
        return {
            "orders": len(self.latencies_s) + self.failed,
            "concurrency": self.concurrency,
            "flow": self.flow,
            "sku": self.sku,
            "took_s": round(self.took_s, 3),
            "orders_per_s": round(self.orders_per_s, 1),
            **{name: round(value, 2) for name, value in self._percentiles()},
            "ends": dict(sorted(self.ends.items())),
            "failed": self.failed,
            "first_error": self.first_error,
        }

    def table(self) -> Table:
        """For people."""
        table = Table(show_header=False, title=f"{len(self.latencies_s) + self.failed} orders, {self.flow}")
        table.add_row(
            "rate", f"{self.orders_per_s:,.0f} orders/s at {self.concurrency} open, {self.took_s:.2f} s in all"
        )
        table.add_row("time", ", ".join(f"{name.removesuffix('_ms')} {ms:.1f} ms" for name, ms in self._percentiles()))
        for status, count in sorted(self.ends.items()):
            table.add_row(status, f"{count:,}")
        if self.failed:
            table.add_row("[red]did not end[/]", f"{self.failed:,}")
        return table

    def _percentiles(self) -> list[tuple[str, float]]:
        ordered = sorted(self.latencies_s)
        return [(f"p{percent}_ms", percentile(ordered, percent) * 1000) for percent in (50, 90, 99)]


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile of ascending values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


async def run(stub: orders_pb2_grpc.OrderServiceAsyncStub, plan: LoadPlan, console: Console) -> Summary:
    """Restock, place, wait for all. An order that fails is counted; it does not end the load.

    Cancelled, it sums up what had ended by then.
    """
    if plan.restock:
        request_id = SystemIds().new_id().hex()
        quantity = plan.orders * plan.quantity
        await stub.Restock(RestockRequest(sku=plan.sku, quantity=quantity, request_id=request_id), timeout=_ATTEMPT_S)
    summary = Summary(plan.concurrency, Flow.Name(plan.flow).lower(), plan.sku)
    clock, tasks = SystemClock(), AsyncioTasks()
    with _progress(console) as progress:
        bar = progress.add_task("orders", total=plan.orders)
        work = _Work(stub, plan, summary, clock, progress, bar)
        began_s = clock.monotonic_s()
        workers = [tasks.start(work.run(), name=f"load {n}") for n in range(min(plan.concurrency, plan.orders))]
        try:
            for worker in workers:
                await worker
        except asyncio.CancelledError:
            pass  # by a signal: what came of it until then is worth telling
        finally:
            for worker in workers:
                worker.cancel()
        summary.took_s = clock.monotonic_s() - began_s
    return summary


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


class _Work:
    """What the workers share: requests still to make, and where results go."""

    def __init__(
        self,
        stub: orders_pb2_grpc.OrderServiceAsyncStub,
        plan: LoadPlan,
        summary: Summary,
        clock: Clock,
        progress: Progress,
        bar: TaskID,
    ) -> None:
        self._stub = stub
        self._requests = _requests(plan)
        self._summary = summary
        self._clock = clock
        self._progress = progress
        self._bar = bar

    async def run(self) -> None:
        for request in self._requests:  # shared: each worker takes the next one
            began_s = self._clock.monotonic_s()
            status = await self._place(request)
            if status:
                self._summary.latencies_s.append(self._clock.monotonic_s() - began_s)
                self._summary.ends[status] += 1
            else:
                self._summary.failed += 1
            self._progress.advance(self._bar)

    async def _place(self, request: PlaceOrderRequest) -> str:
        """How the order ended; empty if it did not, or nobody could say."""
        for attempt in range(_ATTEMPTS_MAX):
            if attempt:
                await self._clock.sleep(_PAUSE_S)
            try:
                return name_of(OrderStatus, (await self._stub.PlaceOrder(request, timeout=_ATTEMPT_S)).status)
            except grpc.aio.AioRpcError as error:
                text = f"{error.code().name}: {error.details()}"
                if error.code() not in _AGAIN:
                    break
        self._summary.first_error = self._summary.first_error or text
        return ""


def _requests(plan: LoadPlan) -> Iterator[PlaceOrderRequest]:
    prefix = SystemIds().new_id().hex()[:10]
    for number in range(plan.orders):
        yield PlaceOrderRequest(
            order_id=f"L-{prefix}-{number}",
            sku=plan.sku,
            quantity=plan.quantity,
            amount_cents=plan.amount_cents,
            flow=plan.flow,
            wait=True,
        )
