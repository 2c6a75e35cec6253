"""A choreography may have a deadline for each conversation; what makes no sense of it is refused with the cure."""

from __future__ import annotations

from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, PaymentDeclined
from protos.sales_pb2 import (
    CHOREOGRAPHY,
    CancellationRefused,
    CancelOrder,
    OrderCancelled,
    OrderPlaced,
    OrderReadyToShip,
)
from protos.warehouse_pb2 import ShippingLabelCreated, ShippingLabelVoided
from runtime.durable.behaviour import CancelTimer, Decision, Delivery, Outgoing, SetTimer
from runtime.durations import minutes
from runtime.envelope import Envelope
from runtime.errors import FinalError, InvalidDefinition
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.durable_pb2 import Timer, TimerFired
from runtime.protos.saga_pb2 import RepairSaga
from runtime.saga.choreography import Choreography
from runtime.saga.deadline import Deadline
from runtime.saga.on import on
from runtime.saga.overdue import DeadlineBehaviour
from runtime.store.records import Outcome
from tests.unit.saga.made import made
from tests.unit.saga.test_catalogue import SERVICES, catalogue
from tests.unit.saga.test_choreography import ShopChoreography

PLACED = OrderPlaced(order_id="ORD-1", flow=CHOREOGRAPHY)


def give_up(event: OrderPlaced) -> CancelOrder | None:
    return CancelOrder(order_id=event.order_id, reason="overdue") if event.order_id != "ORD-9" else None


BODY: dict[str, Any] = {
    "starts": on(OrderPlaced, where={"flow": CHOREOGRAPHY}),
    "reactions": ShopChoreography.reactions,
    "ends": ShopChoreography.ends,
}


def define(deadline: Any = 30.0, **body: Any) -> type[Choreography]:
    return made("Timed", Choreography, {**BODY, **body}, name="timed", deadline=deadline)


def deadline_of(**body: Any) -> Deadline:
    found = define(**body).deadline
    assert found is not None
    return found


# --- as it is declared ---


def test_a_choreography_has_no_deadline_unless_it_says_so() -> None:
    assert ShopChoreography.deadline is None
    assert "order-choreography-deadline" not in {one.kind for one in catalogue(choreographies=[]).behaviours}


def test_a_deadline_is_met_by_the_ends_unless_it_says_by_what() -> None:
    assert deadline_of().settled_by == ShopChoreography.ends
    assert deadline_of(settled_by=(ShippingLabelCreated,)).settled_by == (ShippingLabelCreated,)
    assert deadline_of(deadline=minutes(1)).within_s == 60.0


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ({"deadline": -1}, r"choreography Timed: a deadline is finite and above 0, not -1 s"),
        ({"deadline": "soon"}, r"a deadline is finite and above 0, not 'soon'; write a number of seconds"),
        ({"deadline": float("inf")}, r"a deadline is finite and above 0"),
        ({"settled_by": OrderBilled}, r"Timed.settled_by is a tuple of events: settled_by = \(SomeEvent, ...\)"),
        ({"settled_by": ("OrderBilled",)}, r"Timed.settled_by: 'OrderBilled' is no message type"),
        ({"settled_by": (BillOrder,)}, r"shop.BillOrder is a command; a conversation is settled by events"),
        ({"settled_by": (OrderPlaced,)}, r"shop.OrderPlaced starts the conversation, which would be settled at"),
        ({"settled_by": (OrderBilled, OrderBilled)}, r"Timed.settled_by: an event stands there twice"),
        ({"ends": (), "settled_by": ()}, r"Timed has a deadline, and neither ends nor settled_by"),
        ({"on_overdue": 7}, r"Timed.on_overdue: 7 is no function"),
        ({"on_overdue": lambda event: None}, r"Timed.on_overdue: annotate what <lambda> returns with one command type"),
    ],
)
def test_a_deadline_that_makes_no_sense_is_refused(declared: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidDefinition, match=complaint):
        define(**declared)


def takes_another(event: OrderBilled) -> CancelOrder:
    return CancelOrder(order_id=event.order_id)


def test_what_is_sent_when_it_is_overdue_is_made_of_the_event_that_started_it() -> None:
    with pytest.raises(InvalidDefinition, match=r"takes_another takes .*OrderBilled.*def takes_another\(event: OrderP"):
        define(on_overdue=takes_another)


