"""An undo that is asked for again names those before it: of all that ask for one thing, one runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protos.billing_pb2 import BillState
from runtime.envelope import Envelope
from runtime.operate.dead_letters import Act, discard
from runtime.operate.parked_mail import ParkedMail
from runtime.store.records import MailRow, Outcome, Transition, Verdict
from tests.unit.durable.ledger import LedgerBench, bill, refund
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

SAGA = "order-process/ORD-1"


async def refunds(bench: LedgerBench) -> int:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    assert row is not None
    return BillState.FromString(row.state).refunds


async def waiting(bench: LedgerBench) -> list[bytes]:
    return [row.id for row in await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10)]


async def outcome(bench: LedgerBench, envelope: Envelope) -> Outcome | None:
    (row,) = await bench.store.handled([(envelope.conversation, envelope.id)])
    return None if row is None else row.outcome


def parked(envelope: Envelope) -> MailRow:
    return MailRow.of(envelope, 0, attempts=8, parked="the till is jammed", parked_at_s=1.0)


def again(number: int, do: Envelope, *earlier: Envelope) -> Envelope:
    return refund(number, of=do, reply_to=SAGA, earlier_undos=tuple(one.id for one in earlier))


async def test_the_letters_of_those_before_go_with_the_one_that_runs() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    second = again(3, do, first)
    await bench.run(do)
    assert await bench.store.commit([Transition(mail=(parked(first), parked(second)))]) == [Verdict.COMMITTED]
    await bench.run(again(4, do, first, second))
    assert (await refunds(bench), await waiting(bench)) == (1, [])
    assert [await outcome(bench, one) for one in (first, second)] == [Outcome.FAULTED] * 2


async def test_one_that_was_replayed_in_time_leaves_nothing_to_the_next() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    second = again(3, do, first)
    await bench.run(do)
    await bench.post(second)
    await bench.run(first)
    turn = await bench.turn(second)
    assert await bench.commit(turn) is Verdict.COMMITTED
    assert [one.type for one in turn.draft.outgoing] == ["amends.Undone"]
    assert (await refunds(bench), await waiting(bench)) == (1, [])


@pytest.mark.parametrize("is_turned", [False, True])
async def test_of_two_in_one_turn_one_runs(is_turned: bool) -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    both = [first, again(3, do, first)]
    await bench.run(do)
    await bench.run(*(reversed(both) if is_turned else both))
    assert (await refunds(bench), await waiting(bench)) == (1, [])


async def test_a_copy_of_one_before_that_comes_late_does_not_run() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    await bench.run(do)
    await bench.post(first)
    await bench.run(again(3, do, first))
    turn = await bench.turn(first)
    assert await bench.commit(turn) is Verdict.MAIL_MISSING
    assert await refunds(bench) == 1


async def test_one_before_that_was_discarded_has_undone_nothing() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    letter = parked(first)
    await bench.run(do)
    await bench.store.commit([Transition(mail=(letter,))])
    await bench.store.commit([discard(ParkedMail(letter, first), Act("ann", 2.0, "a test"))])
    await bench.run(again(3, do, first))
    assert await refunds(bench) == 1


async def test_those_before_are_given_up_although_one_of_them_was_handled() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    first = again(2, do)
    second = again(3, do)
    await bench.run(do)
    await bench.run(first)
    await bench.store.commit([Transition(mail=(parked(second),))])
    await bench.run(again(4, do, first, second))
    assert (await refunds(bench), await waiting(bench)) == (1, [])


def test_an_undo_that_keeps_failing_leaves_one_letter_and_runs_once_when_that_is_replayed() -> None:
    async def scenario() -> None:
        till = Till(undos_fail=1_000)
        local = await LocalNode([till]).start()
        post = Post(local)
        do = post.bill(1)
        undos = [post.refund(do)]
        await post.send(do, undos[0])
        await local.sleep(300)
        for _ in range(3):
            undos.append(post.refund(do, earlier_undos=tuple(one.id for one in undos)))
            await post.send(undos[-1])
            await local.sleep(300)
        (letter,) = await local.mail("billing", "ORD-1")
        assert letter.parked and letter.id == undos[-1].id
        till.undos_fail = 0
        free = replace(letter, parked="", parked_at_s=0.0, due_at_s=0.0, attempts=1)
        await local.store.commit([Transition(address=letter.address, shard=letter.shard, rescheduled=(free,))])
        await local.sleep(60)
        assert (await post.order(), await local.mail("billing", "ORD-1")) == (["1", "undo"], [])
        await local.stop()

    in_virtual_time(scenario)
