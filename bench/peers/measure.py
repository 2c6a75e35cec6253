"""The same for every system: orders 64 at a time, one at a time, one that is refused, and a kill in mid-flight.

Every order must get ready, and the books of all services must agree with that: otherwise there are no figures.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from bench.peers.customer_process import CustomerProcess
from bench.peers.system import DurableSystem
from bench.shop import machine, percentile

__all__ = ["PeerFigures", "PeerPlan", "WrongBooks", "measure"]

_LOOK_S = 0.1
_RESUME_S = 180.0


class WrongBooks(AssertionError):
    """The services of a system do not agree with what its customer was told."""


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """How many orders are placed. None is begun once `seconds_max` have passed since the first of its kind."""

    orders: int
    concurrency: int
    singles: int  # placed one at a time
    killed: int  # submitted, and the system is killed when a third of them is accepted; 0: it is not killed
    skus: int
    seconds_max: float

    @property
    def sku_names(self) -> list[str]:
        return [f"sku-{number}" for number in range(self.skus)]


@dataclass(frozen=True, slots=True)
class PeerFigures:
    """What one run came to."""

    system: str
    versions: dict[str, str]
    orders: int  # placed at a time, after a warm-up
    sagas_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_s_per_order: float  # user and system, of all processes with the servers and the customer
    single_p50_ms: float  # one at a time, and what follows
    single_p99_ms: float
    single_cpu_s_per_order: float
    refused_is_refunded: bool  # or there are no figures
    killed_under_way: int  # processes of orders that the kill broke off; 0, as what follows, if none was asked for
    killed_accepted: int  # orders that were accepted before; all of them got ready
    restarted_s: float  # that workers and the customer took to start again
    resumed_s: float  # from then on until those orders were ready
    machine: dict[str, object]


async def measure(system: DurableSystem, plan: PeerPlan) -> PeerFigures:
    """Run it once, on fresh data. Raises WrongBooks, ProcessFailed."""
    before = machine()
    async with system:
        customer = _customer(system)
        units = plan.orders * 2 + plan.singles + plan.killed + plan.concurrency
        for sku in plan.sku_names:
            await customer.ask("restock", sku=sku, units=units)
        warm_up = max(plan.concurrency, plan.orders // 5)
        placed = len((await _load(customer, plan, "warm", warm_up, plan.concurrency))[0]["took_s"])
        at_a_time, cpu_s = await _load(customer, plan, "many", plan.orders, plan.concurrency)
        one, one_cpu_s = await _load(customer, plan, "single", plan.singles, 1)
        placed += len(at_a_time["took_s"]) + len(one["took_s"])
        await _check_refusal(customer, plan, units)
        await _check_stock(customer, plan, units, placed)
        killed = await _kill(system, plan, units, placed) if plan.killed else (0, 0, 0.0, 0.0)
    many_s, one_s = at_a_time["took_s"], one["took_s"]
    return PeerFigures(
        system=system.name,
        versions=system.versions,
        orders=len(many_s),
        sagas_per_s=round(len(many_s) / at_a_time["elapsed_s"], 1),
        p50_ms=round(percentile(many_s, 0.50) * 1000, 2),
        p99_ms=round(percentile(many_s, 0.99) * 1000, 2),
        cpu_s_per_order=round(cpu_s / len(many_s), 6),
        single_p50_ms=round(percentile(one_s, 0.50) * 1000, 2),
        single_p99_ms=round(percentile(one_s, 0.99) * 1000, 2),
        single_cpu_s_per_order=round(one_cpu_s / len(one_s), 6),
        refused_is_refunded=True,
        killed_under_way=killed[0],
        killed_accepted=killed[1],
        restarted_s=round(killed[2], 2),
        resumed_s=round(killed[3], 2),
        machine=before,
    )


async def _load(
    customer: CustomerProcess, plan: PeerPlan, prefix: str, count: int, concurrency: int
) -> tuple[dict[str, Any], float]:
    """The customer's answer, and seconds of CPU that all processes spent meanwhile."""
    spent_s = family_cpu_s()
    answer = await customer.ask(
        "load",
        timeout_s=plan.seconds_max + 240.0,
        prefix=prefix,
        count=count,
        concurrency=concurrency,
        skus=plan.sku_names,
        seconds_max=plan.seconds_max,
    )
    return answer, family_cpu_s() - spent_s