def test_what_belongs_to_a_deadline_is_refused_without_one() -> None:
    with pytest.raises(InvalidDefinition, match=r"belongs to a deadline, and there is none: take it out, or write"):
        define(0.0, on_overdue=give_up)


def test_a_choreography_without_a_deadline_says_as_well_what_settles_its_conversations() -> None:
    assert define(0.0, settled_by=(OrderBilled,)).deadline is None
    with pytest.raises(InvalidDefinition, match=r"Timed.settled_by: an event stands there twice"):
        define(0.0, settled_by=(OrderBilled, OrderBilled))


# --- in a catalogue ---


def test_whoever_hosts_the_first_to_react_keeps_the_time() -> None:
    together = catalogue(choreographies=[define()])
    (kept,) = (one for one in together.behaviours_of(["billing"]) if one.kind == "timed-deadline")
    assert {(one.event_type, one.key_field, one.process, one.starts) for one in kept.subscriptions} == {
        ("shop.OrderPlaced", "", "timed", True),
        *((f"shop.{end.__name__}", "", "timed", False) for end in ShopChoreography.ends),
    }
    assert "timed-deadline" not in {one.kind for one in together.behaviours_of(["sales"])}


def test_an_event_that_nothing_leads_to_cannot_meet_a_deadline() -> None:
    with pytest.raises(InvalidDefinition, match=r"no command is ever answered with shop.CancellationRefused, so"):
        catalogue(choreographies=[define(settled_by=(CancellationRefused,))])
    catalogue(choreographies=[define(settled_by=(OrderReadyToShip, ShippingLabelVoided))])  # by commands that join


def test_the_command_of_an_overdue_conversation_needs_a_handler_and_its_answers_a_listener() -> None:
    with pytest.raises(InvalidDefinition, match=r"CancelOrder may be answered with shop.OrderCancelled, which no"):
        catalogue(choreographies=[define(on_overdue=give_up)])
    catalogue(choreographies=[define(on_overdue=give_up, ends=(*ShopChoreography.ends, OrderCancelled))])
    without = {name: hosted for name, hosted in SERVICES.items() if name not in ("sales", "orchestration")}
    with pytest.raises(InvalidDefinition, match=r"Timed.on_overdue: shop.CancelOrder goes to sales, a kind that"):
        catalogue(services=without, choreographies=[define(on_overdue=give_up)])


def test_a_kind_of_the_name_of_its_keeper_is_refused() -> None:
    other = made("Other", Choreography, {**BODY, "starts": on(OrderPlaced)}, name="timed-deadline")
    with pytest.raises(InvalidDefinition, match=r"Other and the deadline of Timed are both named 'timed-deadline'"):
        catalogue(choreographies=[define(), other])


# --- as it is kept ---


class KeptDeadline:
    """What keeps the deadline of one conversation."""

    def __init__(self, **body: Any) -> None:
        self.behaviour = DeadlineBehaviour(deadline_of(**body))
        self.record = DeadlineRecord()

    async def hears(self, event: Any, at_s: float) -> Decision:
        envelope = Envelope(
            bytes(16),
            "timed-deadline",
            "00",
            event.DESCRIPTOR.full_name,
            event.SerializeToString(),
            b"\0",
            sender="sales/ORD-1",
            sent_at_s=at_s,
            process="timed",
        )
        return await self._handle(envelope, event, at_s)

    async def fires(self, at_s: float) -> Decision:
        fired = TimerFired(name="deadline")
        envelope = Envelope(bytes(16), "timed-deadline", "00", "amends.TimerFired", b"", b"\0", timer="deadline")
        return await self._handle(envelope, fired, at_s)

    async def is_told(self, act: RepairSaga, at_s: float, *, is_timed: bool = True) -> Decision:
        envelope = Envelope(bytes(16), "timed-deadline", "00", "amends.RepairSaga", b"", b"\0")
        timers = {"deadline": Timer(name="deadline", due_at_s=self.record.due_at_s)} if is_timed else {}
        delivery = Delivery(envelope, act, at_s, 0, 1, lambda *_: bytes(16), timers=timers)
        return await self.behaviour.handle(self.record, delivery)

    async def _handle(self, envelope: Envelope, message: Any, at_s: float) -> Decision:
        return await self.behaviour.handle(self.record, Delivery(envelope, message, at_s, 0, 1, lambda *_: bytes(16)))

    @property
    def status(self) -> str:
        return DeadlineRecord.Status.Name(self.record.status)


