"""A saga as one step of another: started, waited for, and undone as a unit; as the parent and as the child see it."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import CreateShippingLabel, ShippingLabelCreated, VoidShippingLabel
from runtime.durations import days
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import (
    RetryAccepted,
    SagaAbandoned,
    SagaCompensated,
    SagaCompleted,
    SagaStuck,
    SagaUnderWay,
    StartRefused,
    TaskRecord,
    UndoRefused,
    UndoSaga,
)
from runtime.saga.child import Child
from runtime.saga.children import check_children
from runtime.saga.diagram import draw_saga
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, read_back
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, BUDGET, CANCELLED, DECLINED, LABELLED, PLACED, READY, REFUNDED, VOIDED
from tests.unit.saga.test_asker import answers, label_of
from tests.unit.saga.test_nodes import bill, close, phases, ship

BY_PARENT = OrderPlaced(order_id="ORD-1-C", line=PLACED.line)
LABEL = ShippingLabelCreated(order_id="ORD-1-C", label_id="LB-1")
DONE = SagaCompleted(result_type=LABEL.DESCRIPTOR.full_name, result=LABEL.SerializeToString())


def child(*, pivot: bool = False, kind: str = "child") -> type[Saga[OrderProcessState]]:
    """Bills and ships; with a pivot it also says, past it, that the order is ready."""
    paid = bill()
    sent = ship()
    if pivot:
        sent = Step(shop.create_label, ShippingLabelCreated, timeout=300, pivot=True, budget=BUDGET)
    why = "" if pivot else "it only says so"
    done = Step(shop.mark_ready, OrderReadyToShip, timeout=30, budget=BUDGET, no_undo=why)
    body = {"bill": paid, "ship": sent, "close": done, "flow": paid >> sent >> done, "result": label_of}
    started = {"started_by": on(OrderPlaced, shop.begin), "closing": Step(shop.cancel_order, done=OrderCancelled)}
    return made("Ship", Saga[OrderProcessState], {**started, **body}, kind=kind)


def start_child(state: OrderProcessState) -> OrderPlaced:
    return OrderPlaced(order_id=f"{state.order_id}-C", line=state.line)


def keep_label(state: OrderProcessState, result: ShippingLabelCreated) -> None:
    state.label_id = result.label_id


def parent(of: Any = None, **fields: Any) -> type[Saga[OrderProcessState]]:
    first, last = bill(), close()
    fields = {"start": start_child, "on_done": keep_label, **fields}
    part = Child(child() if of is None else of, **fields)
    body = {"bill": first, "label": part, "close": last, "flow": first >> part >> last}
    started = {"started_by": on(OrderPlaced, shop.begin), "closing": Step(shop.cancel_order, done=OrderCancelled)}
    return made("Parent", Saga[OrderProcessState], {**started, **body}, kind="parent")


def asking(**fields: Any) -> SagaTranscript:
    """The parent has started its child."""
    return SagaTranscript(parent(**fields)).given(PLACED).given(BILLED).expect(BY_PARENT)


# --- the parent: forward ---


def test_a_child_is_started_with_its_event_at_its_kind_and_key() -> None:
    command = asking().command(OrderPlaced)
    assert (command.kind, command.key, command.wants_reply) == ("child", "ORD-1-C", True)


@pytest.mark.broken_by("facts-not-kept")
def test_s111_the_result_of_a_child_that_completes_reaches_the_parent_in_one_message() -> None:
    story = asking().given(DONE).expect(MarkReadyToShip(order_id="ORD-1", label_id="LB-1"))
    story.given(READY).expect_status("completed")


def test_a_child_that_goes_on_is_asked_again_at_its_pace_and_tells_its_end_by_itself() -> None:
    story = asking().given(SagaUnderWay()).expect()
    assert story.step_status("label") == "working"
    assert story.timers == {"label": story.now_s + 300}
    story.given_silence("label").expect(BY_PARENT)
    first = story.command(OrderPlaced, 0)
    story.given(SagaUnderWay()).given(DONE, to=first).expect(MarkReadyToShip)


def test_a_child_that_ended_undone_counts_as_refused_with_its_reason() -> None:
    story = asking().given(SagaUnderWay()).given(SagaCompensated(reason="bill: PaymentDeclined")).expect(RefundOrder)
    story.expect_status("compensating", "label: SagaCompensated: bill: PaymentDeclined")
    assert story.step_status("label") == "refused"


def test_a_child_that_another_has_started_counts_as_refused_and_is_not_undone() -> None:
    story = asking().given(StartRefused(reason="it was started by an event, and is running")).expect(RefundOrder)
    assert story.step_status("label") == "refused"


def test_a_child_that_never_ends_is_undone_once_its_time_is_over() -> None:
    story = asking(at_most=days(1)).given(SagaUnderWay())
    while story.status == "running":
        story.given_silence("label")
        if story.status == "running":
            story.given(SagaUnderWay())
    story.expect(UndoSaga).expect_status("compensating", "still working after 86400 s")


def test_a_silent_start_is_undone_since_the_child_may_have_begun() -> None:
    asking().given_silence("label").expect(UndoSaga)


def test_s114_what_gets_a_child_stuck_is_in_the_parents_record() -> None:
    story = asking().given(SagaUnderWay()).given(SagaStuck(reason="step ship: no answer")).expect()
    assert story.step_status("label") == "working"
    assert story.step("label").do.error == "child/ORD-1-C is stuck: step ship: no answer"
    story.given(DONE).expect(MarkReadyToShip)


def test_a_result_of_another_type_turns_the_parent_back() -> None:
    story = asking().given(SagaCompleted(error="result raised")).expect(UndoSaga)
    story.expect_status("compensating", "completed without a shop.ShippingLabelCreated: result raised")


# --- the parent: back ---


def turned_back(**fields: Any) -> SagaTranscript:
    """The child is done, and the step after it stayed silent."""
    return asking(**fields).given(DONE).given_silence("close").expect(UndoSaga(key="ORD-1-C", reason=_SILENT))


_SILENT = "close: no answer within 30 s"


def test_s112_a_completed_child_is_undone_as_a_unit_before_what_came_before_it() -> None:
    story = turned_back().given(SagaUnderWay()).expect().given(SagaCompensated(reason="undone")).expect(RefundOrder)
    assert story.step_status("label") == "undone"


def test_the_undo_names_the_start_and_what_confirms_it() -> None:
    undo, start = (one := turned_back()).command(UndoSaga), one.command(OrderPlaced)
    assert (undo.kind, undo.key, undo.undo_of) == ("child", "ORD-1-C", start.id)
    assert undo.undones == ("amends.SagaCompensated",)


def test_a_child_that_never_came_has_nothing_to_undo() -> None:
    asking().given_silence("label").given_nothing_to_undo().expect(RefundOrder)


def test_s113_a_child_past_its_pivot_leaves_the_parent_stuck() -> None:
    story = turned_back().given(UndoRefused(reason="there is no way back after ship")).expect()
    story.expect_status("stuck", "child/ORD-1-C cannot be undone: there is no way back after ship")
    assert story.step("label").status == TaskRecord.OWED
    story.given(UndoRefused(reason="there is no way back after ship"), to=story.command(UndoSaga)).expect_ignored(
        "late"
    )
    story.given_retry().expect(UndoSaga, RetryAccepted)


@pytest.mark.broken_by("child-that-stays-counts-as-undone")
def test_s113_a_child_that_may_stay_is_skipped_and_the_reason_says_so() -> None:
    story = turned_back(may_stay="a label costs nothing").given(UndoRefused(reason="past ship")).expect(RefundOrder)
    story.given(REFUNDED).given(CANCELLED).expect_status("compensated", "child/ORD-1-C stays: past ship")
    assert phases(story)["label"] == "skipped"


def test_s113_a_saga_whose_child_was_abandoned_does_not_end_as_if_all_was_undone() -> None:
    story = turned_back(may_stay="a label costs nothing").given(SagaAbandoned(reason="undo owed: bill"))
    story.expect(RefundOrder).given(REFUNDED).given(CANCELLED)
    story.expect_status("abandoned", "child/ORD-1-C was abandoned: undo owed: bill")
    assert phases(story)["label"] == "given up"


@pytest.mark.broken_by("stuck-child-not-named")
def test_s114_a_stuck_child_leaves_the_parent_waiting_and_is_named() -> None:
    story = turned_back().given(SagaUnderWay()).given(SagaStuck(reason="undo of step ship: given up")).expect()
    story.expect_status("compensating")
    assert story.step_status("label") == "undoing"
    assert story.step("label").undo.error == "child/ORD-1-C is stuck: undo of step ship: given up"
    story.given(SagaCompensated(reason="undone after all")).expect(RefundOrder)


# --- the child ---


def begun(*, pivot: bool = False) -> SagaTranscript:
    return SagaTranscript(child(pivot=pivot)).given_start(BY_PARENT, by="parent/ORD-1")


def told(story: SagaTranscript) -> list[Any]:
    return [one[1] for one in answers(story)]


@pytest.mark.broken_by("completed-child-is-not-undone")
def test_s112_a_completed_child_without_a_pivot_turns_back_from_its_end_and_undoes_all_in_reverse() -> None:
    story = begun().given(BILLED).given(LABELLED).given(READY).expect_status("completed")
    story.given_undo("too dear", by="parent/ORD-1").expect(VoidShippingLabel, SagaUnderWay)
    story.expect_status("compensating", "undone by parent/ORD-1: too dear")
    assert not story.record.result_type
    story.given(VOIDED, to=story.command(VoidShippingLabel)).expect(RefundOrder)
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CancelOrder)
    story.given(CANCELLED, to=story.command(CancelOrder)).expect_status("compensated")
    assert told(story) == [SagaCompensated(reason="undone by parent/ORD-1: too dear")]


def test_a_running_child_cancels_what_is_under_way() -> None:
    story = begun().given(BILLED).given_undo("too dear", by="parent/ORD-1")
    story.expect(VoidShippingLabel, SagaUnderWay)


@pytest.mark.broken_by("child-turns-back-past-its-pivot")
def test_s113_a_child_past_its_pivot_refuses() -> None:
    story = begun(pivot=True).given(BILLED).given(LABELLED).given_undo("too dear", by="parent/ORD-1")
    story.expect(UndoRefused(reason="there is no way back after ship")).expect_status("running")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")
    assert [type(one) for one in told(story)] == [SagaCompleted]
    story.given_undo("again", by="parent/ORD-1").expect(UndoRefused).expect_status("completed")


def test_s115_a_child_whose_pivot_is_under_way_is_waited_for_whichever_way_it_goes() -> None:
    story = begun(pivot=True).given(BILLED).given_undo("too dear", by="parent/ORD-1").expect(SagaUnderWay)
    story.expect_status("running")
    story.given(LABELLED, to=story.command(CreateShippingLabel)).given(READY)
    assert [type(one) for one in told(story)] == [UndoRefused]


@pytest.mark.broken_by("closing-not-awaited")
def test_s115_a_child_that_compensates_by_itself_confirms_the_undo() -> None:
    story = begun().given(DECLINED).expect(CancelOrder)
    story.given_undo("too dear", by="parent/ORD-1").expect(SagaUnderWay)
    story.given(CANCELLED, to=story.command(CancelOrder)).expect(SagaCompensated)
    story.given_undo("once more", by="parent/ORD-1").expect(SagaCompensated).expect_ignored("it is compensated")


def test_s114_a_stuck_child_says_so_and_confirms_once_it_is_mended() -> None:
    saga = child().with_steps(ship={"budget": Budget(asks_max=1)})
    story = SagaTranscript(saga).given_start(BY_PARENT, by="parent/ORD-1").given(BILLED).given(LABELLED).given(READY)
    story.given_undo("too dear", by="parent/ORD-1").given_fault("printer offline", to=story.command(VoidShippingLabel))
    assert [type(one) for one in told(story)] == [SagaStuck]
    story.given_undo("once more", by="parent/ORD-1").expect(SagaStuck)
    story.given_retry().given(VOIDED, to=story.command(VoidShippingLabel))
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    assert [type(one) for one in told(story)] == [SagaCompensated]


def test_another_than_its_parent_cannot_undo_a_child() -> None:
    story = begun().given(BILLED).given_undo("mine", by="parent/ORD-2")
    story.expect(UndoRefused(reason="it was started by parent/ORD-1")).expect_status("running")


def test_the_undo_of_a_child_that_never_began_is_confirmed() -> None:
    story = SagaTranscript(child(), key="ORD-1-C").given_undo("too dear", by="parent/ORD-1").expect(SagaCompensated)
    assert story.status == "none"


# --- definitions ---


def no_annotation(state):  # type: ignore[no-untyped-def]
    return PLACED


def takes_event(state: OrderProcessState, result: OrderBilled) -> None: ...


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"of": OrderPlaced}, "is no saga; name its class"),
        ({"start": no_annotation}, "is annotated with the event that it makes; Ship is started by shop.OrderPlaced"),
        ({"start": shop.bill_order}, "Ship is started by shop.OrderPlaced"),
        ({"on_done": takes_event}, "takes the state and the result of Ship, a shop.ShippingLabelCreated"),
        ({"timeout": 0}, "finite timeout above 0"),
        ({"every": 0}, r"at a pace \(every\) above 0"),
        ({"at_most": 1.0}, "shorter than the pace"),
        ({"may_stay": True}, "may_stay says in words"),
    ],
)
def test_what_makes_no_child_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Parent\.label.*{text}"):
        parent(**fields)


def test_a_child_past_the_pivot_is_refused() -> None:
    first = Step(shop.bill_order, OrderBilled, timeout=30, pivot=True)
    part = Child(child(), start=start_child)
    body = {"bill": first, "label": part, "flow": first >> part, "started_by": on(OrderPlaced, shop.begin)}
    with pytest.raises(InvalidDefinition, match=r"Parent\.label: it comes after the pivot"):
        made("Parent", Saga[OrderProcessState], body, kind="parent")


def test_a_kind_that_is_not_hosted_and_a_circle_are_refused() -> None:
    inner = parent()
    with pytest.raises(InvalidDefinition, match=r"Parent\.label: child is a kind that is not hosted as a saga"):
        check_children([inner.definition])
    other = child()
    first, part = bill(), Child(parent(), start=start_child)
    started = {"started_by": on(OrderPlaced, shop.begin), "closing": Step(shop.cancel_order, done=OrderCancelled)}
    round_about = made(
        "Ship",
        Saga[OrderProcessState],
        {**started, "bill": first, "back": part, "flow": first >> part, "result": label_of},
        kind=other.kind,
    )
    with pytest.raises(InvalidDefinition, match="parent starts child starts parent as its child, and so without end"):
        check_children([inner.definition, round_about.definition])


def test_a_child_is_drawn_and_stored() -> None:
    definition = parent().definition
    assert '"label: saga child"' in draw_saga(definition)
    assert draw_saga(read_back(described(definition))) == draw_saga(definition)


def test_the_first_step_of_the_child_is_asked_as_it_begins() -> None:
    begun().expect(BillOrder, SagaUnderWay)


@pytest.mark.parametrize("may_stay", ["", "a label costs nothing"])
def test_no_schedule_of_a_parent_breaks_a_promise_whatever_its_child_says(may_stay: str) -> None:
    common = {"faults_max": 1, "poisons_max": 0, "replays_max": 0}
    explore(parent(may_stay=may_stay), bounds=Bounds(silences_max=1, duplicates_max=0, **common)).check()
    twice = Bounds(silences_max=0, duplicates_max=1, cancels_max=0, workings_max=1, **common)
    explore(parent(may_stay=may_stay), bounds=twice).check()
