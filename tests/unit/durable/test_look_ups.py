"""A look-up: a service asks an outside system what became of a command that was given up, when a probe asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.look_up import Absent, looks_up
from runtime.durable.results import Answer
from runtime.durable.service import Service
from runtime.durable.turn.turn import Turn
from runtime.envelope import Envelope
from runtime.protos.durable_pb2 import CommandsProbed, Fault, ProbeCommands, ProbedCommand
from runtime.store.records import MailRow, Outcome, Transition
from tests.unit.durable.ledger import LedgerBench, bill, refund

SAGA = "order-process/ORD-1"
UNKNOWN, HANDLED, ABSENT = ProbedCommand.UNKNOWN, ProbedCommand.HANDLED, ProbedCommand.ABSENT


class LosingTill(Service[BillState], kind="billing", retries=RetryPolicy(immediate=0, delays=(5.0,), jitter=0.0)):
    """Its handler has charged at the bank, and fails. What the bank says of a charge is set by the test."""

    bank: ClassVar[dict[bytes, Any]]
    asked: ClassVar[list[tuple[bytes, BillOrder]]]

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        if not command.line.sku:
            return OrderBilled(order_id=self.key)
        raise RuntimeError("the answer of the bank was lost")

    @looks_up(bill)
    async def was_billed(self, command: BillOrder) -> OrderBilled | PaymentDeclined | Absent:
        self.asked.append((self.message_id, command))
        self.state.charges += 1
        found = self.bank[self.message_id]
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        self.state.reason = "of a bill that failed" if self.do_failed else "of a bill"
        return OrderRefunded(order_id=self.key)


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Any]:
    """What it says of each charge, by its key."""
    says: dict[bytes, Any] = {}
    monkeypatch.setattr(LosingTill, "bank", says, raising=False)
    monkeypatch.setattr(LosingTill, "asked", [], raising=False)
    return says


def probe(number: int, *of: Envelope) -> Envelope:
    asked = ProbeCommands(commands=[one.id for one in of])
    return dataclasses.replace(bill(number), type="amends.ProbeCommands", body=asked.SerializeToString(), reply_to=SAGA)


def told(turn: Turn) -> list[ProbedCommand]:
    """What a probe was told in this turn."""
    answer = turn.draft.outgoing[-1]
    assert answer.type == "amends.CommandsProbed"
    return list(CommandsProbed.FromString(answer.body).commands)


async def given_up(bench: LedgerBench, number: int = 1) -> Envelope:
    """A command that was tried as often as it may be, and lies there as a dead letter."""
    do = bill(number, sku="HAT", reply_to=SAGA)
    await bench.post(do)
    turn = await bench.turn(do, attempts={do.id: 1})
    await bench.commit(turn)
    (letter,) = [row for row in await mail(bench) if row.id == do.id]
    assert letter.parked
    return do


async def mail(bench: LedgerBench) -> list[MailRow]:
    return await bench.store.waiting_for(("billing", "ORD-1"), 0, limit=10)


async def state(bench: LedgerBench) -> BillState:
    (row,) = await bench.store.load([("billing", "ORD-1")])
    return BillState() if row is None else BillState.FromString(row.state)


async def outcome(bench: LedgerBench, of: Envelope) -> Outcome | None:
    (row,) = await bench.store.handled([(of.conversation, of.id)])
    return None if row is None else row.outcome


async def test_s118_what_the_outside_system_has_done_is_the_answer_of_a_command_that_was_given_up(
    bank: dict[bytes, Any],
) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = await given_up(bench)
    bank[do.id] = OrderBilled(order_id="ORD-1", amount_cents=100)
    turn = await bench.run(probe(2, do))
    (found,) = told(turn)
    assert found.finding == HANDLED
    assert [(one.type, one.body) for one in found.answers] == [("shop.OrderBilled", bank[do.id].SerializeToString())]
    (answer, _) = turn.draft.outgoing
    assert (answer.type, answer.in_reply_to, answer.key) == ("shop.OrderBilled", do.id, "ORD-1"), "told itself, too"
    assert await mail(bench) == [], "nobody can replay it any more"
    assert (await outcome(bench, do), (await state(bench)).charges) == (Outcome.HANDLED, 1)
    ((key, command),) = LosingTill.asked
    assert (key, command.amount_cents) == (do.id, 100), "the key under which the bank has the charge"


async def test_s118_a_refusal_of_the_outside_system_is_an_answer_as_well(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = await given_up(bench)
    bank[do.id] = PaymentDeclined(order_id="ORD-1")
    (found,) = told(await bench.run(probe(2, do)))
    assert [one.type for one in found.answers] == ["shop.PaymentDeclined"]


@pytest.mark.broken_by("looked-up-as-absent-and-replayed")
async def test_s119_what_the_outside_system_knows_to_be_absent_never_runs_again(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = await given_up(bench)
    bank[do.id] = Absent()
    (found,) = told(await bench.run(probe(2, do)))
    assert found.finding == ABSENT
    assert await mail(bench) == [], "an operator cannot replay it"
    await bench.store.commit([Transition(mail=(MailRow.of(do, 0),))])
    assert await mail(bench) == [], "a copy of it is refused"
    (again,) = told(await bench.run(probe(3, do)))
    assert (again.finding, len(LosingTill.asked)) == (ABSENT, 1), "the history knows it now"
    assert await outcome(bench, do) is Outcome.UNDONE


async def test_s119_a_command_given_up_in_the_turn_of_its_probe_is_looked_up_in_it(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = bill(1, sku="HAT", reply_to=SAGA)
    asked = probe(2, do)
    bank[do.id] = Absent()
    await bench.post(do, asked)
    turn = await bench.turn(do, asked, attempts={do.id: 1})
    await bench.commit(turn)
    assert [one.finding for one in told(turn)] == [ABSENT]
    assert await mail(bench) == []


@pytest.mark.broken_by("look-up-that-fails-is-absent")
async def test_s120_a_look_up_that_raises_is_run_again_later_and_never_taken_for_absent(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = await given_up(bench)
    bank[do.id] = ConnectionError("the bank does not answer")
    asked = probe(2, do)
    await bench.post(asked)
    turn = await bench.turn(asked)
    await bench.commit(turn)
    assert turn.draft.outgoing == [], "no answer yet"
    waits = next(row for row in await mail(bench) if row.id == asked.id)
    assert (waits.attempts, waits.parked, waits.due_at_s > turn.draft.now_s) == (1, "", True)
    assert (await state(bench)).charges == 0, "what it has changed is taken back"

    turn = await bench.turn(asked, attempts={asked.id: 1})
    await bench.commit(turn)
    (fault,) = turn.draft.outgoing
    assert (fault.type, fault.in_reply_to) == ("amends.Fault", asked.id)
    assert "the bank does not answer" in Fault.FromString(fault.body).error
    assert {row.id: bool(row.parked) for row in await mail(bench)} == {do.id: True, asked.id: True}, "both in the open"

    bank[do.id] = OrderBilled(order_id="ORD-1")
    await bench.set_free(asked)
    turn = await bench.turn(asked)
    await bench.commit(turn)
    assert [one.finding for one in told(turn)] == [HANDLED], "replayed by an operator once the bank answers"


async def test_s120_a_look_up_that_says_nothing_has_failed(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    do = await given_up(bench)
    for strange, why in ((None, "return its answer or Absent()"), (OrderRefunded(), "shop.OrderRefunded")):
        bank[do.id] = strange
        asked = probe(2, do)
        turn = await bench.turn(asked, attempts={asked.id: 1})
        assert [row.id for row in turn.draft.rescheduled] == [asked.id]
        assert why in turn.draft.rescheduled[0].parked


@pytest.mark.broken_by("look-ups-settled-one-by-one")
async def test_of_several_commands_all_are_looked_up_or_none(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    first, second = await given_up(bench, 1), await given_up(bench, 2)
    bank.update({first.id: Absent(), second.id: ConnectionError("the bank does not answer")})
    asked = probe(3, first, second)
    await bench.post(asked)
    turn = await bench.turn(asked)
    await bench.commit(turn)
    assert {first.id, second.id} < {row.id for row in await mail(bench)}
    bank[second.id] = OrderBilled(order_id="ORD-1")
    turn = await bench.turn(asked, attempts={asked.id: 1})
    await bench.commit(turn)
    assert [one.finding for one in told(turn)] == [ABSENT, HANDLED]
    assert await mail(bench) == []


async def test_what_the_history_can_tell_is_not_looked_up() -> None:
    bench = await LedgerBench.open(service=LosingTill)
    done, never = bill(1, reply_to=SAGA), bill(2)
    await bench.run(done)
    assert [one.finding for one in told(await bench.run(probe(3, done, never)))] == [HANDLED, ABSENT]
    assert LosingTill.asked == []


async def test_an_undo_finds_what_was_looked_up(bank: dict[bytes, Any]) -> None:
    bench = await LedgerBench.open(service=LosingTill)
    done, absent = await given_up(bench, 1), await given_up(bench, 2)
    bank.update({done.id: OrderBilled(order_id="ORD-1"), absent.id: Absent()})
    await bench.run(probe(3, done, absent))
    turn = await bench.run(refund(4, of=absent, reply_to=SAGA))
    assert [one.type for one in turn.draft.outgoing] == ["amends.Undone"], "there is nothing to undo"
    await bench.run(refund(5, of=done, reply_to=SAGA))
    assert (await state(bench)).reason == "of a bill", "the state has it now, so it did not fail"


async def test_a_look_up_may_say_more_than_the_answer(bank: dict[bytes, Any]) -> None:
    class TalkativeTill(LosingTill, kind="billing"):
        async def bill(self, command: BillOrder) -> Answer[OrderBilled, PaymentDeclined] | PaymentDeclined:  # type: ignore[override]
            raise RuntimeError("the answer of the bank was lost")

        @looks_up(bill)
        async def was_billed(self, command: BillOrder) -> Answer[OrderBilled, PaymentDeclined] | Absent:  # type: ignore[override]
            self.set_timer("remind", 60.0, BillOrder(order_id=self.key))
            return Answer(OrderBilled(order_id=self.key), events=(PaymentDeclined(order_id=self.key),))

    bench = await LedgerBench.open(service=TalkativeTill)
    turn = await bench.run(probe(2, await given_up(bench)))
    assert [one.type for one in told(turn)[0].answers] == ["shop.OrderBilled", "shop.PaymentDeclined"]
    assert list(turn.draft.timers) == ["remind"]
