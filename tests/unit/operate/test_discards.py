"""A dead letter that alone can set a stuck saga going again is not discarded, unless an operator insists."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.envelope import Envelope, decode
from runtime.operate.dead_letters import StillNeeded, check_dispensable
from runtime.operate.parked_mail import ParkedMail
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.records import Subscription
from tests.unit.operate.rows import SAGA, TALK, actor, fill, id_of, mail, saga
from tests.unit.saga.records import task_in

DO, EARLIER, UNDO, EARLIER_UNDO = 2, 3, 4, 5
PROCESS = "order-process/ORD-1"


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


def task(phase: Phase, *, stuck: bool = True) -> TaskRecord:
    do = Exchange(command_id=id_of(DO), faulted_ids=[id_of(EARLIER)])
    undo = Exchange(command_id=id_of(UNDO), faulted_ids=[id_of(EARLIER_UNDO)])
    return task_in(phase, "bill", do=do, undo=undo, stuck=stuck)


def letter(number: int, reply_to: str = PROCESS) -> ParkedMail:
    row = mail(number, parked="boom", sender=PROCESS, reply_to=reply_to)
    return ParkedMail(row, decode(row.envelope))


def answer_to(number: int) -> ParkedMail:
    envelope = Envelope(
        id=id_of(9),
        kind="order-process",
        key="ORD-1",
        type="shop.OrderRefunded",
        body=b"",
        conversation=TALK,
        in_reply_to=id_of(number),
    )
    row = replace(mail(9, kind="order-process", parked="boom"), envelope=envelope.encoded)
    return ParkedMail(row, envelope)


async def needed(store: MemoryStore, one: ParkedMail) -> str:
    try:
        await check_dispensable(store, one)
    except StillNeeded as error:
        return str(error)
    return ""


@pytest.mark.parametrize("phase", Phase)
async def test_the_letter_that_a_stuck_step_waits_for_is_needed(store: MemoryStore, phase: Phase) -> None:
    await fill(store, saga(status=SAGA.STUCK, tasks=(TaskRecord(path="other"), task(phase))))
    found = [number for number in (DO, EARLIER, UNDO, EARLIER_UNDO) if await needed(store, letter(number))]
    expected = {
        "ASKED": [DO, EARLIER],
        "WORKING": [DO, EARLIER],
        "UNKNOWN": [DO, EARLIER],
        "PROBED": [DO, EARLIER],
        "OWED": [UNDO, EARLIER_UNDO],
        "UNDOING": [UNDO, EARLIER_UNDO],
    }
    assert found == expected.get(phase.name, [])


async def test_the_refusal_names_what_would_be_lost_and_what_to_do(store: MemoryStore) -> None:
    await fill(store, saga(status=SAGA.STUCK, tasks=(task(Phase.OWED),), stuck_reason="still to undo: bill"))
    text = await needed(store, letter(UNDO))
    assert "order-process/ORD-1 is stuck on shop.BillOrder: its step bill is owed" in text
    assert "still to undo: bill" in text and "replay" in text and "--force" in text
    assert "retry-saga order-process/ORD-1 --reason TEXT" in text


async def test_one_of_two_letters_for_the_same_step_may_go(store: MemoryStore) -> None:
    await fill(store, saga(status=SAGA.STUCK, tasks=(task(Phase.OWED),)), letter(EARLIER_UNDO).row)
    assert not await needed(store, letter(UNDO))
    assert await needed(store, letter(EARLIER_UNDO)), "the other one does not wait"


async def test_the_answer_that_a_stuck_step_waits_for_is_needed(store: MemoryStore) -> None:
    await fill(store, saga(status=SAGA.STUCK, tasks=(task(Phase.OWED),)))
    assert await needed(store, answer_to(UNDO))
    assert not await needed(store, answer_to(DO))


async def test_what_nobody_is_stuck_on_may_go(store: MemoryStore) -> None:
    await fill(store, saga(tasks=(task(Phase.ASKED, stuck=False),)))
    for one in (letter(DO), letter(9), letter(DO, ""), letter(DO, "order-process/ORD-3"), answer_to(DO)):
        assert not await needed(store, one)
    assert not await needed(store, ParkedMail(letter(DO).row, None))


def test_the_command_refuses_with_the_cure_and_keeps_in_the_history_that_it_was_forced(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga(status=SAGA.STUCK, tasks=(task(Phase.OWED),)), letter(UNDO).row))
    refused = run(store, "dead-letters", "discard", id_of(UNDO).hex(), "--reason", "tidy")
    assert (refused.exit_code, "is stuck on shop.BillOrder" in refused.output) == (5, True)
    assert id_of(UNDO).hex() in run(store, "dead-letters").output
    forced = run(store, "dead-letters", "discard", id_of(UNDO).hex(), "--reason", "tidy", "--who", "ann", "--force")
    assert (forced.exit_code, run(store, "dead-letters").output) == (0, "no dead letter\n")
    (done,) = asyncio.run(store.handled([(TALK, id_of(UNDO))]))
    assert done is not None
    assert done.error.startswith(f"discarded {id_of(UNDO).hex()} by ann, by force: tidy")


STARTS = Subscription("shop.OrderPlaced", "order-process", "order_id", "order-process", starts=True)
REACTS = Subscription("shop.OrderPlaced", "billing", "order_id", "order-choreography", starts=True)


def event(kind: str, *, process: str = "", type: str = "shop.OrderPlaced", reply_to: str = "") -> ParkedMail:
    envelope = Envelope(
        id=id_of(7), kind=kind, key="ORD-1", type=type, body=b"", conversation=TALK, process=process, reply_to=reply_to
    )
    return ParkedMail(replace(mail(7, kind=kind, parked="boom"), envelope=envelope.encoded), envelope)


async def test_what_starts_a_saga_is_needed_until_it_has_begun(store: MemoryStore) -> None:
    await store.subscribe([STARTS], kind="order-process")
    for process in ("", "order-process"):  # a client's, or an event's
        text = await needed(store, event("order-process", process=process))
        assert "shop.OrderPlaced is what starts order-process/ORD-1" in text
        assert "never begins" in text and "replay" in text and "--force" in text
    assert not await needed(store, event("order-process", type="amends.CancelSaga")), "it starts nothing"
    await fill(store, saga())
    assert not await needed(store, event("order-process", process="order-process"))


async def test_what_moves_a_choreography_on_is_needed(store: MemoryStore) -> None:
    await store.subscribe([REACTS], kind="billing")
    await fill(store, actor("billing"))
    for type in ("shop.OrderPlaced", "shop.PrintBill"):  # an event, and a command that nobody waits for
        text = await needed(store, event("billing", process="order-choreography", type=type))
        assert f"{type} moves the choreography order-choreography on" in text and "billing/ORD-1 never hears" in text
        assert "neither finished nor undone" in text and "replay" in text and "--force" in text
    assert not await needed(store, event("billing", process="")), "a client's, who was told"
    assert not await needed(store, event("billing", process="order-process")), "no choreography"
    assert not await needed(store, event("billing", process="order-choreography", reply_to="order-process/ORD-1"))


def test_the_command_refuses_to_discard_what_moves_a_choreography_on(store: MemoryStore) -> None:
    asyncio.run(store.subscribe([REACTS], kind="billing"))
    asyncio.run(fill(store, event("billing", process="order-choreography").row))
    discard = ("dead-letters", "discard", id_of(7).hex(), "--reason", "tidy", "--who", "ann")
    refused = run(store, *discard)
    assert (refused.exit_code, "moves the choreography order-choreography on" in refused.output) == (5, True)
    many = run(store, "dead-letters", "discard-many", "--all", "--yes", "--reason", "tidy")
    assert (many.exit_code, "neither finished nor undone" in many.output) == (5, True)
    assert run(store, *discard, "--force").exit_code == 0
    (done,) = asyncio.run(store.handled([(TALK, id_of(7))]))
    assert done is not None and "by ann, by force: tidy" in done.error
