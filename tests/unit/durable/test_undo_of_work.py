"""The guard and what takes its time: an undo not finished settles nothing, and a do that has begun is undone."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillState
from runtime.adapters import system_ports
from runtime.durable.turn import guard
from runtime.durable.turn.guard import Ruling
from runtime.envelope import Envelope, decode
from runtime.store.records import HistoryRow, Outcome, Verdict
from runtime.testing.rules.undo_rules import broken_undo, has_taken_back
from tests.unit.durable.ledger import LedgerBench, bill, refund

SAGA = "order-process/ORD-1"
CONFIRMED = ("shop.OrderRefunded",)  # what the handler answers
OTHER = ("shop.RestockRefused",)  # as if this alone confirmed an undo: what the handler answers is undeclared


async def stored(bench: LedgerBench) -> BillState:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    assert row is not None
    return BillState.FromString(row.state)


async def history(bench: LedgerBench, of: Envelope) -> HistoryRow:
    (row,) = await bench.store.handled([(of.conversation, of.id)])
    assert row is not None
    return row


@pytest.mark.parametrize(("undones", "refunds"), [(OTHER, 2), (CONFIRMED, 1), ((*OTHER, *CONFIRMED), 1), ((), 1)])
async def test_an_undo_before_that_was_answered_by_what_does_not_confirm_it_leaves_the_next_one_to_run(
    undones: tuple[str, ...], refunds: int
) -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = refund(2, of=do, reply_to=SAGA)
    again = refund(3, of=do, reply_to=SAGA, earlier_undos=(first.id,), undones=undones)
    await bench.run(do)
    await bench.run(first)
    await bench.run(again)
    assert (await stored(bench)).refunds == refunds
    assert (await history(bench, again)).outcome is (Outcome.HANDLED if refunds == 2 else Outcome.UNDONE)
    assert has_taken_back(again, await history(bench, first)) is (refunds == 1)


async def test_that_holds_in_one_turn_as_well() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = refund(2, of=do, reply_to=SAGA)
    again = refund(3, of=do, reply_to=SAGA, earlier_undos=(first.id,), undones=OTHER)
    await bench.run(do, first, again)
    assert (await stored(bench)).refunds == 2


async def test_what_an_undo_told_others_is_not_what_it_answered() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = refund(2, of=do, reply_to="other/ORD-1")
    await bench.run(do)
    await bench.run(first)
    await bench.run(refund(3, of=do, reply_to=SAGA, earlier_undos=(first.id,), undones=OTHER))
    assert (await stored(bench)).refunds == 1


async def test_one_that_needed_no_handler_has_settled_it() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = refund(2, of=do, reply_to=SAGA)
    await bench.run(first)
    await bench.run(refund(3, of=do, reply_to=SAGA, earlier_undos=(first.id,), undones=OTHER))
    assert (await stored(bench)).refunds == 0


async def test_the_undo_of_what_has_begun_runs_although_its_last_command_never_came_and_keeps_that_away() -> None:
    bench = await LedgerBench.open()
    begun, last = bill(1), bill(2)
    undo = refund(3, of=last, begun=True, reply_to=SAGA)
    await bench.run(begun)
    await bench.run(undo)
    state = await stored(bench)
    assert (state.refunds, state.reason) == (1, "of a bill")
    assert (await history(bench, last)).outcome is Outcome.UNDONE
    assert broken_undo(undo, await history(bench, undo), await history(bench, last)) == ""


async def test_it_runs_although_its_last_command_was_not_due_and_that_is_consumed() -> None:
    bench = await LedgerBench.open()
    begun, last = bill(1), bill(2, due_at_s=system_ports().clock.now_s() + 1000)
    await bench.run(begun)
    await bench.post(last, undo := refund(3, of=last, begun=True))
    assert await bench.commit(await bench.turn(undo)) is Verdict.COMMITTED
    state = await stored(bench)
    assert (state.charges, state.refunds, state.reason) == (1, 1, "of a bill")
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == []


async def test_its_handler_is_not_told_that_the_state_has_nothing_of_it_when_the_last_command_failed() -> None:
    bench = await LedgerBench.open()
    begun, last = bill(1), bill(2, sku="final")
    await bench.run(begun)
    await bench.run(last)
    await bench.run(refund(3, of=last, begun=True))
    assert (await stored(bench)).reason == "of a bill"


async def test_an_undo_that_is_asked_again_runs_although_the_one_before_has_put_the_last_command_to_rest() -> None:
    bench = await LedgerBench.open()
    begun, last = bill(1), bill(2)
    first = refund(3, of=last, begun=True, reply_to=SAGA)
    again = refund(4, of=last, begun=True, reply_to=SAGA, earlier_undos=(first.id,), undones=OTHER)
    await bench.run(begun)
    await bench.run(first)
    await bench.run(again)
    assert (await stored(bench)).refunds == 2


async def test_a_refusal_of_the_last_command_leaves_nothing_to_undo_of_what_had_begun() -> None:
    bench = await LedgerBench.open()
    begun, last = bill(1, reply_to=SAGA), bill(2, sku="declined", reply_to=SAGA)
    await bench.run(begun)
    await bench.run(last)
    await bench.run(refund(3, of=last, begun=True, refusals=("shop.PaymentDeclined",), reply_to=SAGA))
    assert (await stored(bench)).refunds == 0


@pytest.mark.parametrize("ruling", [Ruling.RUN, Ruling.NEVER_RAN, Ruling.GIVE_UP_DO, Ruling.TOMBSTONE])
def test_what_has_begun_makes_every_ruling_but_nothing_run(ruling: Ruling) -> None:
    do, finding = bill(1), guard.Finding(ruling, "", do_failed=True)
    begun = guard.of_begun(finding, refund(2, of=do, begun=True))
    assert (begun.runs, begun.do_failed) == (True, False)
    assert guard.of_begun(finding, refund(2, of=do)) is finding
    nothing = guard.Finding(Ruling.NOTHING, "")
    assert not guard.of_begun(nothing, refund(2, of=do, begun=True)).runs


def test_the_envelope_carries_both() -> None:
    undo = refund(2, of=bill(1), begun=True, undones=OTHER)
    read = decode(undo.encoded)
    assert (read.begun, read.undones) == (True, OTHER)
    assert (decode(bill(1).encoded).begun, decode(bill(1).encoded).undones) == (False, ())


async def test_the_rule_finds_an_undo_of_what_had_begun_that_did_not_run() -> None:
    bench = await LedgerBench.open()
    last = bill(2)
    undo = refund(3, of=last, reply_to=SAGA)
    await bench.run(undo)
    said = broken_undo(refund(3, of=last, begun=True), await history(bench, undo), await history(bench, last))
    assert "though its do had been answered as begun" in said
