"""A timer is known by its name: what was asked last is what counts."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.standing_timers import message_of
from runtime.errors import InvalidMessage
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


class AgendaService(Service[BillState], kind="billing"):
    """Sets timers with messages at 0, moves one and cancels another at 1; notes what stands, and what has come."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        match command.amount_cents:
            case 0:
                for name, delay_s in (("late", 40), ("soon", 10), ("past", -5), ("dropped", 20)):
                    self.set_timer(name, delay_s, BillOrder(order_id=self.key, amount_cents=100 + delay_s))
            case 1:
                self.move_timer("late", 5)
                self.cancel_timer("dropped")
            case amount:
                self.state.reason += f"{amount} "
        self.state.order_id = ", ".join(f"{name} {at_s - self.now_s:.0f}" for name, at_s in self.timers.items())
        return OrderBilled(order_id=self.key)

    async def ring(self, fired: durable_pb2.TimerFired) -> None:
        self.state.reason += f"{fired.name} "


async def agenda(local: LocalNode) -> BillState:
    return BillState.FromString((await local.row("billing", "ORD-1")).state)


@pytest.mark.broken_by("timer-set-by-reruns")
def test_s47_s50_s52_timers_are_listed_moved_with_their_message_and_cancelled_in_the_commit_of_a_handler() -> None:
    async def scenario() -> None:
        local = await LocalNode([ServiceBehaviour(AgendaService)]).start()
        await local.send(BillOrder(order_id="ORD-1"))
        assert (await agenda(local)).order_id == "past 0, soon 10, dropped 20, late 40"
        await local.sleep(1)
        assert (await agenda(local)).reason == "95 ", "one that is dated in the past comes as soon as it can"
        await local.send(BillOrder(order_id="ORD-1", amount_cents=1))
        assert (await agenda(local)).order_id == "late 5, soon 9", "what has fired or was cancelled is set no more"
        await local.sleep(100)
        assert (await agenda(local)).reason == "95 140 110 "
        row = await local.row("billing", "ORD-1")
        assert (row.timers, row.due_at_s) == (b"", None)
        await local.stop()

    in_virtual_time(scenario)


async def test_a_handler_by_itself_is_told_which_timers_there_are() -> None:
    service = AgendaService.of(now_s=100.0, timers={"late": 140.0, "dropped": 120.0})
    await service.bill(BillOrder(amount_cents=1))
    assert service.timers == {"late": 105.0}
    assert service.timer_changes == (SetTimer("late", 105.0), CancelTimer("dropped"))


async def test_a_timer_that_there_is_not_cannot_be_moved() -> None:
    with pytest.raises(InvalidMessage, match="billing has no timer 'late' that could be moved; there are: soon"):
        await AgendaService.of(timers={"soon": 5.0}).bill(BillOrder(amount_cents=1))


def test_a_timer_whose_message_no_handler_takes_any_more_cannot_be_moved() -> None:
    timer = durable_pb2.Timer(name="late", due_at_s=9.0, type="shop.Gone")
    with pytest.raises(InvalidMessage, match=r"the timer 'late' brings shop\.Gone, and billing has no handler"):
        message_of("late", {"late": timer}, (), AgendaService.handlers, "billing")
