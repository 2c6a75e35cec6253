"""A saga reminds of a step or a wait that is not getting on: when, how often, and when no more."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, MarkReadyToShip
from protos.warehouse_pb2 import BackOrdered, Restock, ShippingLabelCreated
from runtime.durations import days, hours, minutes, seconds
from runtime.errors import InvalidDefinition
from runtime.protos.saga_pb2 import CancelSaga, RepairSaga, SagaRecord
from runtime.saga.awaiting import Await
from runtime.saga.catalogue import Catalogue
from runtime.saga.diagram import draw_saga
from runtime.saga.remind import Remind
from runtime.saga.saga import Saga
from runtime.saga.when import End
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.transcript import SagaTranscript
from tests.unit.saga.shop import BILLED, DECLINED, PLACED, READY
from tests.unit.saga.test_awaits import LABEL
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES
from tests.unit.saga.test_nodes import bill, close, saga

NAG = "remind nag"


def missing(state: OrderProcessState) -> BackOrdered:
    return BackOrdered(order_id=state.order_id, sku="HAT")


def by_order(state: OrderProcessState) -> str:
    return state.order_id


def waiting(**changed: Any) -> type[Saga[OrderProcessState]]:
    """Bills; waits for a label for three days, and says each four hours that there is none, twice; closes."""
    first, last = bill(), close()
    label = Await(ShippingLabelCreated, key=by_order, within=days(3))
    declared: dict[str, Any] = {"after": hours(4), "say": missing, "times": 2, **changed}
    nag = Remind(declared.pop("of", label), **declared)
    return saga(bill=first, label=label, close=last, nag=nag, flow=first >> label >> last)


def billed(**changed: Any) -> SagaTranscript:
    return SagaTranscript(waiting(**changed)).given(PLACED).given(BILLED).expect()


def test_a_reminder_is_said_as_often_as_is_declared_while_its_wait_lasts() -> None:
    story = billed(every=hours(1))
    assert story.timers[NAG] == 1_000.0 + 4 * 3_600
    story.given_silence(NAG).expect(BackOrdered(order_id="ORD-1", sku="HAT")).expect_status("running")
    assert story.command(BackOrdered).is_published
    assert story.timers[NAG] == story.now_s + 3_600
    story.given_silence(NAG).expect(BackOrdered)
    assert NAG not in story.timers
    (entry,) = story.record.reminders
    assert (entry.said, entry.due_at_s) == (2, 0.0)
    story.given_outside(LABEL).expect(MarkReadyToShip)
    assert not story.record.reminders


def test_a_reminder_moves_no_revision_so_that_what_an_operator_has_decided_on_stands() -> None:
    story = billed(every=hours(1))
    seen, progress_at_s = story.record.revision, story.record.last_progress_at_s
    story.given_silence(NAG).expect(BackOrdered)
    assert (story.record.revision, story.record.last_progress_at_s) == (seen, progress_at_s)
    story.given_act(RepairSaga(act=RepairSaga.CANCEL, expected_revision=seen)).expect_status("compensating")


def test_every_is_after_where_it_is_not_said() -> None:
    story = billed().given_silence(NAG)
    assert story.timers[NAG] == story.now_s + 4 * 3_600


def test_a_reminder_stops_when_what_it_reminds_of_is_settled() -> None:
    story = billed().given_outside(LABEL).expect(MarkReadyToShip)
    assert NAG not in story.timers
    story.given(READY).expect_status("completed")


def test_a_reminder_stops_when_the_saga_turns_back_or_is_abandoned() -> None:
    story = billed().given_cancellation()
    assert NAG not in story.timers
    story = billed().given_act(RepairSaga(act=RepairSaga.ABANDON))
    assert NAG not in story.timers
    assert not story.record.reminders


def test_a_reminder_of_a_step_begins_with_its_command() -> None:
    first = bill()
    nag = Remind(first, after=seconds(5), say=missing)
    story = SagaTranscript(saga(bill=first, nag=nag, flow=first)).given(PLACED).expect(BillOrder)
    story.given_silence(NAG).expect(BackOrdered)
    story.given(DECLINED, to=story.command(BillOrder)).expect(CancelOrder)
    assert not story.record.reminders


def test_a_reminder_may_be_a_command_to_its_kind_whose_answer_nobody_waits_for() -> None:
    def refund(state: OrderProcessState) -> RefundOrder:
        return RefundOrder(order_id=state.order_id)

    story = billed(say=refund).given_silence(NAG).expect(RefundOrder)
    told = story.command(RefundOrder)
    assert not told.is_published
    assert not told.wants_reply


def test_a_suspended_saga_says_nothing_until_it_is_resumed() -> None:
    story = billed().given_act(RepairSaga(act=RepairSaga.SUSPEND)).given_silence(NAG)
    assert [one.message for one in story.sent if isinstance(one.message, BackOrdered)] == []
    story.given_act(RepairSaga(act=RepairSaga.RESUME))
    assert len([one.message for one in story.sent if isinstance(one.message, BackOrdered)]) == 1


def test_a_reminder_that_its_author_cannot_make_raises_an_alarm_and_the_next_may_be_said() -> None:
    tries: list[int] = []

    def raising(state: OrderProcessState) -> BackOrdered:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no such order")
        return missing(state)

    story = billed(say=raising).given_silence(NAG).expect().expect_status("running")
    assert story.decision.alarm == "say of reminder nag raised ValueError: no such order"
    assert story.record.reminders[0].error
    story.given_silence(NAG).expect(BackOrdered)
    assert not story.record.reminders[0].error


def test_what_comes_before_a_saga_with_reminders_has_begun_is_handled_as_without() -> None:
    early = SagaTranscript(waiting()).given(CancelSaga(reason="changed my mind")).expect_status("none")
    assert NAG not in early.timers and not early.record.reminders


def test_a_reminder_that_comes_late_says_nothing() -> None:
    story = billed().given_outside(LABEL)
    story.timers[NAG] = story.now_s
    story.given_silence(NAG).expect().expect_ignored("nothing is to be reminded of by nag any more")


def test_a_reminder_that_the_next_version_has_not_is_cancelled_and_a_new_one_begins() -> None:
    old = billed()
    record = SagaRecord.FromString(old.record.SerializeToString())
    record.reminders[0].name = "former"
    story = SagaTranscript(waiting()).carrying_on(old)
    story._bytes = record.SerializeToString()
    story.given_event(CancelSaga(reason="x"))
    assert not story.record.reminders


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"of": close()}, r"Process.nag: it reminds of no part of the flow; name a step or a wait"),
        ({"of": 7}, r"Process.nag: it reminds of no part of the flow"),
        ({"after": 0}, r"Process.nag: a reminder is said after a finite span above 0 \(after\)"),
        ({"every": -1}, r"Process.nag: a reminder is repeated after a finite span above 0 \(every\)"),
        ({"times": 0}, r"Process.nag: times is how many reminders there are at most"),
        ({"times": 1_001}, r"Process.nag: times is how many reminders there are at most"),
        ({"say": 7}, r"Process.nag.say: 7 is no function"),
        ({"say": by_order}, r"Process.nag.say: by_order takes the state alone, and is annotated with the message"),
        ({"say": lambda state: CancelSaga()}, r"Process.nag.say: <lambda> takes the state alone, and is annotated"),
    ],
)
def test_a_reminder_that_makes_no_sense_is_refused_with_its_place(changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        waiting(**changed)


def test_a_reminder_of_the_runtimes_own_or_of_what_takes_no_time_is_refused() -> None:
    def own(state: OrderProcessState) -> CancelSaga:
        return CancelSaga()

    with pytest.raises(InvalidDefinition, match=r"Process.nag.say: amends.CancelSaga is the runtime's own"):
        waiting(say=own)
    first, end = bill(), End()
    with pytest.raises(InvalidDefinition, match=r"Process.nag: a End takes no time"):
        saga(bill=first, end=end, nag=Remind(end, after=1, say=missing), flow=first >> end)


def test_a_catalogue_refuses_a_reminder_that_goes_to_nobody() -> None:
    def restock(state: OrderProcessState) -> Restock:
        return Restock(sku="HAT")

    services = {name: hosted for name, hosted in SERVICES.items() if name != "orchestration"}
    with pytest.raises(InvalidDefinition, match=r"Process.nag.say: warehouse has no handler for shop.Restock"):
        Catalogue(contracts=CONTRACTS, services={**services, "waits": [waiting(say=restock)]})
    assert Catalogue(contracts=CONTRACTS, services={**services, "waits": [waiting()]}).sagas[0].reminders


def test_reminders_change_no_fingerprint_and_are_drawn() -> None:
    assert waiting().definition.fingerprint == waiting(times=9, after=minutes(1)).definition.fingerprint
    assert "note right of label: nag: BackOrdered after 4:00:00, 2 times" in draw_saga(waiting().definition)
    assert "note right of label: nag: BackOrdered after 4:00:00, then every 1:00:00, 2 times" in draw_saga(
        waiting(every=hours(1)).definition
    )


def test_a_variation_keeps_its_reminders() -> None:
    varied = waiting().with_steps(label={"within": days(1)})
    assert [one.name for one in varied.definition.reminders] == ["nag"]


def test_an_exploration_does_without_reminders_since_they_change_nothing() -> None:
    bounds = Bounds(faults_max=1, silences_max=1, cancels_max=1, poisons_max=0, replays_max=0, duplicates_max=0)
    explore(waiting(), bounds=bounds, samples=(PLACED, BILLED)).check()
