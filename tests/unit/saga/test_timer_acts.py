"""An operator moves or cancels a timer: what fires then, what is said of it, and what may not be cancelled."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip
from protos.warehouse_pb2 import BackOrdered
from runtime.durable.behaviour import SetTimer
from runtime.durations import days, hours
from runtime.protos.saga_pb2 import RepairAccepted, RepairRefused, RepairSaga
from runtime.saga.preview import preview
from runtime.saga.remind import Remind
from runtime.saga.saga import Saga
from runtime.saga.timer_acts import CANCELLABLE
from runtime.saga.timer_purposes import Purpose, purposes_of
from runtime.saga.wait import Wait
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BACK_ORDERED, BILLED, PLACED, FirmOrderProcess, ShopProcess
from tests.unit.saga.test_any_story import ACTS, StoryWorld
from tests.unit.saga.test_approval import asked, decide
from tests.unit.saga.test_awaits import waiting as waiting_for_label
from tests.unit.saga.test_nodes import bill, close, saga
from tests.unit.saga.test_reminders import NAG, billed, missing

DEADLINE = "saga deadline"


def moved(story: SagaTranscript, timer: str, **due: Any) -> SagaTranscript:
    act = RepairSaga(act=RepairSaga.MOVE_TIMER, timer=timer, who="ann", reason="a call", **due)
    return story.given_act(act).expect(RepairAccepted)


def cancelled(story: SagaTranscript, timer: str) -> SagaTranscript:
    act = RepairSaga(act=RepairSaga.CANCEL_TIMER, timer=timer, who="ann", reason="a call")
    return story.given_act(act).expect(RepairAccepted)


def refused(story: SagaTranscript, act: RepairSaga, why: str) -> None:
    before, timers = story.record.SerializeToString(), dict(story.timers)
    story.given_act(act).expect(RepairRefused).expect_ignored(why)
    assert (story.record.SerializeToString(), story.timers) == (before, timers), "a refused act changes nothing"


def pausing() -> SagaTranscript:
    """Bills, waits for two days, and closes."""
    first, rest, last = bill(), Wait(days(2)), close()
    return SagaTranscript(saga(bill=first, rest=rest, close=last, flow=first >> rest >> last)).given(PLACED)


def undo_to_be_asked_again() -> SagaTranscript:
    return SagaTranscript(ShopProcess).given(PLACED).given(BILLED).given(BACK_ORDERED).given_fault("bank closed")


# --- moved ---


@pytest.mark.broken_by("moved-timer-stays")
def test_a_pause_ends_when_its_timer_is_moved_to_now() -> None:
    story = moved(pausing().given(BILLED).expect(), "rest", in_s=0.0)
    assert story.timers["rest"] == story.now_s
    story.given_silence("rest").expect(MarkReadyToShip)
    (repair,) = story.record.repairs
    assert (repair.who, repair.reason, repair.timer) == ("ann", "a call", "rest")
    assert repair.text == "fires timer rest (pause) now"


def test_a_timer_moves_to_an_instant_and_what_is_past_is_now() -> None:
    story = pausing().given(BILLED)
    moved(story, "rest", due_at_s=story.now_s + 500)
    assert story.timers["rest"] == story.now_s + 500
    at = datetime.fromtimestamp(story.now_s + 500, UTC).isoformat()
    assert story.record.repairs[-1].text == f"moves timer rest (pause) to {at}"
    moved(story, "rest", due_at_s=1.0)
    assert story.timers["rest"] == story.now_s


def test_a_timeout_that_comes_earlier_is_silence_and_its_reason_tells_who_moved_it() -> None:
    story = moved(SagaTranscript(ShopProcess).given(PLACED), "bill", in_s=0.0).given_silence("bill")
    story.expect(RefundOrder)
    assert story.record.reason == "bill: no answer by the instant to which ann moved its timer"


def test_a_timer_that_is_set_anew_is_that_of_the_definition_again() -> None:
    story = SagaTranscript(FirmOrderProcess).given(PLACED).given(BILLED)
    moved(story, "ship", in_s=1.0).given_silence("ship")
    while story.status == "running":
        story.given_silence("ship")
    assert "1200 s" in story.step("ship").do.error


def test_a_timeout_that_is_moved_to_later_leaves_the_step_its_time() -> None:
    story = moved(SagaTranscript(ShopProcess).given(PLACED), "bill", in_s=500.0)
    assert story.timers["bill"] == story.now_s + 500.0
    story.given(BILLED)
    assert "bill" not in story.timers


def test_an_undo_is_asked_for_again_at_once_where_its_pause_is_ended() -> None:
    story = moved(undo_to_be_asked_again(), "bill", in_s=0.0)
    story.given_silence("bill").expect(RefundOrder)


def test_a_deadline_that_is_moved_turns_the_saga_back_when_it_is_over() -> None:
    story = moved(SagaTranscript(ShopProcess).given(PLACED), DEADLINE, in_s=5.0)
    story.given_silence(DEADLINE).expect(RefundOrder)
    assert story.record.reason == "timeout: not past the pivot by the instant to which ann moved its timer"


def test_the_limit_of_a_wait_for_an_event_moves_and_still_waits_for_the_mail_before_it() -> None:
    story = SagaTranscript(waiting_for_label()).given(PLACED).given(BILLED)
    moved(story, "label", in_s=9 * 86_400.0)
    (timer,) = [one for one in story.decision.timers if isinstance(one, SetTimer)]
    assert timer.after_mail
    assert story.step("label").until_s == story.timers["label"] == story.now_s + 9 * 86_400.0
    story.given_silence("label")
    error = "no ShippingLabelCreated with key 'CH-1' came by the instant to which ann moved its timer"
    assert story.record.reason == f"label: {error}"


def test_a_reminder_that_is_moved_is_said_then_and_counts() -> None:
    story = moved(billed(), NAG, in_s=0.0).given_silence(NAG).expect(BackOrdered)
    (entry,) = story.record.reminders
    assert entry.said == 1


def test_an_approval_whose_limit_is_over_earlier_says_who_moved_it() -> None:
    story = moved(asked(), "boss", in_s=0.0).given_silence("boss")
    assert "nobody has approved by the instant to which ann moved its timer" in story.record.reason


# --- cancelled ---


@pytest.mark.broken_by("cancelled-timer-fires")
def test_a_reminder_that_is_cancelled_is_not_said_any_more() -> None:
    story = cancelled(billed(), NAG)
    assert NAG not in story.timers
    assert story.record.repairs[-1].text == "cancels timer remind nag (reminder)"
    refused(story, RepairSaga(act=RepairSaga.CANCEL_TIMER, timer=NAG), f"it waits for no timer '{NAG}'")


def test_a_deadline_that_is_cancelled_leaves_a_note_until_it_is_set_again() -> None:
    story = cancelled(SagaTranscript(ShopProcess).given(PLACED), DEADLINE)
    assert DEADLINE not in story.timers
    assert story.record.deadline_cancelled == "ann: a call"
    moved(story, DEADLINE, in_s=60.0)
    assert (story.timers[DEADLINE], story.record.deadline_cancelled) == (story.now_s + 60.0, "")


def test_an_approval_without_its_limit_waits_for_the_person() -> None:
    story = cancelled(asked(), "boss")
    assert "boss" not in story.timers
    decide(story).expect(MarkReadyToShip, RepairAccepted)


@pytest.mark.parametrize(
    ("story", "timer", "why"),
    [
        (lambda: SagaTranscript(ShopProcess).given(PLACED), "bill", "bill could be waited for without end: move-timer"),
        (lambda: pausing().given(BILLED), "rest", "what comes after rest would never begin: move-timer to now"),
        (undo_to_be_asked_again, "bill", "the undo of bill is owed, and would never be asked for again: move-timer"),
        (
            lambda: SagaTranscript(waiting_for_label()).given(PLACED).given(BILLED),
            "label",
            "label could be waited for without end: move-timer has it fire later, or now",
        ),
    ],
)
@pytest.mark.broken_by("any-timer-may-be-cancelled")
def test_a_timer_without_which_the_saga_could_wait_for_ever_is_not_cancelled(story: Any, timer: str, why: str) -> None:
    refused(story(), RepairSaga(act=RepairSaga.CANCEL_TIMER, timer=timer), why)


# --- refused ---


@pytest.mark.parametrize("due", [{"in_s": math.nan}, {"in_s": -1.0}, {"in_s": math.inf}, {"due_at_s": 1e300}])
def test_an_instant_that_is_none_is_refused(due: dict[str, Any]) -> None:
    act = RepairSaga(act=RepairSaga.MOVE_TIMER, timer="bill", **due)
    refused(SagaTranscript(ShopProcess).given(PLACED), act, "is no instant at which a timer could fire")


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (RepairSaga(act=RepairSaga.MOVE_TIMER, in_s=0.0), "it waits for no timer ''; there are saga deadline, bill"),
        (RepairSaga(act=RepairSaga.MOVE_TIMER, timer="ship", in_s=0.0), "it waits for no timer 'ship'"),
        (RepairSaga(act=RepairSaga.MOVE_TIMER, timer="bill"), "say when it fires"),
        (RepairSaga(act=RepairSaga.CANCEL_TIMER, timer="bill", task="bill"), "name that, and no task"),
        (RepairSaga(act=RepairSaga.SUSPEND, timer="bill"), "suspend is about no timer"),
        (RepairSaga(act=RepairSaga.CANCEL, in_s=0.0), "cancel is about no timer"),
    ],
)
def test_an_act_that_names_no_timer_or_the_wrong_one_is_refused(act: RepairSaga, why: str) -> None:
    refused(SagaTranscript(ShopProcess).given(PLACED), act, why)


def test_a_saga_that_declares_no_deadline_is_given_none() -> None:
    story = SagaTranscript(FirmOrderProcess).given(PLACED)
    refused(story, RepairSaga(act=RepairSaga.MOVE_TIMER, timer=DEADLINE, in_s=9.0), "it waits for no timer")


# --- what each timer is for ---


def remind_of_bill() -> type[Saga[OrderProcessState]]:
    first, last = bill(), close()
    nag = Remind(first, after=hours(1), say=missing)
    return saga(bill=first, close=last, nag=nag, flow=first >> last)


@pytest.mark.parametrize("process", [ShopProcess, remind_of_bill()])
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 7)), max_size=30))
def test_the_record_tells_of_each_timer_that_stands_what_it_is_for_and_of_no_other(
    process: type[Saga[Any]], drawn: list[tuple[str, int]]
) -> None:
    world = StoryWorld(SagaTranscript(process).given(PLACED))
    world.look()
    for act, choice in drawn:
        world.act(act, choice)
        told = {name for name, _ in purposes_of(world.story.record)}
        assert told - ({DEADLINE} - set(world.story.timers)) == set(world.story.timers)


def test_what_may_be_cancelled_is_what_a_saga_goes_on_without() -> None:
    assert {*CANCELLABLE} == {Purpose.REMINDER, Purpose.DEADLINE, Purpose.APPROVAL}


def test_a_preview_names_the_timer_and_the_instant_at_which_it_fires() -> None:
    story = SagaTranscript(ShopProcess).given(PLACED).expect(BillOrder)
    act = RepairSaga(act=RepairSaga.MOVE_TIMER, timer="bill", in_s=7.0, who="ann", reason="x")
    seen = preview(ShopProcess.definition, story.record, act, story.now_s)
    assert seen.timers == (("bill", story.now_s + 7.0),)
    assert (seen.sent, seen.moves) == ((), ())
