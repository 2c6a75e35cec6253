"""A saga waits for an event from outside: what comes of it when it comes, comes early, comes twice, or never comes."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderReadyToShip, OrderState
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durable.behaviour import SetTimer
from runtime.durations import days
from runtime.errors import FinalError, InvalidDefinition, InvalidMessage
from runtime.protos.saga_pb2 import AwaitEvent, CancelAccepted, EventCame, KeyTaken, SagaRecord, StopWaiting
from runtime.saga.awaiting import Await
from runtime.saga.diagram import draw_saga
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, READY, REFUNDED
from tests.unit.saga.test_nodes import bill, close, saga

LABEL = ShippingLabelCreated(order_id="ORD-1", sku="HAT", quantity=2, label_id="CH-1")
OTHER = ShippingLabelCreated(order_id="ORD-2", sku="HAT", quantity=1, label_id="CH-1")


def note_charge(state: OrderProcessState, event: OrderBilled) -> None:
    state.charge_id = event.charge_id


def note_label(state: OrderProcessState, event: ShippingLabelCreated) -> None:
    state.label_id = event.label_id


def charge(state: OrderProcessState) -> str:
    return state.charge_id


def wait(**changed: Any) -> Await:
    declared = {"by": "label_id", "key": charge, "within": days(3), "on_event": note_label}
    return Await(ShippingLabelCreated, **{**declared, **changed})


def waiting(**changed: Any) -> type[Saga[OrderProcessState]]:
    """Bills; waits until somebody has made a label for the charge; says that it is done."""
    first, label, last = bill(), wait(**changed), close()
    first = Step(**{**vars(first), "on_answer": note_charge})
    return saga(bill=first, label=label, close=last, flow=first >> label >> last)


def past_pivot(**changed: Any) -> type[Saga[OrderProcessState]]:
    first = Step(shop.bill_order, OrderBilled, timeout=30, pivot=True, on_answer=note_charge)
    label, last = wait(**{"on_timeout": "go on", **changed}), Step(shop.mark_ready, OrderReadyToShip, timeout=30)
    return saga(bill=first, label=label, close=last, flow=first >> label >> last)


def billed(**changed: Any) -> SagaTranscript:
    """A story up to the wait."""
    return SagaTranscript(waiting(**changed)).given(PLACED).expect(BillOrder).given(BILLED).expect()


def business(story: SagaTranscript) -> OrderProcessState:
    return OrderProcessState.FromString(story.record.state)


# --- it comes ---


def test_s98_the_saga_goes_on_with_the_event_and_its_record_says_who_said_it() -> None:
    story = billed().expect_waiting(ShippingLabelCreated, "CH-1")
    assert story.decision.timers[-1] == SetTimer("label", 1_000.0 + 3 * 86_400, after_mail=True)
    story.given_outside(LABEL, said_by="warehouse/HAT").expect(MarkReadyToShip(order_id="ORD-1", label_id="CH-1"))
    assert story.step("label").heard_from == "warehouse/HAT"
    assert story.step_status("label") == "done"
    assert business(story).label_id == "CH-1"
    assert "label" not in story.timers
    story.given(READY).expect_status("completed")


@pytest.mark.broken_by("early-event-forgotten")
def test_s99_an_event_that_came_early_counts_when_the_saga_waits_and_only_once() -> None:
    story = SagaTranscript(waiting()).given(PLACED).given_outside(LABEL, said_by="warehouse/HAT").expect()
    story.given(BILLED).expect(MarkReadyToShip)
    assert story.step("label").heard_from == "warehouse/HAT"
    story.given_outside(LABEL).expect().expect_ignored("handed to process/ORD-1 before")
    assert story.step_status("label") == "done"


def test_s99_of_events_that_come_early_one_more_than_are_kept_is_refused_aloud() -> None:
    story = SagaTranscript(waiting()).given(PLACED).given_outside(LABEL)
    story.given_outside(LABEL).expect_ignored("the same has come before")
    with pytest.raises(FinalError, match=r"shop.ShippingLabelCreated with key 'CH-1' came before process waits for it"):
        story.given_outside(OTHER)
    SagaTranscript(waiting(keep=2)).given(PLACED).given_outside(LABEL).given_outside(OTHER)


@pytest.mark.broken_by("late-event-kept")
def test_s100_an_event_after_the_time_limit_is_recorded_as_late_and_its_sender_is_told() -> None:
    story = billed().given_silence("label").expect(RefundOrder)
    story.expect_status("compensating", "label: no ShippingLabelCreated with key 'CH-1' came within 3 days, 0:00:00")
    story.given_outside(LABEL).expect().expect_ignored("it came late: process/ORD-1 waits for it no more")
    (told,) = story.decision.outgoing
    assert "late" in str(told.message)
    story.given(REFUNDED).expect(CancelOrder).given(CANCELLED).expect_status("compensated")


def test_s100_an_event_that_races_with_the_time_limit_is_late_for_the_saga() -> None:
    story = billed()
    asked = story.command(AwaitEvent)
    story.given_silence("label").expect(RefundOrder)
    came = EventCame(command_id=asked.id, event_type="shop.ShippingLabelCreated", body=LABEL.SerializeToString())
    story.given_event(came).expect().expect_ignored("ShippingLabelCreated came late: step label is undone")


def test_s127_a_key_that_another_instance_holds_is_refused_and_its_holder_is_named() -> None:
    story = billed()
    asked = story.command(AwaitEvent)
    taken = KeyTaken(key="CH-1", event_type="shop.ShippingLabelCreated", holder="process/ORD-9", task="label")
    story.given(taken, to=asked).expect(RefundOrder)
    said = "label: process/ORD-9 waits for ShippingLabelCreated with key 'CH-1' already, in its step label"
    story.expect_status("compensating", said)
    assert story.step_status("label") == "refused"


def test_a_saga_that_is_cancelled_stops_waiting_for_the_key_it_asked_for() -> None:
    story = billed().given_cancellation("changed my mind").expect(CancelAccepted, RefundOrder)
    assert story.command(StopWaiting).message == StopWaiting(
        key="CH-1", event_type="shop.ShippingLabelCreated", task="label"
    )
    assert story.step_status("label") == "undone"
    assert story.timers == {}


def test_a_saga_that_goes_on_without_the_event_stops_waiting_and_takes_no_late_one() -> None:
    story = billed(on_timeout="go on").given_silence("label").expect(MarkReadyToShip)
    assert story.step_status("label") == "done"
    assert "no ShippingLabelCreated with key 'CH-1' came within" in story.step("label").do.outcome
    story.given_outside(LABEL).expect().expect_ignored("waits for it no more")
    story.given(READY).expect_status("completed")


def test_a_fault_of_the_actor_of_the_key_turns_back_or_past_the_pivot_has_it_asked_again_in_the_same_time() -> None:
    story = billed()
    story.given_fault("no room", to=story.command(AwaitEvent)).expect(RefundOrder)
    story = SagaTranscript(past_pivot()).given(PLACED).given(BILLED)
    until_s = story.timers["label"]
    story.given_fault("no room", to=story.command(AwaitEvent)).expect()
    story.given_silence("label")
    assert len([one for one in story.sent if isinstance(one.message, AwaitEvent)]) == 2
    assert story.timers["label"] == until_s
    story.given_outside(LABEL).expect(MarkReadyToShip)


def test_a_key_that_the_state_does_not_tell_is_its_authors_mistake() -> None:
    story = SagaTranscript(waiting()).given(PLACED).given(OrderBilled(order_id="ORD-1"))
    story.expect(RefundOrder).expect_status("compensating", "key made ''; it has to be the text by which")


# --- as it is declared ---


def mistakes() -> dict[str, Any]:
    return {
        "Process.label: it does not say how long to wait for the event: within=days(3)": {"within": None},
        "Process.label: a wait for an event has a finite span above 0": {"within": -1.0},
        "Process.label: on_timeout is 'turn back' or 'go on', not 'refuse'": {"on_timeout": "refuse"},
        "Process.label: shop.BillOrder is a command; a saga waits for an event": {"event": BillOrder, "by": ""},
        "Process.label: shop.OrderState has no key": {"event": OrderState, "by": ""},
        "Process.label: amends.SagaRecord is the runtime's own": {"event": SagaRecord, "by": "definition"},
        "Process.label: shop.ShippingLabelCreated has no text field 'payment_id'": {"by": "payment_id"},
        "Process.label: by is the dotted name of a field of the event, not 0": {"by": 0},
        "Process.label.event: 7 is no message type": {"event": 7},
        "Process.label.key: 7 is no function": {"key": 7},
        "Process.label.key: <lambda> takes the state; no more": {"key": lambda state, more: ""},
        "Process.label.on_event: annotate the last parameter of keep_charge": {"on_event": shop.keep_charge},
        "Process.label: keep is how many events that come early are kept": {"keep": 0},
        "Process.label: early is 'keep', 'discard' or 'fault', not 'drop'": {"early": "drop"},
        "Process.label: events that come early are kept for a finite span": {"keep_for": 0},
        "Process.label: outside is True or False, not 1": {"outside": 1},
    }


@pytest.mark.parametrize("complaint", mistakes())
def test_a_wait_that_makes_no_sense_is_refused_with_its_place(complaint: str) -> None:
    declared = {"event": ShippingLabelCreated, "by": "label_id", "key": charge, "within": days(3)}
    one = Await(**{**declared, **mistakes()[complaint]})
    first = bill()
    with pytest.raises(InvalidDefinition) as refused:
        saga(bill=first, label=one, flow=first >> one)
    assert complaint in str(refused.value)


def test_past_the_pivot_a_wait_has_to_say_that_the_saga_goes_on() -> None:
    with pytest.raises(InvalidDefinition, match=r"Process.label: it comes after the pivot.*on_timeout='go on'"):
        past_pivot(on_timeout="turn back")


def test_two_waits_for_one_event_agree_on_what_is_kept() -> None:
    first, last, step = wait(), wait(keep=2), close()
    with pytest.raises(InvalidDefinition, match=r"Process.last: first waits for shop.ShippingLabelCreated as well"):
        saga(first=first, last=last, step=step, flow=step >> first >> last)


def test_what_is_awaited_changes_the_definition_and_how_long_does_not() -> None:
    prints = {waiting(within=days(n)).definition.fingerprint for n in (1, 2)}
    assert len(prints) == 1
    assert waiting(on_timeout="go on").definition.fingerprint not in prints


def test_a_transcript_refuses_an_event_that_the_saga_never_waits_for() -> None:
    with pytest.raises(InvalidMessage, match=r"the saga waits for no shop.OrderBilled; it waits for shop.Shipping"):
        billed().given_outside(BILLED)


def test_a_drawing_says_what_is_waited_for_and_where_its_time_leads() -> None:
    drawing = draw_saga(waiting().definition)
    assert 'state "label: wait for ShippingLabelCreated" as label' in drawing
    assert "label --> undo_label: nothing within 3 days, 0:00:00" in drawing
    assert "label --> undo_bill: another waits for its key" in drawing
    assert "label --> close: nothing within 3 days" in draw_saga(waiting(on_timeout="go on").definition)


# --- every schedule ---


@pytest.mark.parametrize(
    "process",
    [waiting(), waiting(on_timeout="go on"), past_pivot()],
    ids=["turns back", "goes on", "past the pivot"],
)
def test_no_schedule_of_an_event_early_late_twice_or_never_breaks_a_promise(process: type[Saga[Any]]) -> None:
    bounds = Bounds(faults_max=1, silences_max=1, cancels_max=1, poisons_max=0, replays_max=0, duplicates_max=1)
    result = explore(process, bounds=bounds, samples=(PLACED, BILLED, LABEL))
    assert result.complete, result
    result.check()
