"""Undos are given the state of the instant at which their step was done, whatever it became later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated, ShippingLabelVoided
from protos.warehouse_pb2 import VoidShippingLabel as Void
from runtime.durations import seconds
from runtime.protos.saga_pb2 import RepairAccepted, RepairSaga, SagaRecord, TaskRecord
from runtime.saga import frozen
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BACK_ORDERED, BILLED, LABELLED, PLACED, READY, ShopProcess, begin, bill_order, shipped

Process = Saga[OrderProcessState]


def refund(state: OrderProcessState) -> RefundOrder:
    return RefundOrder(order_id=state.order_id, reason=f"charge {state.charge_id!r}, label {state.label_id!r}")


def label(state: OrderProcessState) -> CreateShippingLabel:
    return CreateShippingLabel(sku=state.line.sku, order_id=state.order_id)


def void(state: OrderProcessState) -> Void:
    return Void(sku=state.line.sku, order_id=f"charge {state.charge_id!r}, label {state.label_id!r}")


def keep_charge(state: OrderProcessState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def forget_charge(state: OrderProcessState, event: PaymentDeclined) -> None:
    state.charge_id = f"declined: {event.reason}"


def keep_label(state: OrderProcessState, event: ShippingLabelCreated) -> None:
    state.label_id, state.charge_id = event.label_id, "moved"


def forget_label(state: OrderProcessState, event: BackOrdered) -> None:
    state.charge_id, state.label_id = "", "none"


bill = Step(
    do=bill_order,
    done=OrderBilled,
    refused=PaymentDeclined,
    undo=refund,
    undone=OrderRefunded,
    timeout=seconds(30),
    on_answer=(keep_charge, forget_charge),
)
ship = Step(
    do=label,
    done=ShippingLabelCreated,
    refused=BackOrdered,
    undo=void,
    undone=ShippingLabelVoided,
    timeout=seconds(60),
    on_answer=(keep_label, forget_label),
)


class BillsThenShips(Process, kind="bills-then-ships"):
    started_by = on(OrderPlaced, begin)
    bill, ship = bill, ship
    flow = bill >> ship


class BillsAndShips(Process, kind="bills-and-ships"):
    started_by = on(OrderPlaced, begin)
    bill, ship = bill, ship
    flow = bill | ship


def begun(saga: type[Process]) -> SagaTranscript:
    return SagaTranscript(saga).given(PLACED)


@pytest.mark.broken_by("undo-given-the-present-state")
def test_s121_an_undo_is_given_the_state_as_its_step_was_done() -> None:
    story = begun(BillsThenShips).given(BILLED).given(BACK_ORDERED)
    assert (
        story.record.state
        == OrderProcessState(order_id="ORD-1", line=PLACED.line, amount_cents=500, label_id="none").SerializeToString()
    ), "the state has moved on"
    story.expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-1', label ''"))


def test_s121_each_ask_of_an_undo_is_given_the_same() -> None:
    story = begun(BillsThenShips).given(BILLED).given(BACK_ORDERED).expect(RefundOrder)
    first = story.command(RefundOrder).message
    story.given_fault().given_silence("bill").expect(first)


def test_s121_of_an_unknown_outcome_the_state_is_the_one_of_the_last_ask() -> None:
    story = begun(BillsAndShips).expect(BillOrder, CreateShippingLabel)
    story.given(LABELLED, to=story.command(CreateShippingLabel)).given_silence("bill")
    refunds, voids = story.command(RefundOrder).message, story.command(Void).message
    assert refunds == RefundOrder(order_id="ORD-1", reason="charge '', label ''")
    assert voids == Void(sku="HAT", order_id="charge 'moved', label 'LB-1'")


def test_steps_beside_each_other_keep_each_its_own_state() -> None:
    story = begun(BillsAndShips)
    story.given(BILLED, to=story.command(BillOrder)).given(BACK_ORDERED, to=story.command(CreateShippingLabel))
    story.expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-1', label ''"))


def test_a_step_that_was_refused_and_is_done_after_all_is_undone_with_the_state_of_then() -> None:
    story = begun(BillsAndShips)
    billing = story.command(BillOrder)
    story.given(PaymentDeclined(order_id="ORD-1", reason="no"), to=billing).expect(Void)
    story.given(BILLED, to=billing).expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-1', label ''"))


def test_a_state_is_stored_only_if_it_was_replaced_and_never_beyond_the_end() -> None:
    story = begun(BillsThenShips).given(BILLED)
    assert not story.record.earlier_states, "the present state is that of each step"
    story.given(BACK_ORDERED)
    assert len(story.record.earlier_states) == 1
    story.given(OrderRefunded(order_id="ORD-1"))
    assert story.status == "compensated"
    assert not story.record.earlier_states
    assert not any(task.undo_state for task in story.record.tasks)


def test_a_child_that_has_completed_is_undone_with_the_states_of_its_steps() -> None:
    story = SagaTranscript(BillsThenShips).given_start(PLACED)
    story.given(BILLED, to=story.command(BillOrder)).given(LABELLED, to=story.command(CreateShippingLabel))
    story.expect_status("completed").given_undo("not wanted").expect_status("compensating")
    assert story.command(Void).message == Void(sku="HAT", order_id="charge 'moved', label 'LB-1'")
    story.given(ShippingLabelVoided(sku="HAT"), to=story.command(Void))
    story.expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-1', label ''"))


def test_what_was_replaced_costs_a_few_bytes_and_an_order_past_its_pivot_none() -> None:
    story = begun(BillsThenShips).given(BILLED).given(BACK_ORDERED)
    (kept,) = story.record.earlier_states
    assert kept.ByteSize() <= len(story.record.state) + 8
    story = shipped(ShopProcess)
    assert story.record.pivot_passed
    assert not story.record.earlier_states
    assert story.given(READY).status == "completed"


def test_an_undo_that_is_tried_again_on_edited_data_is_given_that() -> None:
    story = begun(BillsThenShips).given(BILLED).given(BACK_ORDERED)
    while story.status != "stuck":
        story.given_fault()
        if story.timers:
            story.given_silence()
    act = RepairSaga(act=RepairSaga.RETRY, state_json='{"order_id": "ORD-1", "charge_id": "CH-2"}')
    story.given_act(act).expect(RefundOrder(order_id="ORD-1", reason="charge 'CH-2', label ''"), RepairAccepted)


def record_of(states: list[bytes]) -> SagaRecord:
    """A record of one task for each state, as done in that state."""
    record = SagaRecord(tasks=[TaskRecord() for _ in BillsThenShips.definition.nodes])
    for number, state in enumerate(states):
        frozen.freeze(BillsThenShips.definition, record, None)
        record.state = state
        record.tasks.add(path=f"item[{number}]", status=TaskRecord.DONE).do.attempts = 1
    return record


@given(st.lists(st.one_of(st.binary(max_size=8), st.integers(0, 40).map(bytes)), max_size=12))
def test_any_states_are_found_again(states: list[bytes]) -> None:
    record = record_of(states)
    items = record.tasks[len(BillsThenShips.definition.nodes) :]
    assert [frozen.state_for(record, task) for task in items] == states


def test_a_thousand_states_that_grow_cost_little_each() -> None:
    items = [b"\x0a\x08item%04d" % number for number in range(1000)]
    record = record_of([b"".join(items[:end]) for end in range(1000)])
    assert sum(one.ByteSize() for one in record.earlier_states) < 20_000
