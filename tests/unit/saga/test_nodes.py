"""Waits, choices, early ends, steps side by side: what begins when, what is passed over, what turning back does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    CreateShippingLabel,
    ShippingLabelCreated,
    ShippingLabelVoided,
    VoidShippingLabel,
)
from runtime.durations import days, minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.saga.when import End, When
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop
from tests.unit.saga.made import made
from tests.unit.saga.shop import BILLED, CANCELLED, DECLINED, LABELLED, PLACED, READY, REFUNDED, VOIDED

CHEAP = OrderPlaced(order_id="ORD-1", line=PLACED.line, amount_cents=0)


def bill() -> Step:
    return Step(
        shop.bill_order,
        OrderBilled,
        PaymentDeclined,
        undo=shop.refund_order,
        undone=OrderRefunded,
        timeout=30,
    )


def ship() -> Step:
    return Step(
        shop.create_label,
        ShippingLabelCreated,
        BackOrdered,
        undo=shop.void_label,
        undone=ShippingLabelVoided,
        timeout=minutes(5),
    )


def close() -> Step:
    return Step(shop.mark_ready, OrderReadyToShip, timeout=seconds(30), no_undo="it only says so")


def costs(state: OrderProcessState) -> bool:
    return state.amount_cents > 0


def saga(**body: Any) -> type[Saga[OrderProcessState]]:
    started: dict[str, Any] = {"started_by": on(OrderPlaced, shop.begin)}
    closing = {"closing": Step(shop.cancel_order, done=OrderCancelled)}
    return made("Process", Saga[OrderProcessState], {**started, **closing, **body}, kind="process")


def waiting(wait: Wait) -> type[Saga[OrderProcessState]]:
    first, last = bill(), ship()
    return saga(bill=first, rest=wait, ship=last, flow=first >> wait >> last)


def choosing(condition: Any = costs, *, otherwise: bool = False) -> type[Saga[OrderProcessState]]:
    """Bills only what costs something; ships; says that it is done."""
    paid, sent, done = bill(), ship(), close()
    if otherwise:
        choice = When(condition, then=paid, otherwise=done)
        return saga(bill=paid, ship=sent, close=done, choice=choice, flow=choice >> sent)
    choice = When(condition, then=paid)
    return saga(bill=paid, ship=sent, close=done, choice=choice, flow=choice >> sent >> done)


def phases(story: SagaTranscript) -> dict[str, str]:
    return {task.path: story.step_status(task.path) for task in story.record.tasks}


# --- waits ---


def test_a_wait_lets_what_comes_after_it_begin_when_its_span_is_over() -> None:
    story = SagaTranscript(waiting(Wait(days(2)))).given(PLACED).given(BILLED)
    story.expect().expect_status("running")
    assert story.step_status("rest") == "timed"
    assert story.timers == {"rest": 1_000.0 + 2 * 86_400}
    story.given_silence("rest").expect(CreateShippingLabel)
    assert story.step_status("rest") == "done"


@pytest.mark.broken_by("wait-without-its-timer")
def test_s122_a_wait_ends_at_the_instant_that_the_state_tells() -> None:
    def noon(state: OrderProcessState) -> datetime:
        return datetime.fromtimestamp(5_000, UTC)

    story = SagaTranscript(waiting(Wait(until=noon))).given(PLACED).given(BILLED)
    assert story.timers == {"rest": 5_000.0}


def test_an_instant_that_has_passed_is_no_wait() -> None:
    def noon(state: OrderProcessState) -> datetime:
        return datetime.fromtimestamp(10, UTC)

    story = SagaTranscript(waiting(Wait(until=noon))).given(PLACED).given(BILLED)
    story.expect(CreateShippingLabel)
    assert story.timers.keys() == {"ship"}


def test_turning_back_ends_a_wait_and_undoes_what_came_before_it() -> None:
    story = SagaTranscript(waiting(Wait(days(2)))).given(PLACED).given(BILLED).given_cancellation("changed my mind")
    assert story.timers == {}
    assert story.command(RefundOrder) in story.decision.outgoing
    story.given(REFUNDED, to=story.command(RefundOrder)).given(CANCELLED).expect_status("compensated")
    assert phases(story) == {"bill": "undone", "rest": "skipped", "ship": "waiting", "closing": "done"}


def test_the_timer_of_a_wait_that_comes_late_is_noted() -> None:
    story = SagaTranscript(waiting(Wait(days(2)))).given(PLACED).given(BILLED).given_silence("rest")
    story.timers["rest"] = story.now_s
    story.given_silence("rest").expect_ignored("timer rest came late: rest is done")


def noon_somewhere(state: OrderProcessState) -> datetime:
    return datetime(2030, 1, 1, 12)


def no_instant(state: OrderProcessState) -> Any:
    return "tomorrow"


def boom(state: OrderProcessState) -> Any:
    raise ValueError("no calendar")


@pytest.mark.parametrize(
    ("until", "says"),
    [
        (noon_somewhere, "until of wait rest made 2030-01-01 12:00:00, which has no time zone"),
        (no_instant, "until of wait rest made a str, not a datetime"),
        (boom, "until of wait rest raised ValueError: no calendar"),
    ],
)
def test_a_wait_whose_function_fails_turns_the_saga_back(until: Any, says: str) -> None:
    story = SagaTranscript(waiting(Wait(until=until))).given(PLACED).given(BILLED)
    story.expect(RefundOrder).expect_status("compensating", f"rest: {says}")


# --- choices ---


def test_a_choice_that_holds_takes_its_branch() -> None:
    story = SagaTranscript(choosing()).given(PLACED).expect(BillOrder)
    story.given(BILLED).expect(CreateShippingLabel).given(LABELLED).expect(MarkReadyToShip)
    story.given(READY).expect_status("completed")
    assert phases(story)["choice"] == phases(story)["bill"] == "done"


def test_a_choice_that_does_not_hold_passes_its_branch_over() -> None:
    story = SagaTranscript(choosing()).given(CHEAP).expect(CreateShippingLabel)
    assert phases(story) == {
        "choice": "done",
        "bill": "passed",
        "ship": "asked",
        "close": "waiting",
        "closing": "waiting",
    }
    story.given(LABELLED).given(READY).expect_status("completed")


def test_each_branch_leads_to_what_comes_after_the_choice() -> None:
    costly, cheap = (SagaTranscript(choosing(otherwise=True)).given(one) for one in (PLACED, CHEAP))
    costly.expect(BillOrder).given(BILLED).expect(CreateShippingLabel)
    cheap.expect(MarkReadyToShip).given(READY).expect(CreateShippingLabel).given(LABELLED).expect_status("completed")


@pytest.mark.broken_by("choice-takes-the-other-branch")
def test_s104_a_choice_is_never_made_again() -> None:
    """An answer changes what the condition looks at, and the saga turns back: what was passed over stays so."""
    story = SagaTranscript(choosing()).given(CHEAP).given_silence("ship")
    story.expect(VoidShippingLabel).given(VOIDED).expect(CancelOrder).given(CANCELLED).expect_status("compensated")
    assert phases(story)["bill"] == "passed"
    assert not next(task for task in story.record.tasks if task.path == "choice").holds


@pytest.mark.parametrize(
    ("condition", "says"), [(boom, "raised ValueError: no calendar"), (no_instant, "made 'tomorrow', which is neither")]
)
def test_a_condition_that_fails_turns_the_saga_back(condition: Any, says: str) -> None:
    story = SagaTranscript(choosing(condition)).given(PLACED)
    story.expect(CancelOrder).expect_status("compensating", f"choice: condition of choice {says}")
    assert phases(story)["choice"] == "waiting"


def test_a_choice_in_a_branch_of_another_is_passed_over_with_it() -> None:
    paid, sent, done = bill(), ship(), close()
    inner = When(costs, then=sent)
    outer = When(costs, then=paid >> inner)
    process = saga(bill=paid, ship=sent, close=done, inner=inner, outer=outer, flow=outer >> done)
    story = SagaTranscript(process).given(CHEAP).expect(MarkReadyToShip)
    assert phases(story) | {} == {
        "outer": "done",
        "bill": "passed",
        "inner": "passed",
        "ship": "passed",
        "close": "asked",
        "closing": "waiting",
    }
    SagaTranscript(process).given(PLACED).given(BILLED).expect(CreateShippingLabel).given(LABELLED).expect(
        MarkReadyToShip
    )


def test_a_choice_at_the_end_completes_the_saga_when_it_does_not_hold() -> None:
    paid, sent = bill(), ship()
    choice = When(costs, then=sent)
    process = saga(bill=paid, ship=sent, choice=choice, flow=paid >> choice)
    SagaTranscript(process).given(CHEAP).given(BILLED).expect().expect_status("completed")


# --- early ends ---


def free(state: OrderProcessState) -> bool:
    return not state.amount_cents


def ending_early() -> type[Saga[OrderProcessState]]:
    paid, sent, end = bill(), ship(), End()
    choice = When(free, then=end)
    return saga(bill=paid, ship=sent, nothing=end, choice=choice, flow=paid >> choice >> sent)


def test_s80_an_early_end_completes_the_saga_and_passes_over_what_has_not_begun() -> None:
    story = SagaTranscript(ending_early()).given(CHEAP).given(BILLED).expect().expect_status("completed")
    assert phases(story) == {
        "bill": "done",
        "choice": "done",
        "nothing": "done",
        "ship": "passed",
        "closing": "waiting",
    }
    assert SagaTranscript(ending_early()).given(PLACED).given(BILLED).expect(CreateShippingLabel).record.ended_at_s == 0


@pytest.mark.broken_by("end-passes-over-what-runs")
def test_s80_an_early_end_waits_for_what_is_under_way_beside_it_and_completes_the_saga() -> None:
    paid, sent, end = bill(), ship(), End()
    choice = When(free, then=end)
    process = saga(bill=paid, ship=sent, nothing=end, choice=choice, flow=(paid | choice) >> sent)
    story = SagaTranscript(process).given(CHEAP).expect(BillOrder).expect_status("running")
    assert phases(story)["ship"] == "passed"
    story.given(BILLED).expect().expect_status("completed")
    again = SagaTranscript(process).given(CHEAP).given(DECLINED).expect(CancelOrder)
    again.given(CANCELLED).expect_status("compensated")


# --- side by side ---


def test_steps_side_by_side_are_joined_by_a_bar() -> None:
    paid, sent, done = bill(), ship(), close()
    process = saga(bill=paid, ship=sent, close=done, flow=(paid | sent) >> done)
    story = SagaTranscript(process).given(PLACED).expect(BillOrder, CreateShippingLabel)
    story.given(LABELLED, to=story.command(CreateShippingLabel)).expect()
    story.given(BILLED, to=story.command(BillOrder)).expect(MarkReadyToShip)


def test_a_bar_binds_less_than_an_arrow() -> None:
    paid, sent, done = bill(), ship(), close()
    flow = paid >> sent | done
    assert isinstance(flow, Flow)
    assert (set(flow.entries), set(flow.exits)) == ({paid, done}, {sent, done})


# --- what is refused when the class is made ---


def beside(**parts: Any) -> Any:
    flow = parts.pop("flow")
    return lambda: saga(**parts, flow=flow)


def text(state: OrderProcessState) -> str:
    return ""


def other(state: SagaRecord) -> bool:
    return True


def a_pivot() -> Step:
    return Step(shop.mark_ready, OrderReadyToShip, timeout=30, pivot=True)


def mistakes() -> dict[str, Any]:
    one, two, end, pivot = bill(), ship(), End(), a_pivot()
    bare, both, never, wrong = Wait(), Wait(1.0, until=noon_somewhere), Wait(-1.0), Wait(until=text)  # type: ignore[arg-type]
    texted, othered = When(text, then=one), When(other, then=one)  # type: ignore[arg-type]
    pivoted, buried = When(costs, then=pivot), When(costs, then=end >> two)
    return {
        "Process.w: a wait has a span": beside(w=bare, a=one, flow=one >> bare),
        "Process.w: a wait has a span, Wait": beside(w=both, a=one, flow=one >> both),
        "Process.w: a wait has a finite span above 0": beside(w=never, a=one, flow=one >> never),
        "Process.w.until: text returns str by its": beside(w=wrong, a=one, flow=one >> wrong),
        "Process.c.condition: text returns str by": beside(c=texted, a=one, flow=texted),
        "Process.c.condition: other takes amends.SagaRecord": beside(c=othered, a=one, flow=othered),
        "Process.c: the pivot stands in a branch": beside(c=pivoted, a=pivot, b=one, flow=one >> pivoted),
        "Process.e: an end stands in a branch of a choice": beside(e=end, a=one, flow=one >> end),
        "Process.e: b comes after it in the same branch": beside(e=end, b=two, a=one, c=buried, flow=one >> buried),
        "Process.c: the when is declared, and not in the flow": beside(c=When(costs, then=one), a=one, flow=one),
        "Process.flow: a end is not an attribute": beside(c=(x := When(costs, then=End())), a=one, flow=one >> x),
    }


@pytest.mark.parametrize("complaint", mistakes())
def test_a_flow_that_makes_no_sense_is_refused_with_its_place(complaint: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        mistakes()[complaint]()
    assert complaint in str(refused.value)


def test_a_flow_of_other_things_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"a flow joins steps by >> and \|, not 'ship'"):
        _ = bill() | "ship"  # type: ignore[operator]


def test_a_condition_can_be_changed_in_a_variation_and_its_branches_follow_their_steps() -> None:
    varied = choosing().with_steps(choice={"condition": free}, bill={"timeout": 1.0})
    SagaTranscript(varied).given(CHEAP).expect(BillOrder)
    story = SagaTranscript(varied).given(PLACED).expect(CreateShippingLabel)
    assert phases(story)["bill"] == "passed"
    assert varied.definition.fingerprint == choosing().definition.fingerprint


def test_a_branch_more_is_another_definition_and_a_longer_wait_is_not() -> None:
    prints = [waiting(Wait(days(n))).definition.fingerprint for n in (1, 2)]
    assert prints[0] == prints[1]
    assert choosing().definition.fingerprint != choosing(otherwise=True).definition.fingerprint


# --- every schedule ---

FEW = Bounds(faults_max=1, silences_max=1, cancels_max=1, poisons_max=0, replays_max=0)


@pytest.mark.parametrize(
    "process",
    [waiting(Wait(days(2))), choosing(), choosing(otherwise=True), ending_early()],
    ids=["wait", "choice", "two branches", "early end"],
)
def test_no_schedule_breaks_a_promise(process: type[Saga[Any]]) -> None:
    for events in ((PLACED,), (CHEAP,)):
        result = explore(process, bounds=FEW, samples=events)
        assert result.complete, result
        result.check()
