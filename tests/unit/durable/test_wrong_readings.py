"""One reading of a wall clock that is a day off decides neither for that day nor for good."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.protos import durable_pb2
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.test_backlog import ORDER, Desk
from tests.unit.durable.till import Post, Till

DAY_S = 86_400.0
RING_S = 6.0
OFF = pytest.mark.parametrize("off_s", [-DAY_S, DAY_S], ids=["a day behind", "a day ahead"])


class OddClock(VirtualClock):
    """Is wrong at one reading, counted from when somebody watches."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.readings: int | None = None
        self._wrong_at, self._off_s = 0, 0.0

    def watch(self, wrong_at: int, off_s: float) -> None:
        self.readings, self._wrong_at, self._off_s = 0, wrong_at, off_s

    def now_s(self) -> float:
        if self.readings is None:
            return super().now_s()
        self.readings += 1
        return super().now_s() + (self._off_s if self.readings == self._wrong_at else 0.0)


def until_it_rings(wrong_at: int, off_s: float) -> tuple[float, int]:
    """After how many seconds a timer rings, and how often the clock was read between its setting and its ringing."""

    async def scenario() -> tuple[float, int]:
        clock = OddClock()
        rung: asyncio.Future[tuple[float, int]] = asyncio.get_running_loop().create_future()

        class Bell(Service[BillState], kind="billing"):
            async def bill(self, command: BillOrder) -> OrderBilled:
                clock.watch(wrong_at, off_s)
                self.set_timer("ring", RING_S)
                return OrderBilled(order_id=self.key)

            async def ring(self, fired: durable_pb2.TimerFired) -> None:
                rung.set_result((clock.monotonic_s() - began_s, clock.readings or 0))

        local = await LocalNode([ServiceBehaviour(Bell)], clock=clock).start()
        began_s = clock.monotonic_s()
        await local.send(BillOrder(order_id="ORD-1"))
        async with asyncio.timeout(DAY_S * 2):
            found = await rung
        await local.stop()
        return found

    return in_virtual_time(scenario)


@OFF
def test_a_timer_rings_in_time_whichever_reading_of_the_clock_is_wrong(off_s: float) -> None:
    _, readings = until_it_rings(0, 0.0)
    assert readings > 10
    late = {at: after_s for at in range(1, readings + 1) if abs((after_s := until_it_rings(at, off_s)[0]) - RING_S) > 3}
    assert late == {}


def until_it_runs_again(wrong_at: int, off_s: float) -> tuple[float, int]:
    """The same of a message that failed and is tried again after five seconds."""

    async def scenario() -> tuple[float, int]:
        clock = OddClock()
        ran: asyncio.Future[tuple[float, int]] = asyncio.get_running_loop().create_future()

        class Jammed(Till):
            async def handle(self, state: Message, delivery: Delivery) -> Decision:
                if not self.runs:
                    clock.watch(wrong_at, off_s)
                elif not ran.done():
                    ran.set_result((clock.monotonic_s() - began_s, clock.readings or 0))
                return await super().handle(state, delivery)

        local = await LocalNode([Jammed(broken={1})], clock=clock).start()
        began_s = clock.monotonic_s()
        post = Post(local)
        await post.send(post.bill(1))
        async with asyncio.timeout(DAY_S * 2):
            found = await ran
        await local.stop()
        return found

    return in_virtual_time(scenario)


@OFF
def test_a_message_that_failed_is_tried_again_within_a_minute_whichever_reading_is_wrong(off_s: float) -> None:
    _, readings = until_it_runs_again(0, 0.0)
    assert readings > 5
    found = {at: until_it_runs_again(at, off_s)[0] for at in range(1, readings + 1)}
    assert {at: after_s for at, after_s in found.items() if not 4 < after_s < 70} == {}


@OFF
def test_mail_that_waits_a_second_after_a_failure_of_the_store_waits_no_day(off_s: float) -> None:
    async def scenario() -> None:
        clock = OddClock()
        desk = Desk(clock)
        await desk.post.store(desk.post.bill(1))
        clock.watch(1, off_s)
        desk.backlog.put_off_for(ORDER, desk.post.shard, 1.0)
        clock.readings = None
        await desk.local.sleep(2.0)
        assert desk.delivered == [(1, 1)]

    in_virtual_time(scenario)
