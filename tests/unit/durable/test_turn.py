"""A turn decides and writes down; nothing happens before the commit."""

import pytest

from protos.billing_pb2 import BillState, OrderBilled
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.lost import LostRuns, lost_runs_max
from runtime.durable.turn.turn import Turn
from runtime.envelope import Envelope, timer_id
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow, Outcome, Subscription, Verdict
from tests.unit.durable.ledger import LedgerBench, bill, refund

SAGA = "order-process/ORD-1"
BILL = ("billing", "ORD-1")


async def stored(bench: LedgerBench) -> BillState:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    assert row is not None
    return BillState.FromString(row.state)


async def test_s27_messages_of_one_turn_all_change_the_state_once() -> None:
    bench = await LedgerBench.open()
    await bench.run(bill(1), bill(2), bill(3))
    assert (await stored(bench)).charges == 3


async def test_the_answer_goes_to_whoever_asked_and_names_its_command() -> None:
    bench = await LedgerBench.open()
    command = bill(1, reply_to=SAGA)
    turn = await bench.run(command)
    (answer,) = turn.draft.outgoing
    assert (answer.kind, answer.key, answer.in_reply_to) == ("order-process", "ORD-1", command.id)
    assert OrderBilled.FromString(answer.body).amount_cents == 100


async def test_a_handler_that_runs_again_makes_the_same_ids() -> None:
    bench = await LedgerBench.open()
    command = bill(1, reply_to=SAGA)
    await bench.post(command)
    first, second = await bench.turn(command), await bench.turn(command)
    assert [one.id for one in first.draft.outgoing] == [one.id for one in second.draft.outgoing]


@pytest.mark.broken_by("no-cas-on-state")
async def test_s28_of_two_turns_from_one_revision_the_second_is_refused() -> None:
    bench = await LedgerBench.open()
    one, two = bill(1), bill(2)
    await bench.post(one, two)
    first, second = await bench.turn(one), await bench.turn(two)
    assert await bench.commit(first) is Verdict.COMMITTED
    assert await bench.commit(second) is Verdict.CONFLICT
    assert (await stored(bench)).charges == 1


async def test_s37_a_copy_of_a_handled_message_has_no_second_effect() -> None:
    bench = await LedgerBench.open()
    command = bill(1)
    await bench.run(command)
    assert await bench.commit(await bench.turn(command)) is Verdict.MAIL_MISSING
    assert (await stored(bench)).charges == 1


async def test_a_handler_that_fails_half_way_spoils_neither_state_nor_neighbours() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(bill(1), bill(2, sku="broken"), bill(3))
    assert (await stored(bench)).charges == 1
    assert [row.attempts for row in turn.draft.rescheduled] == [2]


@pytest.mark.broken_by("delay-ignored-after-retry")
async def test_s36_what_comes_after_a_message_that_is_to_be_retried_waits_in_order() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(bill(1, sku="broken"), bill(2))
    assert turn.draft.history == []
    waiting = await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10)
    assert [row.attempts for row in waiting] == [2, 0]


@pytest.mark.broken_by("last-retry-skipped")
async def test_s42_s55_a_message_that_always_fails_is_parked_with_its_error_and_sends_only_the_fault() -> None:
    bench = await LedgerBench.open()
    command = bill(1, sku="broken", reply_to=SAGA)
    await bench.post(command)
    turn = await bench.turn(command, attempts={command.id: 2})
    (fault,) = turn.draft.outgoing
    assert fault.type == "amends.Fault"
    assert durable_pb2.Fault.FromString(fault.body).attempts == 4
    (parked,) = turn.draft.rescheduled
    assert "on fire" in parked.parked
    assert parked.attempts == 4


@pytest.mark.broken_by("final-error-is-retried")
async def test_s57_a_final_error_is_not_retried() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(bill(1, sku="final"))
    assert [(row.attempts, "never work" in row.parked) for row in turn.draft.rescheduled] == [(1, True)]


