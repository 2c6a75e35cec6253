"""Operators move and cancel timers of services: by a message to the actor's mailbox, and with a record of it."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.operate.repairs import Posted, Result, look_ahead, post, result_of
from runtime.operate.timers import TimersWanted, timers
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.records import Outcome
from tests.unit.durable.local import LocalNode, in_virtual_time

ADDRESS = ("billing", "ORD-1")


class AlarmService(Service[BillState], kind="billing"):
    """Sets a timer with a message of its own, far ahead, and one without."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.amount_cents:
            self.state.reason += f"{command.amount_cents} "
        else:
            self.set_timer("remind", 1000, BillOrder(order_id=self.key, amount_cents=7))
            self.set_timer("ring", 2000)
        return OrderBilled(order_id=self.key)

    async def ring(self, fired: durable_pb2.TimerFired) -> None:
        self.state.reason += f"{fired.name} "


def act_of(act: RepairSaga.Act.ValueType, timer: str, **more: object) -> RepairSaga:
    return RepairSaga(act=act, timer=timer, who="ann", reason="it is urgent", **more)  # type: ignore[arg-type]


async def begun() -> LocalNode:
    local = await LocalNode([ServiceBehaviour(AlarmService)]).start()
    await local.send(BillOrder(order_id="ORD-1", amount_cents=0))
    return local


async def done(local: LocalNode, act: RepairSaga) -> tuple[Posted, Result]:
    posted = await post(local.store, ADDRESS, act, local.ports.clock.now_s())
    await local.sleep(10.0)
    result = await result_of(local.store, posted)
    assert result is not None, "its turn has come"
    return posted, result


async def said(local: LocalNode) -> str:
    return BillState.FromString((await local.row(*ADDRESS)).state).reason


async def names(local: LocalNode) -> list[str]:
    return [one.name for one, _ in (await timers(local.store, TimersWanted(), limit=9)).entries]


def test_a_timer_that_is_moved_to_now_brings_its_message_at_once_and_only_once() -> None:
    async def scenario() -> None:
        local = await begun()
        posted, result = await done(local, act_of(RepairSaga.MOVE_TIMER, "remind", in_s=0.0))
        assert result == Result("", "fires timer remind now, by ann: it is urgent")
        assert (await said(local), await names(local)) == ("7 ", ["ring"])
        (row,) = await local.store.handled([(posted.conversation, posted.id)])
        assert row is not None and (row.outcome, row.sender) == (Outcome.HANDLED, "operator/ann")
        await local.sleep(1500)
        assert await said(local) == "7 ", "its old time counts no more"
        await local.stop()

    in_virtual_time(scenario)


def test_a_timer_that_is_moved_fires_in_the_conversation_that_set_it() -> None:
    async def scenario() -> None:
        local = await begun()
        posted, _ = await done(local, act_of(RepairSaga.MOVE_TIMER, "ring", in_s=50.0))
        await local.sleep(50.0)
        assert await said(local) == "ring "
        told = [row.type for row in await local.store.conversation(posted.conversation)]
        assert told == ["shop.BillOrder", "amends.RepairSaga", "amends.TimerFired"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_timer_that_is_cancelled_never_fires() -> None:
    async def scenario() -> None:
        local = await begun()
        _, result = await done(local, act_of(RepairSaga.CANCEL_TIMER, "remind"))
        assert result.text == "cancels timer remind, by ann: it is urgent"
        assert await names(local) == ["ring"]
        await local.sleep(3000)
        assert await said(local) == "ring "
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (act_of(RepairSaga.MOVE_TIMER, "lost", in_s=1.0), "it waits for no timer 'lost'; there are remind, ring"),
        (act_of(RepairSaga.MOVE_TIMER, "ring"), "say when it fires"),
        (act_of(RepairSaga.MOVE_TIMER, "ring", due_at_s=1e18), "is no instant at which a timer could fire"),
        (act_of(RepairSaga.MOVE_TIMER, "ring", in_s=1.0, task="bill"), "name that, and no task"),
        (act_of(RepairSaga.CANCEL_TIMER, "ring", expected_revision=7), "it is at revision 1, and no longer at 7"),
    ],
)
def test_an_act_that_cannot_be_done_is_refused_in_the_preview_and_in_the_turn(act: RepairSaga, refusal: str) -> None:
    async def scenario() -> None:
        local = await begun()
        seen = await look_ahead(local.store, ADDRESS, act, (), local.ports.clock.now_s())
        _, result = await done(local, act)
        assert refusal in seen.refusal and result.refusal == seen.refusal
        assert await names(local) == ["remind", "ring"]
        await local.stop()

    in_virtual_time(scenario)


def test_an_act_expects_the_revision_that_its_preview_names() -> None:
    async def scenario() -> None:
        local = await begun()
        act = act_of(RepairSaga.MOVE_TIMER, "ring", in_s=600.0)
        seen = await look_ahead(local.store, ADDRESS, act, (), local.ports.clock.now_s())
        assert (seen.refusal, [name for name, _ in seen.timers]) == ("", ["ring"])
        act.expected_revision = seen.revision
        assert (await done(local, act))[1].refusal == ""
        assert (await done(local, act))[1].refusal.startswith("it is at revision 2, and no longer at 1")
        await local.stop()

    in_virtual_time(scenario)