async def test_its_time_begins_when_the_event_was_said_and_its_timer_lets_mail_come_first() -> None:
    kept = KeptDeadline()
    decision = await kept.hears(PLACED, 100.0)
    assert decision.timers == (SetTimer("deadline", 130.0, after_mail=True),)
    assert (kept.status, kept.record.started_by, kept.record.due_at_s) == ("WATCHED", "sales/ORD-1", 130.0)


async def test_an_event_that_settles_it_in_time_cancels_the_timer() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    assert (await kept.hears(PaymentDeclined(), 129.0)).timers == (CancelTimer("deadline"),)
    assert (kept.status, kept.record.settled_by) == ("SETTLED", "shop.PaymentDeclined")
    assert (await kept.hears(OrderRefunded(), 150.0)).outcome is Outcome.IGNORED
    assert (await kept.fires(130.0)).alarm == "" and kept.status == "SETTLED"


async def test_an_overdue_conversation_raises_an_alarm_once_and_sends_its_command() -> None:
    kept = KeptDeadline(on_overdue=give_up)
    await kept.hears(PLACED, 100.0)
    decision = await kept.fires(130.0)
    assert decision.outgoing == (Outgoing(CancelOrder(order_id="ORD-1", reason="overdue")),)
    assert "timed: shop.OrderPlaced of sales/ORD-1 was followed by none of shop.PaymentDeclined" in decision.alarm
    assert decision.note == decision.alarm and kept.status == "OVERDUE"
    again = await kept.fires(131.0)
    assert (again.alarm, again.outgoing, again.outcome) == ("", (), Outcome.IGNORED)


async def test_it_may_have_nothing_to_send() -> None:
    for kept in (KeptDeadline(), KeptDeadline(on_overdue=give_up)):
        await kept.hears(OrderPlaced(order_id="ORD-9"), 100.0)
        decision = await kept.fires(130.0)
        assert decision.alarm and not decision.outgoing


async def test_what_settles_it_after_its_time_makes_it_late_and_no_longer_overdue() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    await kept.fires(130.0)
    await kept.hears(OrderRefunded(), 140.0)
    assert kept.status == "LATE"


async def test_what_comes_after_its_time_but_before_the_timer_is_late_without_an_alarm() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    await kept.hears(OrderRefunded(), 140.0)
    assert kept.status == "LATE" and not (await kept.fires(141.0)).alarm


@pytest.mark.parametrize(("at_s", "status"), [(110.0, "SETTLED"), (131.0, "LATE")])
async def test_an_end_that_overtakes_the_start_is_taken_for_what_it_is(at_s: float, status: str) -> None:
    kept = KeptDeadline()
    await kept.hears(OrderRefunded(), at_s)
    assert not (await kept.hears(PLACED, 100.0)).timers
    assert kept.status == status and kept.record.started_by == "sales/ORD-1"


async def test_a_second_start_in_one_conversation_begins_no_time_anew() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    assert (await kept.hears(PLACED, 120.0)).outcome is Outcome.IGNORED
    assert kept.record.due_at_s == 130.0


def breaks(event: OrderPlaced) -> CancelOrder:
    raise KeyError(event.order_id)


def makes_another(event: OrderPlaced) -> CancelOrder:
    return BillOrder()  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (breaks, r"Timed.on_overdue raised KeyError: 'ORD-1'"),
        (makes_another, r"Timed.on_overdue made a BillOrder, and is declared to make shop.CancelOrder"),
    ],
)
async def test_a_function_that_fails_is_told_and_tried_again_later(function: Any, complaint: str) -> None:
    kept = KeptDeadline(on_overdue=function)
    await kept.hears(PLACED, 100.0)
    with pytest.raises(FinalError, match=complaint):
        await kept.fires(130.0)
    assert kept.behaviour.retries.timer_pause_s == 60.0 and kept.status == "WATCHED"


# --- as operators move it ---


def act_of(act: RepairSaga.Act.ValueType, **more: Any) -> RepairSaga:
    return RepairSaga(act=act, timer="deadline", who="ann", reason="the depot is closed", **more)


