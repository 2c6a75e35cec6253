"""A dead letter is not replayed once the saga that sent it has gone on without it, unless an operator insists."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, RefundOrder
from protos.sales_pb2 import OrderLine, OrderPlaced
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated, StockState
from runtime.durable.behaviour import Behaviour, RetryPolicy
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.envelope import decode
from runtime.errors import FinalError
from runtime.operate.dead_letters import Act, NotAwaited, carry_out, check_awaited, dead_letters, replay
from runtime.operate.parked_mail import ParkedMail
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import SAGA, actor, fill, id_of, mail, saga
from tests.unit.saga.records import task_in
from tests.unit.saga.shop import FirmOrderProcess

DO, EARLIER, UNDO, EARLIER_UNDO = 2, 3, 4, 5


def task(phase: Phase) -> TaskRecord:
    """One that was asked twice, and its undo twice."""
    do = Exchange(command_id=id_of(DO), faulted_ids=[id_of(EARLIER)])
    undo = Exchange(command_id=id_of(UNDO), faulted_ids=[id_of(EARLIER_UNDO)])
    return task_in(phase, "bill", do=do, undo=undo)


def letter(number: int, reply_to: str = "order-process/ORD-1") -> ParkedMail:
    row = mail(number, parked="boom", sender="order-process/ORD-1", reply_to=reply_to)
    return ParkedMail(row, decode(row.envelope))


@pytest.mark.parametrize("phase", Phase)
async def test_a_do_is_awaited_while_its_step_is_open_and_an_undo_while_it_is_owed(
    store: MemoryStore, phase: Phase
) -> None:
    await fill(store, saga(status=SAGA.STUCK, tasks=(TaskRecord(path="other"), task(phase))))
    awaited = []
    for number in (DO, EARLIER, UNDO, EARLIER_UNDO):
        try:
            await check_awaited(store, letter(number))
            awaited.append(number)
        except NotAwaited as error:
            assert f"order-process/ORD-1 no longer waits for shop.BillOrder: its step bill is {phase.value}" in str(
                error
            )
    expected = {
        "ASKED": [DO, EARLIER],
        "WORKING": [DO, EARLIER],
        "UNKNOWN": [DO, EARLIER],
        "PROBED": [DO, EARLIER],
        "OWED": [UNDO, EARLIER_UNDO],
        "UNDOING": [UNDO, EARLIER_UNDO],
    }
    assert awaited == expected.get(phase.name, [])


async def test_what_no_saga_has_sent_or_knows_of_is_always_awaited(store: MemoryStore) -> None:
    await fill(store, saga(tasks=(task(Phase.REFUSED),)), actor("sales"))
    await fill(store, actor("order-process", "ORD-2", state_type="amends.SagaRecord", state=b"\xff\xff"))
    unreadable = ParkedMail(letter(DO).row, None)
    for one in (letter(9), letter(DO, ""), letter(DO, "sales/ORD-1"), letter(DO, "order-process/ORD-3"), unreadable):
        await check_awaited(store, one)
    await check_awaited(store, letter(DO, "order-process/ORD-2"))


class Purse(Service[BillState], kind="billing"):
    """Always has the money."""

    async def bill(self, command: BillOrder) -> OrderBilled:
        return OrderBilled(order_id=self.key, amount_cents=command.amount_cents)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        return OrderRefunded(order_id=self.key)


class OldDepot(Service[StockState], kind="warehouse", retries=RetryPolicy(immediate=0, delays=())):
    """Fails over the first label, has none left for the second, and has some again for the third."""

    asked = 0

    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        OldDepot.asked += 1
        if OldDepot.asked == 1:
            raise FinalError("the printer is on fire")
        if OldDepot.asked == 2:
            return BackOrdered(order_id=command.order_id)
        self.state.labels += 1
        return ShippingLabelCreated(order_id=command.order_id)


async def refused_in_the_end() -> tuple[LocalNode, ParkedMail]:
    """A saga whose step has no undo, was given up on, asked again, and refused; and the letter that is left of it."""
    OldDepot.asked = 0
    behaviours: list[Behaviour] = [
        ServiceBehaviour(Purse),
        ServiceBehaviour(OldDepot),
        SagaBehaviour(FirmOrderProcess),
    ]
    node = await LocalNode(behaviours).start()
    placed = OrderPlaced(order_id="ORD-1", line=OrderLine(sku="HAT", quantity=2), amount_cents=500)
    await node.client.ask(placed, kind="firm-order-process", key="ORD-1", timeout=1.0)
    await node.sleep(60)
    record = SagaRecord.FromString((await node.row("firm-order-process", "ORD-1")).state)
    assert record.status == SagaRecord.COMPENSATED
    (parked,) = await dead_letters(node.store, limit=9)
    return node, parked


def test_a_step_that_was_refused_in_the_end_is_not_done_after_all_unless_an_operator_insists() -> None:
    async def scenario() -> None:
        node, parked = await refused_in_the_end()
        with pytest.raises(NotAwaited, match="its step ship is refused"):
            await check_awaited(node.store, parked)
        await carry_out(node.store, replay(parked, Act("ann", node.ports.clock.now_s(), "I insist")))
        await node.sleep(60)
        assert StockState.FromString((await node.row("warehouse", "HAT")).state).labels == 1, "and nothing undoes it"
        await node.stop()

    in_virtual_time(scenario)