@pytest.mark.broken_by("poison-blocks-its-senders")
async def test_s57_bytes_that_cannot_be_read_are_parked_and_the_rest_goes_on() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(bill(1, body=b"\xff\xff\xff"), bill(2))
    assert (await stored(bench)).charges == 1
    assert ["no shop.BillOrder" in row.parked for row in turn.draft.rescheduled] == [True]


async def test_s16_a_type_nobody_handles_is_parked_not_dropped() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(bill(1, type="shop.OrderPlaced"), bill(2, type="shop.Nonsense"))
    reasons = [row.parked for row in turn.draft.rescheduled]
    assert "billing has no handler for shop.OrderPlaced" in reasons[0]
    assert "no message type 'shop.Nonsense' is known here" in reasons[1]


async def test_an_event_reaches_its_subscribers_and_only_those_of_its_process() -> None:
    bench = await LedgerBench.open(
        Subscription("shop.OrderBilled", "audit", "order_id"),
        Subscription("shop.OrderBilled", "warehouse", "order_id", process="choreography"),
    )
    alone = await bench.run(bill(1))
    driven = await bench.run(bill(2, process="choreography"))
    other = await bench.run(bill(3, process="saga"))
    assert [one.kind for one in alone.draft.outgoing] == ["audit"]
    assert [one.kind for one in driven.draft.outgoing] == ["audit", "warehouse"]
    assert [one.kind for one in other.draft.outgoing] == ["audit"]


async def test_an_event_without_the_key_of_a_subscriber_is_parked_with_the_reason() -> None:
    bench = await LedgerBench.open(Subscription("shop.OrderBilled", "audit", "charge_id"))
    turn = await bench.run(bill(1))
    assert "has no charge_id, by which audit would receive it" in turn.draft.rescheduled[0].parked


# --- timers ---


async def with_a_timer(bench: LedgerBench) -> tuple[ActorRow, durable_pb2.Timer, Envelope]:
    """The row of a bill that has set a timer, the timer, and what is delivered when it fires."""
    await bench.run(bill(1, sku="timer"))
    (row,) = await bench.store.load([BILL])
    assert row is not None and row.due_at_s is not None
    (timer,) = durable_pb2.Timers.FromString(row.timers).timers
    fired = Envelope(
        id=timer_id(BILL, timer),
        kind="billing",
        key="ORD-1",
        type=timer.type,
        body=timer.body,
        conversation=b"c" * 16,
        timer=timer.name,
    )
    return row, timer, fired


async def test_a_timer_is_part_of_the_row_and_fires_once() -> None:
    bench = await LedgerBench.open()
    _, timer, fired = await with_a_timer(bench)
    assert timer.name == "remind"
    turn = await bench.turn(bill(2))
    turn.draft.timers["remind"] = timer
    await turn.run([fired, fired])
    assert [one.outcome for one in turn.draft.history] == [Outcome.HANDLED, Outcome.FIRED]
    assert turn.draft.timers == {}


async def test_a_timer_that_nothing_else_would_come_after_is_kept_when_its_runs_come_to_nothing() -> None:
    bench = await LedgerBench.open()
    row, timer, fired = await with_a_timer(bench)
    assert isinstance(bench.kind.behaviour, ServiceBehaviour)
    bench.kind.behaviour.retries = RetryPolicy(immediate=0, delays=(), timer_pause=60.0)
    losses = LostRuns(64)
    for _ in range(lost_runs_max(1)):
        losses.add(BILL, [fired.id], "the lease ran out", write_first=False)
    draft = Draft(bench.kind, BILL, 0, row, {"remind": timer}, bench.kind.ports.clock.now_s())
    turn = Turn(draft, BillState.FromString(row.state), {}, losses)
    await turn.run([fired])
    assert turn.ran == []
    assert turn.draft.timers["remind"].due_at_s == turn.draft.now_s + 60.0
    assert "the timer 'remind' fails, and comes again every 60 s: its runs end without a commit" in turn.draft.alarm
    losses.condemn(fired.id, "three nodes have died over it")
    draft = Draft(bench.kind, BILL, 0, row, {"remind": timer}, bench.kind.ports.clock.now_s())
    turn = Turn(draft, BillState.FromString(row.state), {}, losses)
    await turn.run([fired])
    assert turn.draft.timers == {}


