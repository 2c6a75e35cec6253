"""A command that cannot be sent is its author's failure: the saga turns back or is stuck, and is never left without.

Whatever else fails in the turn of a timer, the timer comes again.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from protos import billing_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import CreateShippingLabel, ShippingLabelCreated
from runtime.adapters import system_ports
from runtime.contracts import Contracts
from runtime.durable.carriers import Carriers
from runtime.durable.kind import Kind, Limits, Subscribers
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.turn import Turn
from runtime.durations import minutes, seconds
from runtime.envelope import Envelope, timer_id
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.store.memory import MemoryStore
from runtime.store.records import Outcome
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, PLACED, begin, bill_order, cancel_order, create_label

LIMIT = 1000
LARGE = "x" * (LIMIT + 1)


def large_refund(state: OrderProcessState) -> RefundOrder:
    return RefundOrder(order_id=state.order_id, reason=LARGE)


def refund(state: OrderProcessState) -> RefundOrder:
    return RefundOrder(order_id=state.order_id)


def large_ready(state: OrderProcessState) -> MarkReadyToShip:
    return MarkReadyToShip(order_id=state.order_id, label_id=LARGE)


class Large(Saga[OrderProcessState], kind="large", deadline=minutes(20)):
    """Its undo is too large, and so is the command past its pivot."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, undo=large_refund, undone=OrderRefunded, timeout=seconds(30))
    ship = Step(do=create_label, done=ShippingLabelCreated, timeout=minutes(5), pivot=True, budget=Budget(asks_max=2))
    close = Step(do=large_ready, done=OrderReadyToShip, timeout=seconds(30))
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


def told(*answers: Message) -> SagaTranscript:
    story = SagaTranscript(Large, message_bytes_max=LIMIT).given(PLACED)
    for answer in answers:
        story.given(answer)
    return story


def test_an_undo_over_the_limit_that_a_silence_asks_for_leaves_the_saga_stuck_with_the_reason() -> None:
    story = told().given_silence("bill")
    story.expect().expect_status("stuck", "undo of step bill: undo of step bill made a shop.RefundOrder of 1,")
    assert "the limit is 1,000 (setting message_bytes_max)" in story.decision.alarm


def test_an_undo_over_the_limit_that_the_deadline_asks_for_does_so_too() -> None:
    story = told()
    story.given_silence("saga deadline").expect().expect_status("stuck", "undo of step bill")
    assert story.step_status("bill") == "owed"


def test_a_command_past_the_pivot_over_the_limit_leaves_the_saga_stuck() -> None:
    story = told(OrderBilled(order_id="ORD-1")).given_silence("ship")
    story.given(ShippingLabelCreated(order_id="ORD-1"), to=story.command(CreateShippingLabel))
    story.expect().expect_status("stuck", "step close: do of step close made a shop.MarkReadyToShip of 1,")


class LargeFirst(Saga[OrderProcessState], kind="large-first"):
    """A command over the limit before the pivot."""

    started_by = on(OrderPlaced, begin)
    ready = Step(
        do=large_ready, done=OrderReadyToShip, timeout=seconds(30), no_undo="nothing of it has to be taken back"
    )
    bill = Step(do=bill_order, done=OrderBilled, timeout=seconds(30), pivot=True)
    flow = ready >> bill
    closing = Step(cancel_order, done=OrderCancelled)


def test_a_command_before_the_pivot_over_the_limit_turns_the_saga_back() -> None:
    story = SagaTranscript(LargeFirst, message_bytes_max=LIMIT).given(PLACED)
    story.expect(CancelOrder).expect_status("compensating", "ready: do of step ready made a shop.MarkReadyToShip of")
    assert not [one for one in story.sent if isinstance(one.message, BillOrder | MarkReadyToShip)]


def keep_much(state: OrderProcessState, answer: OrderBilled) -> None:
    state.label_id = LARGE


class LargeState(Saga[OrderProcessState], kind="large-state"):
    """Its first answer makes a state that its record has no room for."""

    started_by = on(OrderPlaced, begin)
    bill = Step(do=bill_order, done=OrderBilled, undo=refund, undone=OrderRefunded, timeout=30, on_answer=keep_much)
    ship = Step(do=create_label, done=ShippingLabelCreated, timeout=minutes(5), pivot=True)
    flow = bill >> ship
    closing = Step(cancel_order, done=OrderCancelled)


def test_a_state_over_the_limit_is_the_failure_of_the_function_that_makes_it_and_no_answer_is_lost() -> None:
    story = SagaTranscript(LargeState, state_bytes_max=LIMIT).given(PLACED).given(OrderBilled(order_id="ORD-1"))
    story.expect(RefundOrder).expect_status("compensating", "bill: on_answer of step bill made a state of 1,")
    assert "(setting state_bytes_max)" in story.record.reason
    SagaTranscript(LargeState, state_bytes_max=3 * LIMIT).given(PLACED).given(BILLED).expect_status("running")


def test_without_a_limit_nothing_is_too_large() -> None:
    SagaTranscript(Large).given(PLACED).given_silence("bill").expect(RefundOrder)


ADDRESS = ("large", "ORD-1")


async def fire(**limits: Any) -> Turn:
    """A turn over the timer of the first step, which has been asked; with these limits."""
    ports = system_ports()
    story = SagaTranscript(Large).given(PLACED)
    timer = durable_pb2.Timer(name="bill", due_at_s=ports.clock.now_s(), set_by=b"s" * 16, type="amends.TimerFired")
    contracts = Contracts((saga_pb2, billing_pb2, sales_pb2, warehouse_pb2))
    store, carriers = MemoryStore(ports), Carriers("node")
    kind = Kind(SagaBehaviour(Large), contracts, Subscribers(), store, ports, Limits(**limits), "node@1", carriers)
    fired = Envelope(
        id=timer_id(ADDRESS, timer),
        kind=ADDRESS[0],
        key=ADDRESS[1],
        type="amends.TimerFired",
        body=durable_pb2.TimerFired(name="bill").SerializeToString(),
        conversation=b"c" * 16,
        sent_at_s=timer.due_at_s,
        timer="bill",
    )
    turn = Turn(Draft(kind, ADDRESS, 0, None, {"bill": timer}, ports.clock.now_s()), story.record, {})
    await turn.run([fired])
    return turn


async def test_the_turn_of_a_timer_that_asks_for_too_large_an_undo_writes_down_that_the_saga_is_stuck() -> None:
    turn = await fire(message_bytes_max=LIMIT)
    assert turn.draft.alarm.startswith("undo of step bill: undo of step bill made a shop.RefundOrder")
    assert saga_pb2.SagaRecord.FromString(turn.draft.state_bytes).status == saga_pb2.SagaRecord.STUCK
    assert [row.outcome for row in turn.draft.history] == [Outcome.FIRED]


async def test_a_timer_in_whose_turn_anything_else_fails_comes_again_and_a_person_is_told() -> None:
    turn = await fire(state_bytes_max=10)
    assert turn.draft.timers["bill"].due_at_s > turn.draft.now_s + 30
    assert "the timer 'bill' fails, and comes again every 60 s: StateTooLarge" in turn.draft.alarm
    assert [row.outcome for row in turn.draft.history] == [Outcome.FAULTED]