async def _check_refusal(customer: CustomerProcess, plan: PeerPlan, units: int) -> None:
    """An order of more than there is: its bill is refunded once, the order is cancelled."""
    answer = await customer.ask("place", order_id="refused-0", sku=plan.sku_names[0], quantity=units * 2)
    status = answer["status"]
    (books,) = (await customer.ask("orders", order_ids=["refused-0"]))["orders"]
    if status != "cancelled" or books != {"status": "cancelled", "charges": 1, "refunds": 1}:
        raise WrongBooks(f"the warehouse refused an order; its customer heard {status!r}, and the books say {books}")


async def _check_stock(customer: CustomerProcess, plan: PeerPlan, units: int, ready: int) -> None:
    """As many units are gone as orders got ready: each took one."""
    stocks = [await customer.ask("stock", sku=sku) for sku in plan.sku_names]
    restocked, on_hand = (sum(one[name] for one in stocks) for name in ("restocked", "on_hand"))
    if restocked != units * plan.skus or restocked - on_hand != ready:
        raise WrongBooks(f"{ready} orders got ready; of {restocked} units in stock {on_hand} are on hand")


async def _kill(system: DurableSystem, plan: PeerPlan, units: int, placed: int) -> tuple[int, int, float, float]:
    """Kill everything while orders are submitted, and start it again. Every accepted order must get ready.

    Gives how many were under way, how many had been accepted, and the seconds until all had started and then until
    all were ready.
    """
    accepted = await _customer(system).submit(
        until=max(plan.killed // 3, 1),
        prefix="killed",
        count=plan.killed,
        concurrency=plan.concurrency,
        skus=plan.sku_names,
    )
    accepted += await system.kill()
    await system.serve()
    under_way = await system.under_way()
    began_s = time.monotonic()
    await system.start_work()
    restarted_s = time.monotonic() - began_s
    customer = _customer(system)
    order_ids = [f"killed-{number:06}" for number in range(plan.killed)]
    books = await _ended(customer, order_ids, set(accepted), began_s)
    resumed_s = time.monotonic() - began_s - restarted_s
    ready = [one for one in books if one == {"status": "ready", "charges": 1, "refunds": 0}]
    unknown = [one for one in books if one == {"status": "", "charges": 0, "refunds": 0}]
    if len(ready) + len(unknown) != plan.killed or len(unknown) > plan.killed - len(accepted):
        raise WrongBooks(f"after a kill {len(ready)} orders are ready and billed once, {len(accepted)} were accepted")
    await _check_stock(customer, plan, units, placed + len(ready))
    return under_way, len(accepted), restarted_s, resumed_s


async def _ended(
    customer: CustomerProcess, order_ids: Sequence[str], accepted: set[str], began_s: float
) -> list[dict[str, Any]]:
    """The books of these orders once all that are accepted, and all others that exist, are ready."""
    while True:
        books: list[dict[str, Any]] = (await customer.ask("orders", order_ids=order_ids))["orders"]
        open_ = [id for id, one in zip(order_ids, books, strict=True) if not _is_settled(one, id in accepted)]
        if not open_:
            return books
        if time.monotonic() - began_s > _RESUME_S:
            raise WrongBooks(f"{len(open_)} orders are not ready {_RESUME_S:g} s after a kill, such as {open_[0]}")
        await asyncio.sleep(_LOOK_S)


def _is_settled(books: dict[str, Any], is_accepted: bool) -> bool:
    return bool(books["status"] in ("ready", "cancelled") or (not books["status"] and not is_accepted))


def _customer(system: DurableSystem) -> CustomerProcess:
    assert system.customer is not None, "a system without a customer"
    return system.customer


def family_cpu_s() -> float:
    """User and system time so far of all that descends from this process, those included that have ended.

    The runner's own time is left out: it waits.
    """
    here = psutil.Process()
    spent_s = 0.0
    for process in here.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent_s += times.user + times.system + times.children_user + times.children_system
    return spent_s
