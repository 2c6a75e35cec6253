"""A step past the pivot whose budget is spent: the saga is stuck, asks on for ever, or goes on without the step."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from runtime.durations import seconds
from runtime.errors import InvalidDefinition
from runtime.saga.diagram import draw_saga
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, read_back
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, PLACED, READY, begin, bill_order, cancel_order, mark_ready

NO_UNDO = "nothing of it has to be taken back"
BUDGET = Budget(asks_max=2, backoff=10.0, backoff_max=60.0)


def process(policy: str) -> type[Saga[Any]]:
    class OrdersPastPivot(Saga[OrderProcessState], kind="orders-past-pivot"):
        started_by = on(OrderPlaced, begin)
        bill = Step(bill_order, done=OrderBilled, timeout=seconds(30), pivot=True)
        ready = Step(mark_ready, done=OrderReadyToShip, timeout=seconds(30), budget=BUDGET, past_pivot=policy)
        tell = Step(cancel_order, done=OrderCancelled, timeout=seconds(30))
        flow = bill >> ready >> tell

    return OrdersPastPivot


def ready_asked(policy: str) -> SagaTranscript:
    return SagaTranscript(process(policy)).given(PLACED).given(BILLED).expect(MarkReadyToShip)


def test_s72_a_step_past_the_pivot_is_stuck_unless_it_says_otherwise() -> None:
    story = ready_asked("stuck").given_fault().given_silence("ready").given_fault()
    story.expect_status("stuck", "step ready: given up by")


def test_s72_a_step_that_is_retried_is_asked_on_for_ever_with_an_alarm_for_each_budget() -> None:
    story = ready_asked("retry")
    alarms = []
    for _ in range(7):
        story.given_fault("the printer is out")
        alarms.append(story.decision.alarm)
        story.given_silence("ready").expect(MarkReadyToShip)
    assert story.status == "running"
    assert [bool(one) for one in alarms] == [False, True, False, True, False, True, False]
    assert alarms[1] == "step ready has failed 2 times, and is asked on: given up by sales/ORD-1: the printer is out"
    assert "the printer is out" in story.step("ready").do.error
    story.given(READY).expect_status("running")
    assert story.step_status("ready") == "done"


def test_its_pauses_grow_to_an_hour_and_its_silence_counts_as_well() -> None:
    story, pauses = ready_asked("retry"), []
    for _ in range(14):
        failed_at_s = story.now_s
        story.given_fault()
        pauses.append(story.timers["ready"] - failed_at_s)
        story.given_silence("ready")
    assert pauses[:4] == [10.0, 20.0, 40.0, 80.0]
    assert max(pauses) == pauses[-1] == 3600.0
    silent = ready_asked("retry")
    for _ in range(10):
        silent.given_silence("ready")
    assert silent.status == "running"


def test_what_it_remembers_of_commands_does_not_grow_for_ever() -> None:
    story = ready_asked("retry")
    for _ in range(200):
        story.given_silence("ready")
    first = story.sent[1]
    assert len(story.step("ready").do.earlier_ids) <= 33
    story.given(READY, to=first).expect_ignored("answers no command")
    story.given(READY)
    assert story.step_status("ready") == "done"


def test_a_late_answer_settles_a_step_that_is_retried() -> None:
    story = ready_asked("retry")
    first = story.command(MarkReadyToShip)
    for _ in range(5):
        story.given_silence("ready")
    story.given(READY, to=first)
    assert story.step_status("ready") == "done"
    assert "ready" not in story.timers


@pytest.mark.broken_by("nothing-comes-after-what-is-left-out")
def test_s72_a_step_that_is_skipped_is_left_out_and_the_saga_goes_on() -> None:
    story = ready_asked("skip").given_fault("the printer is out").given_silence("ready")
    story.given_fault("the printer is out")
    assert story.step_status("ready") == "left out"
    assert "the printer is out" in story.step("ready").do.error
    assert "ready" not in story.timers
    story.expect(type(cancel_order(OrderProcessState(order_id="ORD-1"), "")))
    story.given(OrderCancelled(order_id="ORD-1")).expect_status("completed")


def test_an_answer_to_a_step_that_was_left_out_changes_nothing() -> None:
    story = ready_asked("skip")
    asked = story.command(MarkReadyToShip)
    story.given_silence("ready").given_silence("ready")
    assert story.step_status("ready") == "left out"
    story.given(READY, to=asked).expect_ignored("came late: step ready is left out")


@pytest.mark.parametrize(("policy", "then"), [("stuck", "unknown"), ("retry", "unknown"), ("skip", "left out")])
def test_an_answer_that_is_not_declared_uses_up_one_ask_of_the_budget(policy: str, then: str) -> None:
    story = ready_asked(policy)
    story.given(BILLED).expect().expect_status("running")
    assert story.step("ready").do.error == "OrderBilled is no answer that the step declares"
    story.given_silence("ready").expect(MarkReadyToShip).given(BILLED)
    assert story.step_status("ready") == then
    assert story.status == ("stuck" if policy == "stuck" else "running")


def test_an_answer_that_is_not_declared_to_an_earlier_command_changes_nothing() -> None:
    story = ready_asked("skip")
    first = story.command(MarkReadyToShip)
    story.given_silence("ready").expect(MarkReadyToShip).given(BILLED, to=first).expect()
    story.expect_ignored("no answer that the step declares; it was asked again since")
    assert story.step_status("ready") == "asked"
    story.given(READY).expect_status("running")
    assert story.step_status("ready") == "done"


@pytest.mark.parametrize("policy", ["ignore", "", None, 7])
def test_a_policy_that_nobody_knows_is_refused(policy: Any) -> None:
    with pytest.raises(
        InvalidDefinition, match=r"OrdersPastPivot\.ready: past_pivot is one of stuck, retry, skip, not"
    ):
        process(policy)


def test_a_policy_before_the_pivot_is_refused() -> None:
    with pytest.raises(
        InvalidDefinition, match=r"EarlyPolicy\.bill: past_pivot='skip' is for a step that comes after the"
    ):

        class EarlyPolicy(Saga[OrderProcessState], kind="early"):
            started_by = on(OrderPlaced, begin)
            bill = Step(bill_order, done=OrderBilled, timeout=seconds(30), past_pivot="skip", no_undo=NO_UNDO)
            flow = bill


@pytest.mark.parametrize(("policy", "says"), [("stuck", ""), ("retry", " for ever"), ("skip", ", then left out")])
def test_it_is_drawn_and_stored(policy: str, says: str) -> None:
    definition = process(policy).definition
    line = f"ready --> ready: silence or fault, asked again{says}\n"
    assert line in draw_saga(definition)
    assert line in draw_saga(read_back(described(definition)))
    assert definition.fingerprint == process("stuck").definition.fingerprint, "running instances are carried"


@pytest.mark.parametrize("policy", ["stuck", "retry", "skip"])
def test_every_schedule_of_it_keeps_the_promises(policy: str) -> None:
    bounds = Bounds(faults_max=2, silences_max=2, poisons_max=1, replays_max=1, duplicates_max=0, cancels_max=0)
    result = explore(process(policy), bounds=bounds)
    assert result.violations == ()
    assert result.complete and {"completed", "stuck"} <= set(result.ends)
