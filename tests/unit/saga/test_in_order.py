"""A list in order: one item after another, and the undos strictly in reverse, each confirmed before the next."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import CreateShippingLabel, VoidShippingLabel
from runtime.protos.saga_pb2 import RepairAccepted, RepairSaga, RetryAccepted, SagaRecord, TaskRecord
from runtime.saga.diagram import draw_saga
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, read_back
from runtime.testing.rules.list_rules import badly_ordered
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, REFUNDED
from tests.unit.saga.test_each import each, labelled, labelling, phases, saga, short, to, under_way, voided

ONCE = Budget(asks_max=1)


def ordered(**changed: Any) -> Any:
    return each(in_order=True, **changed)


def given(story: SagaTranscript, *keys: str) -> SagaTranscript:
    for key in keys:
        story.given(labelled(key), to=to(story, key))
    return story


def undone(story: SagaTranscript, key: str) -> SagaTranscript:
    return story.given(voided(key), to=to(story, key, VoidShippingLabel))


def test_each_item_begins_once_the_one_before_it_is_done() -> None:
    story = under_way(ordered()).expect(CreateShippingLabel)
    assert phases(story) | {"lines[CAP]": "asked", "lines[HAT]": "waiting", "lines[TIE]": "waiting"} == phases(story)
    for key in ("CAP", "HAT"):
        given(story, key).expect(CreateShippingLabel)
    given(story, "TIE").expect(MarkReadyToShip)


def test_they_are_undone_in_reverse_each_confirmed_before_the_next() -> None:
    story = given(under_way(ordered()), "CAP", "HAT").given(short("TIE"), to=None).expect(VoidShippingLabel)
    assert phases(story) | {"lines[CAP]": "owed", "lines[HAT]": "undoing", "lines[TIE]": "refused"} == phases(story)
    undone(story, "HAT").expect(VoidShippingLabel)
    assert phases(story) | {"lines[CAP]": "undoing", "lines[HAT]": "undone"} == phases(story)
    undone(story, "CAP").expect(RefundOrder)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated")


def test_one_that_may_have_happened_is_the_first_to_be_undone() -> None:
    story = given(under_way(ordered()), "CAP").given_silence("lines[HAT]").expect(VoidShippingLabel)
    assert phases(story) | {"lines[CAP]": "owed", "lines[HAT]": "undoing", "lines[TIE]": "waiting"} == phases(story)


def test_one_whose_undo_is_stuck_holds_up_those_before_it_until_a_person_has_mended_it() -> None:
    story = given(under_way(ordered(step=labelling(budget=ONCE))), "CAP", "HAT").given(short("TIE"))
    story.given_fault("printer offline").expect().expect_status("stuck", "undo of step lines[HAT]: given up by")
    assert phases(story)["lines[CAP]"] == "owed"
    story.given_retry().expect(VoidShippingLabel, RetryAccepted)
    undone(story, "HAT").expect(VoidShippingLabel)
    assert phases(story)["lines[CAP]"] == "undoing"


def test_one_whose_undo_is_given_up_lets_those_before_it_go_on() -> None:
    story = given(under_way(ordered(step=labelling(budget=ONCE))), "CAP", "HAT").given(short("TIE"))
    story.given_fault("printer offline").given_act(RepairSaga(act=RepairSaga.SKIP, task="lines[HAT]"))
    story.expect(RepairAccepted, VoidShippingLabel)
    undone(story, "CAP").given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED).expect_status("abandoned")


def test_independent_undos_go_on_past_one_that_is_stuck() -> None:
    story = given(under_way(ordered(step=labelling(budget=ONCE)), undo="independent"), "CAP", "HAT").given(short("TIE"))
    story.given_fault("printer offline").expect(VoidShippingLabel).expect_status("stuck")
    assert phases(story)["lines[CAP]"] == "undoing"
    undone(story, "CAP").expect(RefundOrder)


def test_what_is_tolerated_is_undone_before_the_next_begins() -> None:
    story = given(under_way(ordered(tolerate=1)), "CAP").given_silence("lines[HAT]").expect(VoidShippingLabel)
    undone(story, "HAT").expect(CreateShippingLabel)
    given(story, "TIE").expect(MarkReadyToShip)


def test_past_the_pivot_one_that_is_stuck_holds_up_those_after_it() -> None:
    list_ = ordered(step=labelling(refused=(), undo=None, undone=(), budget=ONCE))
    story = given(under_way(list_, pivot=True), "CAP").given_fault("printer offline").expect()
    story.expect_status("stuck", "step lines[HAT]: given up by")
    assert phases(story)["lines[TIE]"] == "waiting"
    story.given_act(RepairSaga(act=RepairSaga.SKIP, task="lines[HAT]")).expect(RepairAccepted, CreateShippingLabel)
    given(story, "TIE").expect(MarkReadyToShip)


def test_what_was_refused_and_is_done_after_all_waits_until_later_steps_are_undone() -> None:
    lines, paid = (
        each(tolerate=1),
        Step(shop.bill_order, OrderBilled, undo=shop.refund_order, undone=OrderRefunded, timeout=30),
    )
    said = Step(shop.mark_ready, OrderReadyToShip, timeout=30, no_undo="it only says so")
    body = {"started_by": on(OrderPlaced, shop.begin), "lines": lines, "bill": paid, "close": said}
    lines_first = made("Late", Saga[OrderProcessState], {**body, "flow": lines >> paid >> said}, kind="late")
    story = given(SagaTranscript(lines_first).given(PLACED), "CAP", "HAT")
    late = to(story, "TIE")
    story.given(short("TIE"), to=late).expect(BillOrder).given(BILLED).given_cancellation()
    story.given(labelled("TIE"), to=late).expect()
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(*[VoidShippingLabel] * 3)
    for key in ("CAP", "HAT", "TIE"):
        undone(story, key)
    story.expect_status("compensated")


def test_a_list_in_order_is_drawn_and_stored_and_changes_no_fingerprint() -> None:
    definition = saga(ordered()).definition
    for one in (definition, read_back(described(definition))):
        drawn = draw_saga(one)
        assert 'state "lines: CreateShippingLabel for each in order" as lines' in drawn
        assert 'state "undo lines: VoidShippingLabel for each, the last first" as undo_lines' in drawn
    assert definition.fingerprint == saga(each()).definition.fingerprint


def record_of(*phases: Any, heading: Any = SagaRecord.COMPENSATING) -> SagaRecord:
    tasks = [TaskRecord(path=node.name) for node in saga(ordered()).definition.nodes]
    tasks += [TaskRecord(path=f"lines[{n}]", within=2, **fields) for n, fields in enumerate(phases)]
    return SagaRecord(status=heading, tasks=tasks)


OWED: dict[str, Any] = {"status": TaskRecord.OWED}
UNDOING: dict[str, Any] = {"status": TaskRecord.OWED, "undo": {"status": 1}}


@pytest.mark.parametrize(
    ("phases", "text"),
    [
        ((UNDOING, OWED), "item lines[0] is being undone before lines[1], which came after it"),
        (({"status": TaskRecord.RUNNING}, {"status": TaskRecord.DONE}), "item lines[1] was begun before lines[0]"),
        ((OWED, UNDOING, {"status": TaskRecord.UNDONE}), ""),
    ],
)
def test_the_rules_of_simulations_know_the_order(phases: tuple[Any, ...], text: str) -> None:
    found = [one[1] for one in badly_ordered(saga(ordered()).definition, SagaRecord(), record_of(*phases))]
    assert (text in found[0]) if text else (found == [])