async def test_a_deadline_that_an_operator_moves_is_met_or_missed_by_the_new_instant() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    decision = await kept.is_told(act_of(RepairSaga.MOVE_TIMER, due_at_s=500.0), 120.0)
    assert decision.timers == (SetTimer("deadline", 500.0, after_mail=True),)
    assert decision.note == "moves timer deadline to 1970-01-01T00:08:20+00:00, by ann: the depot is closed"
    assert (kept.status, kept.record.due_at_s) == ("WATCHED", 500.0)
    await kept.hears(PaymentDeclined(), 400.0)
    assert kept.status == "SETTLED"


async def test_a_deadline_that_an_operator_cancels_is_missed_by_nothing() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    decision = await kept.is_told(act_of(RepairSaga.CANCEL_TIMER), 120.0)
    assert decision.timers == (CancelTimer("deadline"),) and decision.outcome is Outcome.HANDLED
    assert (kept.status, kept.record.cancelled) == ("UNLIMITED", "ann: the depot is closed")
    await kept.hears(PaymentDeclined(), 9_999.0)
    assert kept.status == "SETTLED", "what comes at any time is in time"


async def test_a_deadline_that_was_cancelled_is_set_again_and_missed_as_any_other() -> None:
    kept = KeptDeadline(on_overdue=give_up)
    await kept.hears(PLACED, 100.0)
    await kept.is_told(act_of(RepairSaga.CANCEL_TIMER), 120.0)
    again = await kept.is_told(act_of(RepairSaga.CANCEL_TIMER), 121.0, is_timed=False)
    assert again.outcome is Outcome.IGNORED
    assert again.note == "timer deadline was cancelled before: move-timer sets it again"
    decision = await kept.is_told(act_of(RepairSaga.MOVE_TIMER, in_s=60.0), 140.0, is_timed=False)
    assert decision.timers == (SetTimer("deadline", 200.0, after_mail=True),) and decision.outcome is Outcome.HANDLED
    assert decision.note.startswith("moves timer deadline, which was cancelled, to 1970-01-01T00:03:20+00:00, by ann")
    assert (kept.status, kept.record.due_at_s, kept.record.cancelled) == ("WATCHED", 200.0, "")
    overdue = await kept.fires(200.0)
    assert overdue.alarm and overdue.outgoing == (Outgoing(CancelOrder(order_id="ORD-1", reason="overdue")),)


async def test_a_deadline_that_was_cancelled_and_is_met_is_not_set_again() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    await kept.is_told(act_of(RepairSaga.CANCEL_TIMER), 120.0)
    await kept.hears(PaymentDeclined(), 130.0)
    decision = await kept.is_told(act_of(RepairSaga.MOVE_TIMER, in_s=60.0), 140.0, is_timed=False)
    assert decision.outcome is Outcome.IGNORED and "it waits for no timer 'deadline'" in decision.note
    assert (decision.timers, kept.status) == ((), "SETTLED")


async def test_a_deadline_that_is_over_or_met_is_moved_no_more() -> None:
    kept = KeptDeadline()
    await kept.hears(PLACED, 100.0)
    await kept.fires(130.0)
    decision = await kept.is_told(act_of(RepairSaga.MOVE_TIMER, in_s=5.0), 140.0, is_timed=False)
    assert decision.outcome is Outcome.IGNORED and "it waits for no timer 'deadline'; there are none" in decision.note
    assert (decision.timers, kept.status) == ((), "OVERDUE")


async def test_the_columns_of_a_deadline_say_how_it_stands() -> None:
    kept, seen = KeptDeadline(), list[tuple[str, float, float]]()

    def note(decision: Decision) -> None:
        assert decision.summary is not None
        told = decision.summary(kept.record, None)
        assert told is not None
        seen.append((told.status, told.started_at_s, told.progressed_at_s))

    note(await kept.hears(PLACED, 100.0))
    note(await kept.is_told(act_of(RepairSaga.MOVE_TIMER, due_at_s=500.0), 120.0))
    note(await kept.fires(500.0))
    note(await kept.hears(PaymentDeclined(), 600.0))
    assert seen == [(word, 100.0, due_at_s) for word, due_at_s in (("watched", 130.0), *LATER)]


LATER = (("watched", 500.0), ("overdue", 500.0), ("late", 500.0))
