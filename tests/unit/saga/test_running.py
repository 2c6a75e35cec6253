"""Sagas on the real turns, guard, timers and a store, beside the services of the order process, in virtual time."""

from __future__ import annotations

import pytest

from actors.catalogue import catalogue
from protos.billing_pb2 import BILLED, BillState
from protos.sales_pb2 import CANCELLED, PENDING, READY_TO_SHIP, Flow, OrderLine, OrderState, PlaceOrder
from protos.warehouse_pb2 import Restock, StockState
from runtime.durable.kind import Limits
from runtime.durable.region.kind_actor import PauseKind, ResumeKind
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, CancelSaga, SagaRecord
from runtime.saga.view import task_name
from runtime.store.records import HistoryRow, Outcome
from tests.unit.durable.local import LocalNode, in_virtual_time


async def shop(*, on_hand: int = 10, chained: int = 256) -> LocalNode:
    node = await LocalNode(catalogue().behaviours, limits=Limits(chain_messages_max=chained)).start()
    if on_hand:
        await node.send(Restock(sku="HAT", quantity=on_hand))
    return node


async def place(node: LocalNode, key: str = "ORD-1", *, cents: int = 500) -> None:
    line = OrderLine(sku="HAT", quantity=2)
    await node.send(PlaceOrder(order_id=key, line=line, amount_cents=cents, flow=Flow.ORCHESTRATION))


async def pause(node: LocalNode, kind: str) -> None:
    await node.roots[kind].tell(PauseKind())
    await node.sleep(0.01)


async def resume(node: LocalNode, kind: str) -> None:
    await node.roots[kind].tell(ResumeKind())


async def record(node: LocalNode, key: str = "ORD-1") -> SagaRecord:
    return SagaRecord.FromString((await node.row("order-process", key)).state)


async def order(node: LocalNode, key: str = "ORD-1") -> OrderState:
    return OrderState.FromString((await node.row("sales", key)).state)


async def bill(node: LocalNode, key: str = "ORD-1") -> BillState:
    return BillState.FromString((await node.row("billing", key)).state)


async def stock(node: LocalNode) -> StockState:
    return StockState.FromString((await node.row("warehouse", "HAT")).state)


async def history(node: LocalNode, key: str = "ORD-1") -> list[HistoryRow]:
    return await node.store.conversation((await node.row("order-process", key)).conversation)


def statuses(saga: SagaRecord) -> dict[str, str]:
    return {task.path: task_name(task).upper() for task in saga.tasks}


def test_s91_an_order_goes_all_the_way_on_real_turns() -> None:
    async def scenario() -> None:
        node = await shop()
        await place(node)
        await node.sleep(1)
        saga = await record(node)
        assert saga.status == SagaRecord.COMPLETED
        assert (await order(node)).status == READY_TO_SHIP
        assert ((await bill(node)).charges, (await stock(node)).labels) == (1, 1)
        row = await node.row("order-process", "ORD-1")
        assert (row.due_at_s, row.revision) == (None, 1), "no timer is left, and one turn was enough"
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("undo-not-run")
def test_s92_a_back_order_is_refunded_once_and_cancelled_on_real_turns() -> None:
    async def scenario() -> None:
        node = await shop(on_hand=1)
        await place(node)
        await node.sleep(1)
        assert (await record(node)).status == SagaRecord.COMPENSATED
        assert (await order(node)).status == CANCELLED
        assert ((await bill(node)).refunds, (await stock(node)).labels) == (1, 0)
        await node.stop()

    in_virtual_time(scenario)


def test_s89_a_saga_that_starts_in_the_turn_of_a_cancellation_too_early_undoes_what_it_has_done() -> None:
    async def scenario() -> None:
        node = await shop(on_hand=1)
        await pause(node, "order-process")
        cancel = node.send(CancelSaga(reason="too early"), kind="order-process", key="ORD-1")
        refused = node.ports.tasks.start(cancel, name="cancel")
        await node.sleep(0.1)
        await place(node)
        await resume(node, "order-process")
        await node.sleep(5)
        assert isinstance(await refused, CancelRefused)
        assert (await node.row("order-process", "ORD-1")).revision == 2, (
            "both came in one turn, before that of the undo"
        )
        assert (await record(node)).status == SagaRecord.COMPENSATED
        charged = await bill(node)
        assert (charged.charges, charged.refunds) == (1, 1)
        await node.stop()

    in_virtual_time(scenario)


