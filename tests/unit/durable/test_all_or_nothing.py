"""What one turn does is seen whole after its commit and nowhere before; what is in memory is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

import pytest

from actors.sales import Sales
from protos.billing_pb2 import BillOrder, OrderBilled
from protos.orders_pb2 import Order, OrderProcessState
from protos.sales_pb2 import OrderLine, OrderPlaced, PlaceOrder
from runtime.adapters import system_ports
from runtime.durable.behaviour import Behaviour, RetryPolicy
from runtime.durable.caused import came_of
from runtime.durable.kind import Limits
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durations import seconds
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.store.groups import Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.saga.shop import ShopProcess


class HeldStore(MemoryStore):
    """Holds the commits of one kind's turns until it is let go."""

    def __init__(self, kind: str) -> None:
        super().__init__(system_ports())
        self.holds = kind
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if any(one.actor is not None and one.actor.kind == self.holds for one in transitions_of(batch)):
            self.held.set()
            await self.let_go.wait()
        return await super().commit(batch)


def begin_other(event: OrderPlaced) -> Order:
    return Order(order_id=event.order_id)


def bill_other(state: Order) -> BillOrder:
    return BillOrder(order_id=state.order_id)


class Other(Saga[Order], kind="other"):
    """Is started by the event that starts the order process."""

    started_by = on(OrderPlaced, begin_other)
    bill = Step(do=bill_other, done=OrderBilled, timeout=seconds(30), no_undo="nothing of it has to be taken back")
    flow = bill


class Keeping(Service[OrderProcessState], kind="billing", retries=RetryPolicy(immediate=0, delays=())):
    """Keeps what no handler should: its state, beyond its run."""

    kept: ClassVar[list[OrderProcessState]] = []

    async def bill(self, command: BillOrder) -> OrderBilled:
        self.kept.append(self.state)
        self.state.line.MergeFrom(command.line)
        self.state.amount_cents += command.amount_cents
        if command.amount_cents < 0:
            self.state.charge_id = "none"
            raise ValueError("no such amount")
        return OrderBilled(order_id=self.key, line=self.state.line)


async def stored(node: LocalNode) -> OrderProcessState:
    return OrderProcessState.FromString((await node.row("billing", "ORD-1")).state)


def order(cents: int, sku: str = "") -> BillOrder:
    return BillOrder(order_id="ORD-1", amount_cents=cents, line=OrderLine(sku=sku))


@pytest.mark.parametrize("chained", [0, 256])
@pytest.mark.broken_by("send-before-commit")
def test_s32_before_the_commit_nothing_of_a_turn_is_seen_and_then_two_sagas_the_mail_and_the_answer(
    chained: int,
) -> None:
    async def scenario() -> None:
        store = HeldStore("sales")
        behaviours: list[Behaviour] = [ServiceBehaviour(Sales), SagaBehaviour(ShopProcess), SagaBehaviour(Other)]
        node = await LocalNode(behaviours, store, Limits(chain_messages_max=chained)).start()
        place = node.send(PlaceOrder(order_id="ORD-1", line=OrderLine(sku="HAT", quantity=2), amount_cents=500))
        answer = node.ports.tasks.start(place, name="client")
        await store.held.wait()
        await node.sleep(5)
        assert await store.actors_with_key("ORD-1") == []
        waiting = [row for kind in ("order-process", "other") for row in await node.mail(kind, "ORD-1")]
        assert (waiting, answer.done()) == ([], False)
        assert len(await node.mail("sales", "ORD-1")) == (0 if chained else 1), "in a chain the command is no mail"
        assert store.conversations == frozenset()
        store.let_go.set()
        await answer
        [told] = [row for row in await store.actors_with_key("ORD-1") if row.kind == "sales"]
        [handled] = [row for row in await store.conversation(told.conversation) if row.kind == "sales"]
        caused = came_of(handled).caused
        assert {one.address for one in caused} == {"order-process/ORD-1", "other/ORD-1"}
        await node.sleep(1)
        assert [row.kind for row in await store.actors_with_key("ORD-1")] == ["order-process", "other", "sales"]
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("failed-handler-keeps-state")
def test_s33_what_a_failed_run_did_to_the_depths_of_a_state_is_gone() -> None:
    async def scenario() -> None:
        node = await LocalNode([ServiceBehaviour(Keeping)]).start()
        await node.send(order(5, "HAT"))
        assert await node.send(order(-1, "SHOE")) is None
        await node.send(order(2))
        assert await stored(node) == OrderProcessState(line=OrderLine(sku="HAT"), amount_cents=7)
        await node.stop()

    in_virtual_time(scenario)


def test_s33_an_actor_that_is_loaded_again_shares_nothing_with_what_was_loaded_before() -> None:
    async def scenario() -> None:
        Keeping.kept.clear()
        node = await LocalNode([ServiceBehaviour(Keeping)]).start()
        await node.send(order(5, "HAT"))
        await node.sleep(60)
        assert len(node.shards.sweepers["billing"].residents) == 0, "it has left memory"
        Keeping.kept[0].line.sku = "SHOE"
        Keeping.kept[0].amount_cents = 1_000
        await node.send(order(2))
        assert Keeping.kept[-1] is not Keeping.kept[0]
        assert await stored(node) == OrderProcessState(line=OrderLine(sku="HAT"), amount_cents=7)
        await node.stop()

    in_virtual_time(scenario)


def test_s33_what_was_sent_stays_as_it_was_when_the_state_it_is_a_part_of_changes() -> None:
    async def scenario() -> None:
        node = await LocalNode([ServiceBehaviour(Keeping)]).start()
        sent = await asyncio.gather(*(node.send(order(1, sku)) for sku in ("HAT", "SHOE")))
        assert [one.line.sku for one in sent if isinstance(one, OrderBilled)] == ["HAT", "SHOE"]
        await node.stop()

    in_virtual_time(scenario)
