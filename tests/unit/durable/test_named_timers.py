"""A timer is known by its name: what was asked last is what counts."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.service import Service, ServiceBehaviour
from runtime.protos import durable_pb2
from tests.unit.durable.local import LocalNode, in_virtual_time


class ClockService(Service[BillState], kind="billing"):
    """Sets its one timer to as many seconds as the amount has; negative: sets it far ahead first, in the same turn."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.amount_cents < 0:
            self.set_timer("ring", 1.0)
        self.set_timer("ring", abs(command.amount_cents))
        return OrderBilled(order_id=self.key)

    async def ring(self, fired: durable_pb2.TimerFired) -> None:
        assert fired.name == "ring"
        self.state.charges += 1


async def rings(local: LocalNode) -> int:
    return BillState.FromString((await local.row("billing", "ORD-1")).state).charges


@pytest.mark.parametrize(("first_s", "then_s"), [(20, 50), (50, 20), (500, 3), (3, 500), (2, -50)])
def test_s50_of_a_named_timer_that_is_asked_for_again_only_the_new_time_counts(first_s: int, then_s: int) -> None:
    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(ClockService)]).start()
        await local.send(BillOrder(order_id="ORD-1", amount_cents=first_s))
        await local.sleep(1.0)
        await local.send(BillOrder(order_id="ORD-1", amount_cents=then_s))
        asked_s = local.ports.clock.now_s()
        row = await local.row("billing", "ORD-1")
        assert row.due_at_s == pytest.approx(asked_s + abs(then_s), abs=0.1)
        assert [timer.name for timer in durable_pb2.Timers.FromString(row.timers).timers] == ["ring"]
        await local.sleep(abs(then_s) - 0.5)
        assert await rings(local) == 0
        await local.sleep(1.0)
        assert await rings(local) == 1
        await local.sleep(600)
        assert await rings(local) == 1, "the old time counts no more"
        await local.stop()

    in_virtual_time(scenario)
