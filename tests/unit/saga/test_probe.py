"""A step of unknown outcome that is probed before it fails: what is asked, and what each answer means."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip, OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel
from runtime.errors import InvalidDefinition
from runtime.protos.durable_pb2 import CommandsProbed, ProbeCommands, ProbedCommand
from runtime.protos.saga_pb2 import RepairAccepted, RepairSaga
from runtime.saga.diagram import draw_saga
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Part
from runtime.saga.on import on
from runtime.saga.probe import Probe
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.saga.stored import described, read_back
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga import shop, test_each, test_first_of
from tests.unit.saga.made import made
from tests.unit.saga.shop import BACK_ORDERED, BILLED, CANCELLED, DECLINED, LABELLED, PLACED, READY, REFUNDED

AGAIN = Probe(absent="ask again")


def bill(**changed: Any) -> Step:
    given: dict[str, Any] = {
        "do": shop.bill_order,
        "done": OrderBilled,
        "refused": PaymentDeclined,
        "undo": shop.refund_order,
        "undone": OrderRefunded,
        "timeout": 30,
        "on_answer": shop.keep_charge,
        "budget": Budget(asks_max=2),
        "probe": Probe(),
    }
    return Step(**{**given, **changed})


def process(step: Part, **close: Any) -> type[Saga[OrderProcessState]]:
    given: dict[str, Any] = {"no_undo": "it only says so", "budget": Budget(asks_max=2, backoff=1.0), **close}
    last = Step(shop.mark_ready, OrderReadyToShip, timeout=30, **given)
    body = {
        "started_by": on(OrderPlaced, shop.begin),
        "bill": step,
        "close": last,
        "flow": step >> last,
        "closing": Step(shop.cancel_order, done=OrderCancelled),
    }
    return made("Process", Saga[OrderProcessState], body, kind="process")


def begun(**changed: Any) -> SagaTranscript:
    return SagaTranscript(process(bill(**changed))).given(PLACED).expect(BillOrder)


def past_pivot(**changed: Any) -> SagaTranscript:
    """Behind its pivot, a step that is probed has been silent for its whole budget."""
    story = SagaTranscript(process(bill(pivot=True, probe=None), probe=Probe(), **{"no_undo": "", **changed}))
    story.given(PLACED).given(BILLED).expect(MarkReadyToShip)
    return story.given_silence("close").expect(MarkReadyToShip).given_silence("close").expect(ProbeCommands)


def asked_about(story: SagaTranscript) -> list[bytes]:
    probe = story.command(ProbeCommands).message
    assert isinstance(probe, ProbeCommands)
    return list(probe.commands)


# --- it happened ---


@pytest.mark.broken_by("silent-step-is-not-probed")
def test_s118_a_silent_step_is_probed_and_is_done_with_the_data_of_the_probe() -> None:
    story = begun().given_silence("bill").expect(ProbeCommands)
    assert story.step_status("bill") == "being probed"
    assert asked_about(story) == [story.command(BillOrder).id]
    assert (story.command(ProbeCommands).kind, story.command(ProbeCommands).key) == ("billing", "ORD-1")
    story.given_probed(BILLED).expect(MarkReadyToShip)
    assert story.step_status("bill") == "done"
    assert OrderProcessState.FromString(story.record.state).charge_id == "CH-1"
    assert list(story.timers) == ["close"]
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_s118_a_faulted_step_is_probed_as_well() -> None:
    story = begun().given_fault("the till is jammed").expect(ProbeCommands)
    story.given_probed(BILLED).expect(MarkReadyToShip)


def test_s118_a_step_that_the_probe_finds_refused_is_refused() -> None:
    story = begun().given_silence("bill").given_probed(DECLINED)
    story.expect(CancelOrder).expect_status("compensating", "bill: PaymentDeclined")
    assert story.step_status("bill") == "refused"


def test_s118_the_steps_own_answer_settles_it_while_it_is_probed_and_the_probe_comes_late() -> None:
    story = begun().given_silence("bill")
    story.given(BILLED, to=story.command(BillOrder)).expect(MarkReadyToShip)
    story.given_probed(BILLED).expect().expect_ignored("came late: step bill is done")


def test_s118_without_the_body_of_the_answer_the_step_is_done_if_nobody_keeps_anything_of_it() -> None:
    def probed(story: SagaTranscript) -> SagaTranscript:
        probe = story.given_silence("bill").command(ProbeCommands)
        found = ProbedCommand(command=story.command(BillOrder).id, finding=ProbedCommand.HANDLED)
        found.answers.add(type="shop.OrderBilled")
        return story.given(CommandsProbed(commands=[found]), to=probe)

    probed(begun(on_answer=())).expect(MarkReadyToShip)
    probed(begun()).expect(RefundOrder).expect_status("compensating", "no answer says so")


# --- it did not ---


@pytest.mark.broken_by("absent-step-counts-as-unknown")
def test_s119_a_step_that_is_absent_counts_as_refused_and_nothing_of_it_is_undone() -> None:
    story = begun().given_silence("bill").given_probed()
    story.expect(CancelOrder).expect_status("compensating", "bill: it has not happened, and no longer can")
    assert story.step_status("bill") == "refused"
    story.given(CANCELLED, to=story.command(CancelOrder)).expect_status("compensated")


def test_s119_a_step_that_is_absent_is_asked_again_if_it_says_so_and_refused_once_its_budget_is_spent() -> None:
    story = begun(probe=AGAIN).given_silence("bill").given_probed().expect(BillOrder)
    assert story.step_status("bill") == "asked"
    story.given_silence("bill").expect(ProbeCommands)
    assert asked_about(story) == [story.command(BillOrder).id], "the first is settled"
    story.given_probed().expect(CancelOrder)
    assert story.step_status("bill") == "refused"


def test_s119_what_was_asked_again_can_be_done() -> None:
    story = begun(probe=AGAIN).given_silence("bill").given_probed().expect(BillOrder)
    story.given(BILLED).expect(MarkReadyToShip)
    story.given_probed(to=story.command(ProbeCommands)).expect_ignored("came late: step bill is done")


# --- nobody can tell ---


def test_s120_a_silent_probe_is_asked_again_and_then_the_step_is_undone() -> None:
    story = begun().given_silence("bill").expect(ProbeCommands)
    story.given_silence("bill").expect(ProbeCommands)
    story.given_silence("bill").expect(RefundOrder)
    story.expect_status("compensating", "no answer within 30 s; no answer to its probe within 30 s")
    late = story.command(ProbeCommands)
    story.given_probed(BILLED, to=late).expect().expect_ignored("came late: step bill is undoing")


@pytest.mark.broken_by("unknown-after-its-probe-counts-as-refused")
def test_s120_a_step_of_which_the_probe_does_not_know_is_undone() -> None:
    story = begun().given_silence("bill").given_probed(reason="it was given up: no paper").expect(RefundOrder)
    story.expect_status("compensating", "its probe could not tell whether it happened: it was given up: no paper")


def test_s120_a_probe_that_is_given_up_leaves_the_outcome_unknown() -> None:
    """So does a node of a build that knows no probes."""
    story = begun().given_silence("bill").given_fault("no handler for amends.ProbeCommands").expect(RefundOrder)
    story.expect_status("compensating", "its probe was given up: no handler")
    story.given_fault("again", to=story.command(ProbeCommands)).expect_ignored("the fault of a probe came late")


def test_s120_past_the_pivot_a_silent_probe_leaves_the_saga_stuck_and_a_late_answer_of_it_helps() -> None:
    story = past_pivot().given_silence("close").expect(ProbeCommands).given_silence("close").expect()
    story.expect_status("stuck", "no answer to its probe within 30 s")
    story.given_probed(READY).expect_status("completed")


def test_s119_past_the_pivot_what_is_absent_is_asked_again_since_nothing_can_be_refused_there() -> None:
    story = past_pivot()
    assert asked_about(story) == [one.id for one in story.sent if isinstance(one.message, MarkReadyToShip)]
    story.given_probed().expect(MarkReadyToShip).expect_status("running")
    story.given(READY, to=story.command(MarkReadyToShip)).expect_status("completed")


def test_s120_past_the_pivot_a_step_that_is_retried_is_probed_and_asked_on() -> None:
    story = past_pivot(past_pivot="retry").given_probed(reason="it waits").expect()
    assert story.decision.alarm
    story.given_silence("close").expect(MarkReadyToShip)
    story.given_silence("close").expect(ProbeCommands)
    story.given_probed(READY).expect_status("completed")


def test_s120_past_the_pivot_a_step_that_may_be_left_out_is_probed_first() -> None:
    past_pivot(past_pivot="skip").given_probed(READY).expect_status("completed")
    skipped = past_pivot(past_pivot="skip").given_probed(reason="it waits").expect_status("completed")
    assert skipped.step_status("close") == "left out"


def test_s120_work_that_has_begun_is_not_absent_because_a_later_command_of_it_never_came() -> None:
    busy = {"working": BackOrdered, "every": 5}
    story = begun(**busy, probe=AGAIN).given(BACK_ORDERED).given_silence("bill").expect(BillOrder)
    first, last = (one for one in story.sent if isinstance(one.message, BillOrder))
    story.given_silence("bill").expect(ProbeCommands)
    assert asked_about(story) == [first.id, last.id]
    worked_on = ProbedCommand(command=first.id, finding=ProbedCommand.HANDLED)
    worked_on.answers.add(type="shop.BackOrdered", body=BACK_ORDERED.SerializeToString())
    absent = ProbedCommand(command=last.id, finding=ProbedCommand.ABSENT)
    story.given(CommandsProbed(commands=[worked_on, absent]), to=story.command(ProbeCommands)).expect(RefundOrder)
    assert story.command(RefundOrder).begun


# --- around it ---


def test_a_cancelled_saga_waits_for_no_probe_since_the_undo_finds_the_same() -> None:
    story = begun().given_silence("bill").given_cancellation()
    assert [type(one.message).__name__ for one in story.sent][-2:] in (
        ["RefundOrder", "CancelAccepted"],
        ["CancelAccepted", "RefundOrder"],
    )
    assert "bill" not in story.timers
    story.given_probed(BILLED, to=story.command(ProbeCommands)).expect_ignored("came late")
    story.given(REFUNDED, to=story.command(RefundOrder)).expect(CancelOrder)


def test_what_a_suspended_saga_is_told_by_a_probe_counts_once_it_is_resumed() -> None:
    story = begun().given_silence("bill").given_act(RepairSaga(act=RepairSaga.SUSPEND))
    story.given_probed(BILLED).expect()
    story.given_act(RepairSaga(act=RepairSaga.RESUME))
    assert story.step_status("bill") == "done"


def test_a_step_being_probed_can_be_declared_done_by_hand() -> None:
    story = begun().given_silence("bill")
    story.given_act(RepairSaga(act=RepairSaga.FORCE, task="bill")).expect(MarkReadyToShip, RepairAccepted)


def test_s116_an_alternative_that_is_absent_is_not_undone_before_the_next_is_asked() -> None:
    first_of = FirstOf(bill=bill(), ship=test_first_of.shipping())
    story = SagaTranscript(test_first_of.saga(first_of)).given(PLACED).given_silence("pay[bill]").expect(ProbeCommands)
    story.given_probed().expect(CreateShippingLabel)
    assert story.step_status("pay[bill]") == "refused"


def test_s116_an_alternative_that_a_probe_finds_done_is_the_one() -> None:
    first_of = FirstOf(bill=bill(), ship=test_first_of.shipping())
    story = SagaTranscript(test_first_of.saga(first_of)).given(PLACED).given_silence("pay[bill]")
    story.given_probed(BILLED).expect(MarkReadyToShip)
    assert story.step_status("pay[ship]") == "passed"


def test_s118_each_item_of_a_list_is_probed_by_itself() -> None:
    part = test_each.each(step=test_each.labelling(probe=Probe()))
    story = SagaTranscript(process(part)).given(PLACED)
    for key in test_each.KEYS:
        story.given_silence(f"bill[{key}]").expect(ProbeCommands)
    cap, hat, tie = (one for one in story.sent if isinstance(one.message, ProbeCommands))
    story.given_probed(LABELLED, to=cap).given_probed(LABELLED, to=hat).expect()
    story.given_probed(BACK_ORDERED, to=tie).expect_status("compensating", "bill[TIE]: BackOrdered")


# --- its definition ---


def test_a_probe_makes_no_new_version_and_is_drawn_and_read_back() -> None:
    saga, without = process(bill(probe=AGAIN)).definition, process(bill(probe=None)).definition
    assert saga.fingerprint == without.fingerprint
    drawn = draw_saga(saga)
    assert "bill --> bill: probed and absent, asked again" in drawn
    assert "bill --> undo_bill: silence or fault, and a probe that does not know" in drawn
    assert draw_saga(read_back(described(saga))) == drawn
    refused = draw_saga(process(bill()).definition)
    assert "bill --> say_closing: probed and absent\n" in refused


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        (True, r"Process\.bill: a probe is a Probe\(\), not True"),
        (Probe(absent="shrug"), r"is 'refused' or 'ask again', not 'shrug'"),
        (Probe(asks_max=0), r"so many probes are sent \(asks_max\): at least 1"),
    ],
)
def test_what_is_no_probe_is_refused_when_the_class_is_made(probe: Any, why: str) -> None:
    with pytest.raises(InvalidDefinition, match=why):
        process(bill(probe=probe))