# --- the do/undo guard ---


async def test_an_undo_runs_after_its_do() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    await bench.run(do)
    await bench.run(refund(2, of=do))
    assert (await stored(bench)).refunds == 1


async def test_an_undo_runs_after_its_do_of_the_same_turn() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    await bench.run(do, refund(2, of=do))
    assert (await stored(bench)).refunds == 1


@pytest.mark.broken_by("no-tombstone")
async def test_s68_s69_an_undo_without_its_do_does_nothing_and_refuses_the_late_do() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    turn = await bench.run(refund(2, of=do, reply_to=SAGA))
    assert [one.type for one in turn.draft.outgoing] == ["amends.Undone"]
    assert (await stored(bench)).refunds == 0
    late = await bench.turn(do)
    assert await bench.commit(late) is Verdict.MAIL_MISSING
    assert (await stored(bench)).charges == 0
    await bench.post(do)
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == [], "its tombstone refuses it"


async def test_an_undo_puts_a_do_to_rest_that_waits_and_runs_itself_since_that_may_have_run_in_a_lost_turn() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    undo = refund(2, of=do)
    await bench.post(do, undo)
    turn = await bench.turn(undo, do)
    assert await bench.commit(turn) is Verdict.COMMITTED
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == []
    state = await stored(bench)
    assert (state.charges, state.refunds, state.reason) == (0, 1, "of a bill that failed")
    assert [row.outcome for row in turn.draft.history] == [Outcome.FAULTED, Outcome.HANDLED]


async def test_an_undo_overtakes_a_do_that_failed_and_runs_since_it_may_have_run_in_part() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="broken")
    await bench.run(do)
    undo = refund(2, of=do)
    await bench.post(undo)
    turn = await bench.turn(undo)
    assert await bench.commit(turn) is Verdict.COMMITTED
    assert (await stored(bench)).refunds == 1
    assert [row.outcome for row in turn.draft.history] == [Outcome.FAULTED, Outcome.HANDLED]
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == []


async def test_nothing_is_undone_when_the_do_was_refused() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="declined", reply_to=SAGA)
    await bench.run(do)
    turn = await bench.run(refund(2, of=do, refusals=("shop.PaymentDeclined",), reply_to=SAGA))
    assert [one.type for one in turn.draft.outgoing] == ["amends.Undone"]
    assert (await stored(bench)).refunds == 0


async def test_nothing_is_undone_when_the_do_was_refused_in_the_same_turn() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="declined", reply_to=SAGA)
    turn = await bench.run(do, refund(2, of=do, refusals=("shop.PaymentDeclined",)))
    assert [row.outcome for row in turn.draft.history] == [Outcome.HANDLED, Outcome.UNDONE]
    assert (await stored(bench)).refunds == 0


async def test_a_second_undo_of_the_same_turn_finds_nothing_to_do() -> None:
    """Also when neither ever met its do: one tombstone is enough."""
    bench = await LedgerBench.open()
    do = bill(1)
    turn = await bench.run(refund(2, of=do), refund(3, of=do))
    assert [row.outcome for row in turn.draft.history] == [Outcome.UNDONE] * 3
    assert (await stored(bench)).refunds == 0


async def test_an_undo_runs_when_its_do_has_just_failed_in_the_same_turn() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="broken")
    turn = await bench.run(do, refund(2, of=do))
    assert [row.outcome for row in turn.draft.history] == [Outcome.FAULTED, Outcome.HANDLED]
    assert (await stored(bench)).refunds == 1
    assert turn.draft.rescheduled == []


async def test_i14_an_undo_of_a_do_older_than_the_retention_fails_loudly() -> None:
    bench = await LedgerBench.open()
    ancient = bill(1, id=bytes(6) + b"0123456789")
    turn = await bench.run(refund(2, of=ancient))
    assert "older than the retention" in turn.draft.rescheduled[0].parked
