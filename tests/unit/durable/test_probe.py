"""A probe: what a participant's runtime says of commands of which the sender has heard nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protos.billing_pb2 import BillState, OrderBilled
from runtime.envelope import Envelope, decode
from runtime.protos.durable_pb2 import CommandsProbed, ProbeCommands, ProbedCommand
from runtime.store.records import MailRow, Outcome, Transition, Verdict
from tests.unit.durable.ledger import LedgerBench, bill
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import Post, Till

SAGA = "order-process/ORD-1"
UNKNOWN, HANDLED, ABSENT = ProbedCommand.UNKNOWN, ProbedCommand.HANDLED, ProbedCommand.ABSENT


def probe(number: int, *of: Envelope, **headers: Any) -> Envelope:
    asked = ProbeCommands(commands=[one.id for one in of])
    fields = {"type": "amends.ProbeCommands", "body": asked.SerializeToString(), "reply_to": SAGA, **headers}
    return dataclasses.replace(bill(number), **fields)


async def probed(bench: LedgerBench, asked: Envelope, *, before: tuple[Envelope, ...] = ()) -> list[ProbedCommand]:
    """What a probe is told that is handled in one turn with the messages before it."""
    turn = await bench.run(*before, asked)
    answer = turn.draft.outgoing[-1]
    assert (answer.type, answer.in_reply_to) == ("amends.CommandsProbed", asked.id)
    return list(CommandsProbed.FromString(answer.body).commands)


async def charges(bench: LedgerBench) -> int:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    assert row is not None
    return BillState.FromString(row.state).charges


async def test_s118_of_a_command_that_was_handled_a_probe_is_told_the_answer() -> None:
    bench = await LedgerBench.open()
    do = bill(1, reply_to=SAGA)
    await bench.run(do)
    (found,) = await probed(bench, probe(2, do))
    assert (found.command, found.finding) == (do.id, HANDLED)
    (answer,) = found.answers
    assert answer.type == "shop.OrderBilled"
    assert OrderBilled.FromString(answer.body) == OrderBilled(order_id="ORD-1", amount_cents=100)
    assert await charges(bench) == 1


async def test_s118_a_probe_in_the_turn_of_the_command_is_told_the_answer() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="declined", reply_to=SAGA)
    (found,) = await probed(bench, probe(2, do), before=(do,))
    assert found.finding == HANDLED
    assert [one.type for one in found.answers] == ["shop.PaymentDeclined"]
    assert found.answers[0].HasField("body")


async def test_s118_only_what_was_said_to_who_asks_is_an_answer() -> None:
    bench = await LedgerBench.open()
    do = bill(1, reply_to="another/ORD-1")
    await bench.run(do)
    (found,) = await probed(bench, probe(2, do))
    assert (found.finding, list(found.answers)) == (HANDLED, [])


async def test_s118_without_its_body_where_no_history_keeps_that_any_more() -> None:
    bench = await LedgerBench.open()
    do = bill(1, reply_to=SAGA)
    turn = await bench.run(do)
    (answer,) = turn.draft.outgoing
    gone = Transition(address=answer.address, shard=0, consumed=(answer.id,))
    mail = await bench.store.mail_of_conversation(do.conversation)
    gone = dataclasses.replace(gone, shard=mail[0].shard)
    assert await bench.store.commit([gone]) == [Verdict.COMMITTED]
    (found,) = await probed(bench, probe(2, do))
    assert [(one.type, one.HasField("body")) for one in found.answers] == [("shop.OrderBilled", False)]


@pytest.mark.broken_by("absent-command-leaves-no-tombstone")
async def test_s119_a_command_that_never_came_is_absent_and_is_refused_should_it_come() -> None:
    bench = await LedgerBench.open()
    do = bill(1, reply_to=SAGA)
    (found,) = await probed(bench, probe(2, do))
    assert (found.finding, list(found.answers)) == (ABSENT, [])
    await bench.store.commit([Transition(mail=(MailRow.of(do, 0),))])
    assert await bench.store.waiting_for(do.address, 0, limit=10) == [], "the tombstone refuses it"
    (found,) = await probed(bench, probe(3, do))
    assert found.finding == ABSENT, "the same each time"
    assert await charges(bench) == 0


async def test_s119_a_command_that_comes_in_the_turn_of_its_probe_does_not_run() -> None:
    bench = await LedgerBench.open()
    do = bill(1)
    asked = probe(2, do)
    await bench.post(asked)
    turn = await bench.turn(asked, do)
    assert await bench.commit(turn) is Verdict.COMMITTED
    assert await charges(bench) == 0


async def test_of_a_command_that_was_given_up_nobody_can_tell() -> None:
    bench = await LedgerBench.open()
    do = bill(1, sku="final", reply_to=SAGA)
    (found,) = await probed(bench, probe(2, do), before=(do,))
    assert (found.finding, found.reason[:16]) == (UNKNOWN, "it was given up:")
    (found,) = await probed(bench, probe(3, do))
    assert (found.finding, found.reason[:16]) == (UNKNOWN, "it was given up:")
    assert await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10) != [], "an operator may replay it"


async def test_of_a_command_older_than_the_retention_nobody_can_tell() -> None:
    bench = await LedgerBench.open()
    old = dataclasses.replace(bill(1), id=(1000).to_bytes(6, "big") + b"x" * 10)
    (found,) = await probed(bench, probe(2, old))
    assert (found.finding, "older than the retention" in found.reason) == (UNKNOWN, True)


async def test_each_command_is_found_by_itself_and_in_the_order_of_the_question() -> None:
    bench = await LedgerBench.open()
    never, done = bill(1), bill(2, reply_to=SAGA)
    found = await probed(bench, probe(3, never, done, never), before=(done,))
    assert [(one.command, one.finding) for one in found] == [(never.id, ABSENT), (done.id, HANDLED)]


async def test_a_probe_for_which_nobody_waits_is_handled_all_the_same() -> None:
    bench = await LedgerBench.open()
    turn = await bench.run(probe(2, bill(1), reply_to=""))
    assert turn.draft.outgoing == []
    assert [row.outcome for row in turn.draft.history] == [Outcome.UNDONE, Outcome.HANDLED]


def test_s118_a_probe_waits_behind_a_command_that_is_tried_again() -> None:
    async def scenario() -> None:
        till = Till(broken={1})
        local = await LocalNode([till]).start()
        post = Post(local)
        do = post.bill(1, reply_to=SAGA)
        await post.send(do, post.probe(do))
        await local.sleep(1)
        assert len(await local.mail("billing", "ORD-1")) == 2, "both wait for the second try"
        till.broken.clear()
        await local.sleep(10)
        mail = [decode(row.envelope) for row in await local.mail("order-process", "ORD-1")]
        assert [one.type for one in mail] == ["shop.OrderBilled", "amends.CommandsProbed"]
        (found,) = CommandsProbed.FromString(mail[1].body).commands
        assert (found.finding, found.answers[0].body) == (HANDLED, mail[0].body)
        await local.stop()

    in_virtual_time(scenario)
