"""Several that hear the same event, on real turns: each saga has an instance of its own, and none disturbs others."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import ORCHESTRATION, OrderLine, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import Restock, Restocked
from runtime.durable.behaviour import Behaviour, Decision, Delivery, Outgoing, RetryPolicy
from runtime.durable.caused import came_of
from runtime.durable.region.kind_actor import PauseKind, ResumeKind
from runtime.durable.residence.release import ActorNeedsHelp
from runtime.durations import seconds
from runtime.protos.saga_pb2 import CancelAccepted, CancelSaga, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.view import Phase, phase_of
from runtime.store.records import HistoryRow, Outcome, Subscription
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.saga.shop import begin, bill_order, mark_ready


class Copying(Saga[OrderProcessState], kind="copying"):
    """Bills an order too; the key of an instance is that of the order, as it is for the order process."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(900), no_undo="nothing of it has to be taken back")
    flow = bill


def restock(state: OrderProcessState) -> Restock:
    return Restock(sku=state.line.sku, quantity=state.line.quantity)


class Impatient(Saga[OrderProcessState], kind="impatient"):
    """Past its pivot it asks two steps, each once."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(900), pivot=True)
    left = Step(do=mark_ready, done=OrderReadyToShip, timeout=seconds(10), budget=Budget(asks_max=1))
    right = Step(do=restock, done=Restocked, timeout=seconds(20), budget=Budget(asks_max=1))
    flow = Flow((bill, left, right), ((bill, left), (bill, right)))


class ListeningSaga:
    """No saga: it hears of orders, and counts."""

    kind = "listener"
    process = ""
    state_type: type[Message] = BillState
    retries = RetryPolicy()
    subscriptions: tuple[Subscription, ...] = (Subscription("shop.OrderPlaced", "listener", "order_id"),)
    accepts = frozenset(("shop.OrderPlaced",))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(state, BillState)
        state.charges += 1
        return Decision()


class Announcer:
    """Says that an order is placed, each time it is told of a bill."""

    kind = "announcer"
    process = ""
    state_type: type[Message] = BillState
    retries = RetryPolicy()
    subscriptions: tuple[Subscription, ...] = ()
    accepts = frozenset(("shop.BillOrder",))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(delivery.message, BillOrder)
        line = OrderLine(sku="HAT", quantity=2)
        order_id, cents = delivery.message.order_id, delivery.message.amount_cents
        event = OrderPlaced(order_id=order_id, line=line, amount_cents=cents, flow=ORCHESTRATION)
        return Decision((Outgoing(event),))


async def shop(*more: Behaviour) -> LocalNode:
    node = await LocalNode([*catalogue().behaviours, Announcer(), *more]).start()
    await node.send(Restock(sku="HAT", quantity=10))
    return node


async def announce(node: LocalNode) -> list[HistoryRow]:
    """Have an order placed; what has become of all that this led to."""
    command = BillOrder(order_id="ORD-1", amount_cents=500)
    reply = await node.client.ask(command, timeout=10, kind="announcer", key="ORD-1")
    await node.sleep(1)
    return await node.store.conversation(reply.conversation)


async def pause(node: LocalNode, *kinds: str) -> None:
    for kind in kinds:
        await node.roots[kind].tell(PauseKind())
    await node.sleep(0.01)


async def record(node: LocalNode, kind: str) -> SagaRecord:
    return SagaRecord.FromString((await node.row(kind, "ORD-1")).state)


@pytest.mark.broken_by("events-cross-processes")
def test_s14_two_sagas_of_one_key_do_not_collide() -> None:
    async def scenario() -> None:
        node = await shop(SagaBehaviour(Copying))
        await pause(node, "warehouse", "billing")
        await announce(node)
        one, other = await record(node, "order-process"), await record(node, "copying")
        assert (one.definition, other.definition) == ("order-process", "copying")
        assert one.tasks[0].address == other.tasks[0].address == "billing/ORD-1"
        assert one.tasks[0].do.command_id != other.tasks[0].do.command_id
        await node.roots["billing"].tell(ResumeKind())
        await node.sleep(1)
        assert (await record(node, "copying")).status == SagaRecord.COMPLETED
        one = await record(node, "order-process")
        assert [phase_of(task) for task in one.tasks[:2]] == [Phase.DONE, Phase.ASKED]
        cancelled = await node.send(CancelSaga(reason="too late"), kind="order-process", key="ORD-1")
        assert isinstance(cancelled, CancelAccepted)
        await node.roots["warehouse"].tell(ResumeKind())
        await node.sleep(5)
        one = await record(node, "order-process")
        assert [phase_of(task) for task in one.tasks[:2]] == [Phase.UNDONE, Phase.UNDONE]
        other = await record(node, "copying")
        assert (other.status, other.reason) == (SagaRecord.COMPLETED, "")
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("second-start-starts-anew")
def test_s22_after_its_end_a_saga_does_not_run_and_others_hear_the_message_all_the_same() -> None:
    async def scenario() -> None:
        node = await shop(SagaBehaviour(Copying), ListeningSaga())
        await announce(node)
        ended = await record(node, "copying")
        assert ended.status == SagaRecord.COMPLETED
        history = await announce(node)
        assert await record(node, "copying") == ended
        placed = [row for row in history if row.type == "shop.OrderPlaced"]
        outcomes = {row.kind: (row.outcome, row.error, _sent(row)) for row in placed}
        again = "shop.OrderPlaced has started this instance before; it is completed"
        assert outcomes["copying"] == (Outcome.IGNORED, again, [])
        assert outcomes["listener"] == (Outcome.HANDLED, "", [])
        assert BillState.FromString((await node.row("listener", "ORD-1")).state).charges == 2
        assert not [row for row in history if row.kind == "billing"], "nothing was asked for again"
        await node.stop()

    in_virtual_time(scenario)


def test_s72_each_step_that_gets_stuck_past_the_pivot_is_reported_after_its_commit() -> None:
    async def scenario() -> None:
        node = await shop(SagaBehaviour(Impatient))
        await pause(node, "warehouse", "sales")
        await announce(node)
        assert node.facts_of(ActorNeedsHelp) == []
        await node.sleep(13)
        first = (await record(node, "impatient")).stuck_reason
        assert "step left: no answer within 10 s" in first
        conversation = (await node.row("impatient", "ORD-1")).conversation.hex()
        assert node.facts_of(ActorNeedsHelp) == [ActorNeedsHelp("impatient/ORD-1", first, conversation, "")]
        await node.sleep(12)
        second = (await record(node, "impatient")).stuck_reason
        assert "step right: no answer within 20 s" in second
        assert node.facts_of(ActorNeedsHelp)[1:] == [ActorNeedsHelp("impatient/ORD-1", second, conversation, "")]
        await node.stop()

    in_virtual_time(scenario)


def _sent(row: HistoryRow) -> list[str]:
    return [one.type for one in came_of(row).caused]
