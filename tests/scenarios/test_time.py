"""E. Time: timers of one name, and timers that are dated in the past."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderCancelled, OrderPlaced, PlaceOrder
from runtime.durations import days, hours
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.wait import Wait
from tests.scenarios.conftest import OpenSagas
from tests.unit.durable.test_named_timers import AgendaService
from tests.unit.saga.shop import begin


class RestsAnHour(Saga[OrderProcessState], kind="rests"):
    started_by = on(OrderPlaced, begin)
    pause = Wait(hours(1))
    flow = pause


def begin_longer(event: OrderCancelled) -> BillState:
    return BillState(order_id=event.order_id)


class RestsADay(Saga[BillState], kind="rests-longer"):
    """Its timer has the name of the other saga's."""

    started_by = on(OrderCancelled, begin_longer)
    pause = Wait(days(1))
    flow = pause


@pytest.mark.broken_by("wait-without-its-timer")
async def test_s48_of_two_sagas_whose_timers_have_one_name_only_the_one_that_asked_is_called(
    open_sagas: OpenSagas,
) -> None:
    cluster = await open_sagas(RestsAnHour, RestsADay)
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.send(CancelOrder(order_id="ORD-1"), OrderCancelled)
    await cluster.advance(hours(2))
    assert await cluster.status("rests", "ORD-1") == "completed"
    assert await cluster.status("rests-longer", "ORD-1") == "running"
    await cluster.advance(days=1)
    assert await cluster.status("rests-longer", "ORD-1") == "completed"


@pytest.mark.broken_by("past-timer-refused")
async def test_s52_a_timer_dated_in_the_past_fires_at_once_and_after_the_turn_that_set_it(
    open_sagas: OpenSagas,
) -> None:
    cluster = await open_sagas(RestsAnHour, billing=AgendaService)
    await cluster.send(BillOrder(order_id="ORD-1"))
    await cluster.advance(1)
    assert (await cluster.state("billing", "ORD-1", BillState)).reason == "95 "
    handled, fired = (await cluster.conversation("billing", "ORD-1")).splitlines()
    assert "client -> billing/ORD-1" in handled and "handled" in handled
    assert "billing/ORD-1 -> billing/ORD-1" in fired and "fired" in fired
