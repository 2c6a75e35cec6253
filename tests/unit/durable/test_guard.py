"""The do/undo guard where do and undo meet in one turn, or come more than once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from protos.billing_pb2 import BillState
from runtime.adapters import system_ports
from runtime.durable.turn import guard
from runtime.envelope import Envelope
from runtime.errors import StoreBusy
from runtime.protos import durable_pb2
from runtime.store.groups import Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition, Verdict
from tests.unit.durable.ledger import LedgerBench, bill, refund
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

SAGA = "order-process/ORD-1"


async def stored(bench: LedgerBench) -> BillState:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    assert row is not None
    return BillState.FromString(row.state)


async def test_s70_two_undos_of_a_do_that_never_came_are_both_answered_and_neither_runs() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    turn = await bench.run(refund(2, of=do, reply_to=SAGA), refund(3, of=do, reply_to=SAGA))
    assert [one.type for one in turn.draft.outgoing] == ["amends.Undone"] * 2
    assert (await stored(bench)).refunds == 0


@pytest.mark.broken_by("undo-forgets-its-own-turn")
async def test_s70_a_second_undo_in_the_turn_that_put_its_do_to_rest_does_not_run() -> None:
    bench = await LedgerBench.open()
    do = bill(1, due_at_s=system_ports().clock.now_s() + 1000)
    first, second = refund(2, of=do), refund(3, of=do)
    await bench.post(do, first, second)
    turn = await bench.turn(first, second, do)
    assert await bench.commit(turn) is Verdict.COMMITTED
    state = await stored(bench)
    assert (state.charges, state.refunds) == (0, 0)


async def test_an_undo_in_the_turn_in_which_its_do_was_refused_does_not_run() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="declined", reply_to=SAGA)
    undo = refund(2, of=do, refusals=("shop.PaymentDeclined",), reply_to=SAGA)
    turn = await bench.run(do, undo)
    assert [one.type for one in turn.draft.outgoing] == ["shop.PaymentDeclined", "amends.Undone"]
    assert (await stored(bench)).refunds == 0


async def test_s67_an_undo_in_the_turn_in_which_its_do_failed_runs_since_it_may_have_run_in_part() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="broken")
    turn = await bench.run(do, refund(2, of=do))
    assert ((await stored(bench)).refunds, (await stored(bench)).reason) == (1, "of a bill that failed")
    assert [row.outcome for row in turn.draft.history] == [Outcome.FAULTED, Outcome.HANDLED]
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == []


async def test_s67_an_undo_in_the_turn_in_which_its_do_was_given_up_runs() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="final")
    await bench.run(do, refund(2, of=do))
    assert ((await stored(bench)).refunds, (await stored(bench)).reason) == (1, "of a bill that failed")
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) == []


async def test_an_undo_is_told_whether_the_state_has_anything_of_its_do() -> None:
    bench = await LedgerBench.open()
    done, failed = bill(1), bill(3, sku="final")
    await bench.run(done, refund(2, of=done))
    assert (await stored(bench)).reason == "of a bill"
    await bench.run(failed)
    await bench.run(refund(4, of=failed))
    assert (await stored(bench)).reason == "of a bill that failed"
    await bench.run(refund(5, of=failed))
    assert (await stored(bench)).reason == "of a bill that failed", "asked once more, when the do is in the history"


def test_what_waited_behind_a_do_that_was_undone_goes_on_in_order() -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        local = await LocalNode([till]).start()
        post = Post(local)
        do = post.bill(1)
        await post.send(do, post.bill(2), post.refund(do), post.bill(3))
        await local.sleep(0.5)
        assert await post.order() == ["undo", "2", "3"]
        await local.stop()

    in_virtual_time(scenario)


@pytest.mark.broken_by("retry-time-ignored-by-sweeps")
def test_s56_a_second_copy_of_an_undo_that_waits_for_a_retry_does_not_shorten_its_pause() -> None:
    async def scenario() -> None:
        till = Till(undos_fail=2)
        local = await LocalNode([till]).start()
        post = Post(local)
        do = post.bill(1)
        undo = post.refund(do)
        await post.send(do, undo)
        await local.sleep(1)
        await post.push(undo)
        await local.sleep(1)
        (waits,) = await local.mail("billing", "ORD-1")
        assert (till.undos_failed, waits.attempts) == (1, 1)
        await local.sleep(4)
        await post.push(undo)
        await local.sleep(1)
        (waits,) = await local.mail("billing", "ORD-1")
        assert (till.undos_failed, waits.attempts) == (2, 2), "the runs that failed are counted"
        await local.sleep(30)
        assert (await post.order(), await local.mail("billing", "ORD-1")) == (["1", "undo"], [])
        await local.stop()

    in_virtual_time(scenario)


def test_an_undo_overtakes_another_that_waits_for_a_retry_and_leaves_it_its_pause() -> None:
    async def scenario() -> None:
        till = Till(undos_fail=1)
        local = await LocalNode([till]).start()
        post = Post(local)
        first, second = post.bill(1), post.bill(2)
        await post.send(first, second, post.refund(first))
        await local.sleep(1)
        assert till.undos_failed == 1
        await post.send(post.bill(3), post.refund(second))
        await local.sleep(1)
        assert await post.order() == ["1", "2", "undo"]
        await local.sleep(5)
        assert await post.order() == ["1", "2", "undo", "undo", "3"]
        await local.stop()

    in_virtual_time(scenario)


def test_a_do_that_waits_although_it_has_a_tombstone_is_taken_out_and_its_actor_goes_on() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        do, after = post.bill(1), post.bill(2)
        await post.store(do, after)
        tombstone = HistoryRow(
            do.conversation,
            do.id,
            "billing",
            "ORD-1",
            post.shard,
            1,
            local.ports.clock.now_s(),
            Outcome.UNDONE,
            0,
            "node@0",
            "undone before it came",
            "",
            "",
            b"",
            0.0,
            b"",
        )
        await local.store.commit([Transition(address=do.address, shard=post.shard, history=(tombstone,))])
        await post.push(do, after)
        await local.sleep(5)
        assert await post.order() == ["2"]
        assert await local.mail("billing", "ORD-1") == []
        assert len(till.runs) < 5
        await local.stop()

    in_virtual_time(scenario)


def test_a_message_with_the_id_of_another_actors_is_parked_with_the_reason() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        one, two = Post(local, "A"), Post(local, "B")
        first = one.bill(1)
        same = two.bill(2, id=first.id)
        await one.store(first)
        await two.store(same)
        await one.push(first)
        await local.sleep(1)
        await two.push(same)
        await local.sleep(10)
        assert await one.order() == ["1"]
        (parked,) = await local.mail("billing", "B")
        assert "billing/A has handled a message of the same id" in parked.parked
        assert len(till.runs) < 5
        await local.stop()

    in_virtual_time(scenario)


def test_an_undo_whose_do_cannot_be_read_is_parked_with_the_reason() -> None:
    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        post = Post(local)
        do = post.bill(1, due_at_s=local.ports.clock.now_s() + 1000)
        row = dataclasses.replace(MailRow.of(do, post.shard), envelope=b"\xff")
        await local.store.commit([Transition(mail=(row,))])
        await post.send(post.refund(do))
        await local.sleep(1)
        (parked,) = [row for row in await local.mail("billing", "ORD-1") if row.parked]
        assert "are no envelope" in parked.parked
        await local.stop()

    in_virtual_time(scenario)


class BusyOnce(MemoryStore):
    """Refuses the first transition that consumes a message."""

    refused = 0

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if not self.refused and any(transition.consumed for transition in transitions_of(batch)):
            self.refused += 1
            raise StoreBusy("another process holds the file too long")
        return await super().commit(batch)


@pytest.mark.broken_by("tried-do-counts-as-untried")
def test_s67_an_undo_that_overtakes_a_do_whose_turn_was_lost_runs_since_it_may_have_had_effects_outside() -> None:
    """Its handler has run, and what that did outside is done; only the commit failed, so the mail says never tried."""

    async def scenario() -> None:
        till = Till()
        local = await LocalNode([till]).start()
        await local.stop()
        busy = BusyOnce(local.ports)
        local = await LocalNode([till], busy).start()
        post = Post(local)
        do = post.bill(1)
        await post.send(do)
        await local.sleep(0.1)
        assert (busy.refused, till.runs) == (1, [1])
        await post.send(post.refund(do))
        await local.sleep(5)
        assert await local.mail("billing", "ORD-1") == []
        assert "undo" in await post.order()
        await local.stop()

    in_virtual_time(scenario)


def history(do: Envelope, caused: bytes) -> HistoryRow:
    now_s = do.sent_at_s
    return HistoryRow(
        do.conversation, do.id, "billing", "ORD-1", 0, 1, now_s, Outcome.HANDLED, 1, "n@1", "", do.type, "", b"", now_s,
        caused,
    )  # fmt: skip


DECLARED: dict[str, Any] = {"refusals": ("shop.PaymentDeclined",), "dones": ("shop.OrderBilled",), "reply_to": SAGA}


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ([(SAGA, "shop.PaymentDeclined")], "shop.PaymentDeclined"),
        ([(SAGA, "shop.OrderBilled"), (SAGA, "shop.PaymentDeclined")], ""),
        ([(SAGA, "shop.PaymentDeclined"), (SAGA, "shop.OrderBilled")], ""),
        ([("other/ORD-1", "shop.PaymentDeclined")], ""),
        ([(SAGA, "shop.OrderBilled"), ("other/ORD-1", "shop.PaymentDeclined")], ""),
        ([("other/ORD-1", "shop.OrderBilled"), (SAGA, "shop.PaymentDeclined")], "shop.PaymentDeclined"),
        ([(SAGA, "shop.StockReported"), (SAGA, "shop.PaymentDeclined")], "shop.PaymentDeclined"),
        ([(SAGA, "shop.BackOrdered")], ""),
    ],
)
def test_only_what_a_do_answered_its_sender_is_its_refusal_and_a_done_beside_it_wins(
    told: list[tuple[str, str]], refusal: str
) -> None:
    do = bill(1, reply_to=SAGA)
    caused = durable_pb2.CausedList(caused=[durable_pb2.Caused(address=a, type=t) for a, t in told])
    row = history(do, caused.SerializeToString())
    found = guard.of_handled(row, refund(2, of=do, **DECLARED))
    assert found.ruling is (guard.Ruling.NOTHING if refusal else guard.Ruling.RUN)
    assert refusal in found.reason
