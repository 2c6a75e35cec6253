"""A node tells the store which of its handlers have run for long, by name, and when there are none any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.sales_pb2 import OrderLine
from runtime.adapters import Watchdog, ignore, system_ports
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.observe.busy import BusyTeller
from runtime.ports import Running
from runtime.saga.pauses import Pauses
from runtime.store.memory import MemoryStore
from runtime.store.records import Busy, BusyHandler
from tests.unit.durable.ledger import bill
from tests.unit.durable.local import LocalNode, in_virtual_time

TIMEOUT_S = 50.0


class SlowTills(
    Service[BillState],
    kind="billing",
    retries=RetryPolicy(immediate=0, delays=()),
    handler_timeout=TIMEOUT_S,
):
    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.line.sku == "fails":
            await asyncio.sleep(20)
            raise ValueError("no")
        for _ in range(int(command.amount_cents)):
            await asyncio.sleep(10)
        return OrderBilled(order_id=command.order_id)


class WatchedLoop:
    """A local node with what its watchdog tells; looked for by the test, instead of by a thread."""

    def __init__(self) -> None:
        self.node = LocalNode([ServiceBehaviour(SlowTills)])
        clock = self.node.ports.clock
        teller = BusyTeller(self.node.store, clock, self.node.behaviours, "two", "7", Pauses(0, ignore))
        self._handling = self.node.ports.handling
        self._handling.tell = teller.tell
        self._watchdog = Watchdog(self._handling, ignore, blocked_s=4.0)
        self._sent: list[asyncio.Task[object]] = []

    async def start(self) -> WatchedLoop:
        await self.node.start()
        return self

    def send(self, key: str, tens_of_s: int, sku: str = "") -> None:
        command = BillOrder(order_id=key, amount_cents=tens_of_s, line=OrderLine(sku=sku))
        self._sent.append(asyncio.ensure_future(self.node.send(command)))

    async def told(self, after_s: float = 0.0) -> list[Busy]:
        await self.node.sleep(after_s)
        self._watchdog._look(self.node.ports.clock.monotonic_s())
        return await self.node.store.busy()

    async def keys(self, after_s: float = 0.0) -> list[str]:
        return [one.key for busy in await self.told(after_s) for one in busy.handlers]

    async def stop(self) -> None:
        await asyncio.gather(*self._sent)
        assert not self._handling.waiting, "whatever became of them"
        await self.node.stop()


def test_handlers_that_wait_for_long_are_told_by_name_until_they_have_ended() -> None:
    async def test() -> None:
        watched = await WatchedLoop().start()
        watched.send("ORD-1", 3)
        assert await watched.told(1.0) == []
        watched.send("ORD-2", 1)
        watched.send("ORD-3", 0)
        (busy,) = await watched.told(9.5)
        first, second = busy.handlers
        assert (first.handler, first.kind, first.key, first.type) == (
            "SlowTills.bill",
            "billing",
            "ORD-1",
            "shop.BillOrder",
        )
        assert (first.timeout_s, first.timer, first.blocks_loop) == (TIMEOUT_S, "", False)
        assert first.since_s < second.since_s <= busy.told_at_s - 9.0 and second.key == "ORD-2"
        (mail,) = await watched.node.mail("billing", "ORD-1")
        assert first.id == mail.id
        assert await watched.keys(8.0) == ["ORD-1"]
        assert await watched.keys(15.0) == []
        await watched.stop()

    in_virtual_time(test)


def test_handlers_that_fail_or_are_cancelled_are_told_no_more() -> None:
    async def test() -> None:
        watched = await WatchedLoop().start()
        watched.send("FAILS", 0, "fails")
        watched.send("LATE", 100)
        assert sorted(await watched.keys(15.0)) == ["FAILS", "LATE"]
        assert await watched.keys(15.0) == ["LATE"]
        assert await watched.keys(TIMEOUT_S) == []
        await watched.stop()

    in_virtual_time(test)


def test_what_runs_is_told_anew_before_it_no_longer_counts_and_no_oftener_than_that_takes() -> None:
    async def test() -> None:
        watched = await WatchedLoop().start()
        watched.send("ORD-1", 4)
        await watched.told(5.0)
        told = {busy.told_at_s: busy.until_s for _ in range(20) for busy in await watched.told(1.0)}
        assert 4 <= len(told) <= 6
        ends = list(told.values())
        assert all(later < until_s for later, until_s in zip(list(told)[1:], ends, strict=False))
        await watched.stop()

    in_virtual_time(test)


def test_a_handler_that_blocks_is_told_as_one_beside_those_that_wait_behind_it() -> None:
    async def test() -> None:
        watched = await WatchedLoop().start()
        watched.send("ORD-1", 3)
        await watched.told(1.0)
        handling, message = watched.node.ports.handling, replace(bill(1), key="ORD-2")
        handling.begin(message)  # as if the loop stood in it, from here on
        await watched.told()
        found = [await watched.told(1.0) for _ in range(8)]
        first, second = found[-1][0].handlers
        assert {(one.key, one.blocks_loop) for one in (first, second)} == {("ORD-1", False), ("ORD-2", True)}
        handling.end()
        assert await watched.keys(4.0) == ["ORD-1"]
        await watched.stop()

    in_virtual_time(test)


def told_of(change: Callable[[BusyHandler], object]) -> list[object]:
    """What is told of a message in each of the order system's kinds."""
    behaviours = catalogue().behaviours_of(("sales", "billing", "warehouse", "orchestration"))
    store, ports = MemoryStore(system_ports()), system_ports()
    teller = BusyTeller(store, ports.clock, behaviours, "two", "7", Pauses(0, ignore))
    order = bill(1)
    messages = [
        order,
        replace(order, type="shop.OrderPlaced", process="order-choreography"),
        replace(order, type="shop.OrderPlaced", process="another"),
        replace(order, kind="order-process", type="shop.OrderBilled"),
        replace(order, kind="order-process", type="amends.TimerFired", timer="bill_1"),
        replace(order, kind="gone"),
    ]
    teller.tell([Running(message, 5.0, 9.0) for message in messages], 3.0)
    (busy,) = asyncio.run(store.busy())
    assert busy.until_s - busy.told_at_s == 3.0
    return [change(one) for one in busy.handlers]


def test_a_handler_has_the_name_that_its_author_gave_it() -> None:
    names = told_of(lambda one: one.handler)
    assert names == ["Billing.bill", "Billing.bill", "Billing", "OrderProcess", "OrderProcess", "gone"]
    assert told_of(lambda one: one.timer) == ["", "", "", "", "bill_1", ""]