def test_s67_a_bill_that_is_taken_up_after_its_undo_was_sent_leaves_nothing_charged() -> None:
    async def scenario() -> None:
        node = await shop()
        await pause(node, "billing")
        await place(node)
        await node.sleep(40)
        saga = await record(node)
        assert saga.status == SagaRecord.COMPENSATING
        assert statuses(saga)["bill"] == "UNDOING"
        await resume(node, "billing")
        await node.sleep(5)
        saga = await record(node)
        assert saga.status == SagaRecord.COMPENSATED
        charged = await bill(node)
        assert (charged.charges, charged.refunds) == (1, 1), "both waited, and ran in the order they were sent"
        (late,) = [row for row in await history(node) if row.type == "shop.OrderBilled"]
        assert (late.outcome, late.error) == (Outcome.IGNORED, "OrderBilled came late: step bill is undoing")
        assert await node.mail("billing", "ORD-1") == []
        await node.stop()

    in_virtual_time(scenario)


def test_s64_a_silent_warehouse_has_the_label_undone_and_then_the_bill() -> None:
    async def scenario() -> None:
        node = await shop()
        await pause(node, "warehouse")
        await place(node)
        await node.sleep(301)
        saga = await record(node)
        assert (statuses(saga)["ship"], statuses(saga)["bill"]) == ("UNDOING", "OWED")
        assert (await bill(node)).status == BILLED, "not refunded before the label's undo is confirmed"
        await resume(node, "warehouse")
        await node.sleep(5)
        saga = await record(node)
        assert (saga.status, statuses(saga)["ship"]) == (SagaRecord.COMPENSATED, "UNDONE")
        assert ((await bill(node)).refunds, (await stock(node)).on_hand) == (1, 10)
        await node.stop()

    in_virtual_time(scenario)


def test_s89_a_cancellation_before_the_pivot_is_accepted_and_undoes_what_was_done() -> None:
    async def scenario() -> None:
        node = await shop()
        await pause(node, "warehouse")
        await place(node)
        await node.sleep(1)
        answer = await node.send(CancelSaga(reason="changed my mind"), kind="order-process", key="ORD-1")
        assert answer == CancelAccepted(reason="cancelled: changed my mind")
        assert (await order(node)).status == PENDING, "not cancelled before all is undone"
        await resume(node, "warehouse")
        await node.sleep(5)
        assert (await record(node)).status == SagaRecord.COMPENSATED
        assert ((await order(node)).status, (await bill(node)).refunds) == (CANCELLED, 1)
        assert (await stock(node)).on_hand == 10
        await node.stop()

    in_virtual_time(scenario)


def test_s89_a_cancellation_of_what_is_over_is_refused_with_the_reason() -> None:
    async def scenario() -> None:
        node = await shop()
        await place(node)
        await node.sleep(1)
        answer = await node.send(CancelSaga(reason="late"), kind="order-process", key="ORD-1")
        assert answer == CancelRefused(reason="it has completed")
        unknown = await node.send(CancelSaga(), kind="order-process", key="ORD-9")
        assert unknown == CancelRefused(reason="there is no such process")
        await place(node, "ORD-9")
        await node.sleep(1)
        assert (await record(node, "ORD-9")).status == SagaRecord.COMPLETED, "it starts nonetheless"
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("chained", [0, 256])
@pytest.mark.broken_by("end-of-a-saga-takes-its-messages")
def test_s24_the_last_commands_of_a_saga_leave_although_it_ends_and_leaves_memory(chained: int) -> None:
    async def scenario() -> None:
        node = await shop(chained=chained)
        await place(node, cents=2_000_000)
        await node.sleep(1)
        saga = await record(node)
        assert (saga.status, saga.reason) == (SagaRecord.COMPENSATED, "bill: PaymentDeclined")
        assert (await order(node)).status == CANCELLED
        await node.stop()

    in_virtual_time(scenario)


def test_s87_every_message_of_the_process_is_in_the_history_of_one_conversation() -> None:
    async def scenario() -> None:
        node = await shop()
        await place(node)
        await node.sleep(1)
        types = sorted(row.type.partition(".")[2] for row in await history(node))
        assert types == [
            "BillOrder",
            "CreateShippingLabel",
            "MarkReadyToShip",
            "OrderBilled",
            "OrderPlaced",
            "OrderReadyToShip",
            "PlaceOrder",
            "ShippingLabelCreated",
        ]
        await node.stop()

    in_virtual_time(scenario)
