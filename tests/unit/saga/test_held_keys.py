"""A saga learns keys by which events find it: it asks for them, moves them, gives them up, or finds them taken."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderReadyToShip
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.durations import days, seconds
from runtime.errors import FinalError, InvalidDefinition, InvalidMessage
from runtime.protos.saga_pb2 import (
    AwaitEvent,
    EventCame,
    HoldKey,
    KeyTaken,
    ReleaseKey,
    RepairSaga,
    SagaRecord,
    StandingKey,
    StopWaiting,
)
from runtime.saga.awaiting import Await
from runtime.saga.diagram import draw_saga
from runtime.saga.first_of import FirstOf
from runtime.saga.key import Key
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.stored import described, read_back
from runtime.saga.wait import Wait
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.shop import BILLED, CANCELLED, PLACED, READY, REFUNDED
from tests.unit.saga.test_awaits import LABEL, charge, note_charge, note_label
from tests.unit.saga.test_nodes import bill, close, saga

NINE = "process/ORD-9"


def waiting(key: Key | None = None, **changed: Any) -> type[Saga[OrderProcessState]]:
    """Bills, and learns the charge; says that it is ready; then waits for a label for the charge."""
    charged = key or Key(of=charge)
    declared = {"by": "label_id", "within": days(3), "on_event": note_label, "early": "discard"}
    first = Step(**{**vars(bill()), "on_answer": note_charge})
    ready, label = close(), Await(ShippingLabelCreated, key=charged, **{**declared, **changed})
    return saga(bill=first, ready=ready, label=label, charged=charged, flow=first >> ready >> label)


def past_pivot(key: Key | None = None) -> type[Saga[OrderProcessState]]:
    charged = key or Key(of=charge)
    first = Step(shop.bill_order, OrderBilled, timeout=30, pivot=True, on_answer=note_charge)
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged, on_timeout="go on")
    last = Step(shop.mark_ready, OrderReadyToShip, timeout=30)
    return saga(bill=first, label=label, last=last, charged=charged, flow=first >> label >> last)


def placed(process: type[Saga[Any]] | None = None) -> SagaTranscript:
    return SagaTranscript(process or waiting()).given(PLACED).expect(BillOrder)


def only(story: SagaTranscript) -> StandingKey:
    (key,) = story.record.keys
    return key


# --- it finds the saga ---


@pytest.mark.broken_by("held-key-finds-nobody")
def test_s125_an_event_finds_the_saga_from_the_turn_on_that_has_learned_its_key() -> None:
    story = placed()
    assert only(story).status == StandingKey.UNASKED
    story.expect_key("CH-1", "")
    story.given_outside(LABEL).expect().expect_ignored("discarded: no instance of process waits for it")
    story.given(BILLED).expect(MarkReadyToShip).expect_key("CH-1")
    assert story.command(HoldKey).message == HoldKey(
        key="CH-1", name="charged", event_types=["shop.ShippingLabelCreated"]
    )
    assert (only(story).value, only(story).status) == ("CH-1", StandingKey.HELD)
    story.given_outside(LABEL, said_by="warehouse/HAT").expect()
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")
    assert story.step("label").heard_from == "warehouse/HAT"


def test_s125_what_finds_no_saga_is_a_dead_letter_where_that_is_declared() -> None:
    story = placed(waiting(early="fault"))
    with pytest.raises(FinalError, match=r"with key 'CH-1': no instance of process waits for it"):
        story.given_outside(LABEL)
    story.given(BILLED).given_outside(LABEL)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_s126_a_key_that_the_state_tells_no_more_finds_no_saga() -> None:
    def known(state: OrderProcessState) -> str:
        return "" if state.label_id else state.charge_id

    def forget(state: OrderProcessState, answer: OrderReadyToShip) -> None:
        state.label_id = "forgotten"

    charged, first = Key(of=known), Step(**{**vars(bill()), "on_answer": note_charge})
    ready = Step(**{**vars(close()), "on_answer": forget})
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged)
    process = saga(bill=first, ready=ready, label=label, charged=charged, flow=first >> label >> ready)
    story = placed(process).given(BILLED).expect_key("CH-1")
    story.given_outside(LABEL).expect(MarkReadyToShip)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_key("CH-1", "")
    assert [one.message.key for one in story.sent if isinstance(one.message, ReleaseKey)] == ["CH-1"]
    other = ShippingLabelCreated(order_id="ORD-2", sku="HAT", quantity=1, label_id="CH-1")
    story.given_outside(other).expect().expect_ignored("it came late: process/ORD-1 has had its event")


def test_a_key_that_is_given_up_before_the_saga_waits_makes_later_events_late() -> None:
    story = placed().given(BILLED).given_cancellation().expect_key("CH-1")
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    story.expect_status("compensated").expect_key("CH-1", "")
    assert list(story.record.keys) == []
    story.given_outside(LABEL).expect_ignored("it came late: process/ORD-1 waits for it no more")


def test_what_is_kept_for_a_saga_that_gives_its_key_up_is_no_other_ones_and_an_alarm_says_so() -> None:
    story = placed().given(BILLED).given_outside(LABEL).given_cancellation()
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    story.given_key_of_another("charged", "CH-1", by=NINE).expect_key("CH-1", NINE)


def moving() -> type[Saga[OrderProcessState]]:
    """Waits for a label of its charge, while another step tells another charge."""

    def change(state: OrderProcessState, answer: OrderReadyToShip) -> None:
        state.charge_id = "CH-2"

    charged, first = Key(of=charge), Step(**{**vars(bill()), "on_answer": note_charge})
    ready = Step(**{**vars(close()), "on_answer": change})
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged, on_event=note_label)
    return saga(bill=first, ready=ready, label=label, charged=charged, flow=first >> (ready | label))


def test_a_wait_goes_on_by_the_new_key_in_the_time_that_it_has_left() -> None:
    story = placed(moving()).given(BILLED).expect_waiting(ShippingLabelCreated, "CH-1")
    until_s = story.timers["label"]
    story.now_s += 10
    story.given(READY, to=story.command(MarkReadyToShip)).expect_waiting(ShippingLabelCreated, "CH-2")
    story.expect_key("CH-1", "").expect_key("CH-2")
    assert story.timers["label"] == until_s
    story.given_outside(LABEL).expect_ignored("it came late")
    moved = ShippingLabelCreated(order_id="ORD-1", sku="HAT", quantity=2, label_id="CH-2")
    story.given_outside(moved).expect_status("completed").expect_key("CH-2", "")


def changes_to(charge_id: str) -> Step:
    def change(state: OrderProcessState, answer: OrderReadyToShip) -> None:
        state.charge_id = charge_id

    return Step(**{**vars(close()), "on_answer": change})


def test_a_wait_whose_key_changes_and_changes_back_is_found_by_it() -> None:
    charged, first = Key(of=charge), Step(**{**vars(bill()), "on_answer": note_charge})
    away, back = changes_to("CH-2"), changes_to("CH-1")
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged, on_event=note_label)
    flow = first >> ((away >> back) | label)
    story = placed(saga(bill=first, away=away, back=back, label=label, charged=charged, flow=flow)).given(BILLED)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_waiting(ShippingLabelCreated, "CH-2")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_waiting(ShippingLabelCreated, "CH-1")
    story.given_outside(LABEL).expect_status("completed")


@pytest.mark.parametrize("between", ["CH-2", ""])
def test_an_event_that_comes_early_by_a_key_that_was_given_up_and_taken_again_is_kept(between: str) -> None:
    charged, first = Key(of=charge), Step(**{**vars(bill()), "on_answer": note_charge})
    away, back, last = changes_to(between), changes_to("CH-1"), close()
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged, early="discard")
    parts = {"bill": first, "away": away, "back": back, "last": last, "label": label, "charged": charged}
    story = placed(saga(**parts, flow=first >> away >> back >> last >> label)).given(BILLED)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_key("CH-1", "")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_key("CH-1")
    story.given_outside(LABEL).given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_an_event_that_was_handed_over_by_the_old_key_counts_after_the_wait_has_moved() -> None:
    story = placed(moving()).given(BILLED)
    asked = story.command(AwaitEvent)
    story.given(READY, to=story.command(MarkReadyToShip)).expect_waiting(ShippingLabelCreated, "CH-2")
    came = EventCame(command_id=asked.id, event_type="shop.ShippingLabelCreated", body=LABEL.SerializeToString())
    story.given_event(came).expect_status("completed")
    assert story.command(StopWaiting).key == "CH-2"
    assert not story._keys.waits()


# --- another instance holds it ---


@pytest.mark.broken_by("key-of-another-taken")
def test_s127_the_second_that_asks_for_a_key_turns_back_and_its_reason_names_the_holder() -> None:
    story = placed().given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect(MarkReadyToShip, RefundOrder).expect_key("CH-1", NINE)
    story.expect_status("compensating", "key charged: process/ORD-9 holds the key 'CH-1' already")
    assert only(story).status == StandingKey.REFUSED
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    story.expect_status("compensated").expect_key("CH-1", NINE)


def test_s127_or_it_is_stuck_where_that_is_declared_and_goes_on_once_the_key_is_free() -> None:
    story = placed(waiting(Key(of=charge, taken="stuck"))).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect(MarkReadyToShip)
    story.expect_status("stuck", "key charged: process/ORD-9 holds the key 'CH-1' already")
    assert story.decision.alarm.startswith("key charged: process/ORD-9 holds")
    story.given_retry().expect_status("stuck", "process/ORD-9")
    story.given_key_freed("charged", "CH-1", by=NINE)
    story.given_act(RepairSaga(act=RepairSaga.RETRY)).expect_status("running").expect_key("CH-1")
    assert story.record.repairs[-1].text == "tries again key charged"
    story.given(READY, to=story.command(MarkReadyToShip)).given_outside(LABEL).expect_status("completed")


def test_s127_a_wait_by_a_key_at_which_the_saga_is_stuck_begins_again_once_it_is_held() -> None:
    story = placed(moving_stuck()).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect_status("stuck", "process/ORD-9 holds the key 'CH-1' already")
    assert story.step_status("label") == "waiting"
    story.given_key_freed("charged", "CH-1", by=NINE)
    story.given_retry().expect_waiting(ShippingLabelCreated, "CH-1").expect_status("running")
    story.given_outside(LABEL).expect_status("completed")


def moving_stuck() -> type[Saga[OrderProcessState]]:
    charged, first = Key(of=charge, taken="stuck"), Step(**{**vars(bill()), "on_answer": note_charge})
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged, on_event=note_label)
    return saga(bill=first, label=label, charged=charged, flow=first >> label)


def test_a_wait_that_begins_again_counts_no_longer_as_refused() -> None:
    story = placed(moving_stuck()).given_key_of_another("charged", "CH-1", by=NINE).given(BILLED)
    assert story.step("label").do.outcome == "amends.KeyTaken"
    story.given_key_freed("charged", "CH-1", by=NINE).given_retry().expect_waiting(ShippingLabelCreated, "CH-1")
    assert story.step("label").do.outcome == ""


def test_a_wait_whose_key_is_given_up_while_the_saga_is_stuck_at_it_turns_the_saga_back() -> None:
    charged, first = Key(of=charge, taken="stuck"), Step(**{**vars(bill()), "on_answer": note_charge})
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged)
    forget = changes_to("")
    process = saga(bill=first, forget=forget, label=label, charged=charged, flow=first >> (forget | label))
    story = placed(process).given_key_of_another("charged", "CH-1", by=NINE).given(BILLED)
    story.expect_status("stuck", "process/ORD-9 holds the key 'CH-1' already")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status(
        "compensating", "label: the key charged is empty now, by which ShippingLabelCreated was to come"
    )


def test_a_saga_that_has_done_all_while_it_was_stuck_at_a_key_completes_once_it_is_tried_again() -> None:
    story = placed(waiting(Key(of=charge, taken="stuck"))).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect_status("stuck").given_key_freed("charged", "CH-1", by=NINE)
    story.given(READY, to=story.command(MarkReadyToShip)).given_outside(LABEL).expect_status("stuck")
    story.given_retry().expect_status("completed").expect_key("CH-1", "")


def test_it_completes_as_well_when_it_needs_the_key_no_more() -> None:
    charged, first = Key(of=charge, taken="stuck"), Step(**{**vars(bill()), "on_answer": note_charge})
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged)
    ready, forget = close(), changes_to("")
    parts = {"bill": first, "ready": ready, "label": label, "forget": forget, "charged": charged}
    story = placed(saga(**parts, flow=first >> ready >> label >> forget))
    story.given_key_of_another("charged", "CH-1", by=NINE).given(BILLED).expect_status("stuck")
    story.given_key_freed("charged", "CH-1", by=NINE).given(READY, to=story.command(MarkReadyToShip))
    story.given_outside(LABEL).given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_a_key_that_is_taken_has_what_is_within_a_task_undone_as_well() -> None:
    card = Step(**{**vars(bill()), "on_answer": note_charge})
    pay, ready, charged = FirstOf(card=card, account=bill()), close(), Key(of=charge)
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged)
    process = saga(pay=pay, ready=ready, label=label, charged=charged, flow=pay >> ready >> label)
    story = placed(process).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect(MarkReadyToShip, RefundOrder).expect_status("compensating", "process/ORD-9 holds")
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    story.expect_status("compensated")


def test_a_saga_that_is_stuck_at_a_key_can_be_cancelled() -> None:
    story = placed(waiting(Key(of=charge, taken="stuck"))).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).given_cancellation("no more").expect_status("compensating", "no more")
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED, to=story.command(CancelOrder))
    story.expect_status("compensated")


def test_past_the_pivot_a_saga_whose_key_is_taken_is_stuck_whatever_is_declared() -> None:
    story = placed(past_pivot()).given_key_of_another("charged", "CH-1", by=NINE)
    story.given(BILLED).expect_status("stuck", "key charged: process/ORD-9 holds the key 'CH-1' already")


def by_two_keys(ordered: Key, second: Key) -> type[Saga[OrderProcessState]]:
    """Owes nothing yet while it asks for both."""
    first = Await(OrderReadyToShip, by="order_id", within=days(3), key=ordered)
    last = Await(ShippingLabelCreated, by="label_id", within=days(3), key=second)
    later = Wait(days(1))
    parts = {"later": later, "first": first, "last": last, "ordered": ordered, "second": second}
    return saga(**parts, flow=later >> first >> last, closing=())


@pytest.mark.broken_by("key-kept-by-one-it-ended")
def test_a_saga_that_a_taken_key_ends_at_once_gives_all_its_keys_up() -> None:
    ordered, second = Key(of=lambda state: state.order_id), Key(of=lambda state: f"{state.order_id}-B")
    process = by_two_keys(ordered, second)
    story = SagaTranscript(process).given_key_of_another("second", "ORD-1-B", by=NINE).given(PLACED)
    story.expect_status("compensated", "key second: process/ORD-9 holds the key 'ORD-1-B' already")
    story.expect_key("ORD-1", "").expect_key("ORD-1-B", NINE)
    assert list(story.record.keys) == []


def test_a_key_whose_author_is_wrong_ends_a_saga_that_owes_nothing_before_it_asks_for_another() -> None:
    ordered, second = Key(of=lambda state: "a\0"), Key(of=lambda state: state.order_id)
    process = by_two_keys(ordered, second)
    story = SagaTranscript(process).given(PLACED).expect_status("compensated", "key ordered")
    assert [one for one in story.sent if isinstance(one.message, HoldKey)] == []
    assert list(story.record.keys) == []


def test_one_that_waits_already_is_not_robbed_of_its_key() -> None:
    story = placed(moving()).given(BILLED)
    story.given_key_of_another("charged", "CH-1", by=NINE).expect_key("CH-1")


def test_a_suspended_saga_turns_back_only_when_it_is_resumed() -> None:
    story = placed()
    story.given(BILLED).given_act(RepairSaga(act=RepairSaga.SUSPEND))
    taken = KeyTaken(key="CH-1", event_type="shop.ShippingLabelCreated", holder=NINE)
    story.given(taken, to=story.command(HoldKey)).expect().expect_status("running")
    story.given_act(RepairSaga(act=RepairSaga.RESUME)).expect_status("compensating", "process/ORD-9 holds")


def test_an_abandoned_saga_gives_its_keys_up() -> None:
    story = placed().given(BILLED).expect_key("CH-1").given_act(RepairSaga(act=RepairSaga.ABANDON))
    story.expect_status("abandoned").expect_key("CH-1", "")


# --- what its author does wrong ---


def test_a_key_that_raises_turns_the_saga_back_with_its_name() -> None:
    def raising(state: OrderProcessState) -> str:
        if state.charge_id:
            raise ValueError("no such charge")
        return ""

    story = placed(waiting(Key(of=raising))).given(BILLED)
    story.expect_status("compensating", "key charged: key charged raised ValueError: no such charge")


@pytest.mark.parametrize(
    ("value", "complaint"), [(7, "made 7, which is no text"), ("x" * 300, "at most 256 bytes"), ("a\0", "key charged")]
)
def test_a_key_that_is_none_turns_the_saga_back(value: Any, complaint: str) -> None:
    story = placed(waiting(Key(of=lambda state: value if state.charge_id else ""))).given(BILLED)
    story.expect_status("compensating", complaint)


def test_a_key_that_is_empty_when_its_wait_begins_is_its_authors_mistake() -> None:
    story = placed().given(OrderBilled(order_id="ORD-1")).given(READY, to=None)
    story.expect_status("compensating", "key made ''; it has to be the text by which shop.ShippingLabelCreated")


def test_keys_that_make_no_sense_are_refused_with_their_place() -> None:
    first, step = bill(), close()
    with pytest.raises(InvalidDefinition, match=r"Process.lone: no event is awaited by this key.*key=lone"):
        saga(first=first, lone=Key(of=charge), flow=first)
    with pytest.raises(InvalidDefinition, match=r"Process.charged: taken is 'turn back' or 'stuck', not 'wait'"):
        waiting(Key(of=charge, taken="wait"))
    with pytest.raises(InvalidDefinition, match=r"Process.label.key: <lambda> takes the state"):
        waiting(Key(of=lambda state, more: ""))  # type: ignore[misc, arg-type]
    label = Await(ShippingLabelCreated, by="label_id", within=days(3), key=Key(of=charge))
    with pytest.raises(InvalidDefinition, match=r"Process.label: its key is no attribute of the class"):
        saga(first=first, label=label, flow=first >> label)
    charged = Key(of=charge)
    one = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charged)
    two = Await(ShippingLabelCreated, by="label_id", within=days(3), key=charge)
    with pytest.raises(
        InvalidDefinition, match=r"two: one waits for shop.ShippingLabelCreated as well, and by another"
    ):
        saga(step=step, one=one, two=two, charged=charged, flow=step >> one >> two)


def test_the_key_by_which_is_waited_changes_the_definition_and_is_drawn_and_stored() -> None:
    process = waiting()
    plain = waiting(key=None).definition.fingerprint
    assert plain == process.definition.fingerprint
    assert past_pivot(Key(of=charge, taken="stuck")).definition.fingerprint == past_pivot().definition.fingerprint
    assert "label: wait for ShippingLabelCreated by its key charged" in draw_saga(process.definition)
    assert read_back(described(process.definition)).awaits[0].standing == "charged"


def test_a_variation_keeps_the_keys() -> None:
    varied = waiting().with_steps(label={"within": seconds(9)})
    assert [key.name for key in varied.definition.keys] == ["charged"]
    assert varied.definition.awaits[0].standing == "charged"


def test_an_exploration_refuses_keys_that_a_saga_holds() -> None:
    with pytest.raises(InvalidDefinition, match="an exploration does not know keys that a saga learns yet"):
        explore(waiting())


def test_a_transcript_refuses_a_key_that_the_saga_does_not_have() -> None:
    with pytest.raises(InvalidMessage, match=r"the saga has no key 'other'; it has charged"):
        placed().given_key_of_another("other", "CH-1", by=NINE)


def test_the_record_of_a_saga_without_keys_has_none() -> None:
    story = SagaTranscript(saga(bill=(one := bill()), flow=one)).given(PLACED)
    assert list(SagaRecord.FromString(story.record.SerializeToString()).keys) == []
