"""Many dead letters at once: chosen by filters, seen first, acted on one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from runtime.errors import InvalidMessage, StoreUnavailable
from runtime.operate.bulk import act_on
from runtime.operate.dead_letters import Act, check_awaited, replay
from runtime.operate.letter_filter import LetterFilter, choose
from runtime.operate.parked_mail import ParkedMail
from runtime.protos.saga_pb2 import Exchange
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.port import OperatorStore
from runtime.store.records import Transition, Verdict
from tests.unit.admin.test_commands import run
from tests.unit.operate.rows import SAGA, fill, id_of, mail, saga
from tests.unit.saga.records import task_in

SENDER = "order-process/ORD-1"


@pytest.fixture
def outage(store: MemoryStore) -> MemoryStore:
    """Three bills and two labels parked; the saga no longer waits for the bill with the id 1."""
    settled = task_in(Phase.REFUSED, "bill", do=Exchange(command_id=id_of(1)))

    async def prepare() -> None:
        await fill(store, saga(tasks=(settled,)))
        for number in (1, 2, 3):
            await fill(store, mail(number, parked="OSError: the Bank is down", sender=SENDER, reply_to=SENDER))
        for number in (4, 5):
            await fill(store, mail(number, kind="warehouse", parked="ValueError: no", sender="sales/ORD-1"))

    asyncio.run(prepare())
    return store


def parked(store: MemoryStore) -> list[int]:
    rows = asyncio.run(store.dead_letters(limit=100))
    return [int.from_bytes(row.id, "big") for row in rows]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LetterFilter(), [1, 2, 3, 4, 5]),
        (LetterFilter(kind="warehouse"), [4, 5]),
        (LetterFilter(kind="billing", error="bank IS down"), [1, 2, 3]),
        (LetterFilter(sender="order-process"), [1, 2, 3]),
        (LetterFilter(sender=SENDER), [1, 2, 3]),
        (LetterFilter(sender="order"), []),
        (LetterFilter(type="BillOrder", kind="warehouse"), [4, 5]),
        (LetterFilter(type="shop.BillOrder", key="ORD-", kind="billing"), [1, 2, 3]),
        (LetterFilter(type="Bill"), []),
        (LetterFilter(key="ORD-2"), []),
    ],
)
async def test_letters_are_chosen_by_all_that_is_said(
    outage: MemoryStore, wanted: LetterFilter, expected: Sequence[int]
) -> None:
    found, more = await choose(outage, wanted, limit=100)
    assert ([int.from_bytes(letter.row.id, "big") for letter in found], more) == (expected, 0)


def test_without_yes_nothing_is_done(outage: MemoryStore) -> None:
    done = run(outage, "dead-letters", "replay-many", "--kind", "billing")
    assert done.exit_code == 0 and "3 to replay; nothing was done: add --yes" in done.stdout
    assert f"would replay {id_of(1).hex()} shop.BillOrder for 'billing/ORD-1'" in done.stdout
    assert parked(outage) == [1, 2, 3, 4, 5]
    assert "none fits" in run(outage, "dead-letters", "discard-many", "--kind", "sales", "--reason", "x").stdout


def test_each_is_checked_by_itself_and_a_refusal_stops_no_other(outage: MemoryStore) -> None:
    done = run(outage, "dead-letters", "replay-many", "--kind", "billing", "--yes", "--json")
    assert done.exit_code == 5, done.output
    told = json.loads(done.stdout)
    assert told["done"] == [id_of(2).hex(), id_of(3).hex()]
    assert list(told["refused"]) == [id_of(1).hex()]
    assert "no longer waits for shop.BillOrder" in told["refused"][id_of(1).hex()]
    assert parked(outage) == [1, 4, 5]
    forced = run(outage, "dead-letters", "replay-many", "--kind", "billing", "--yes", "--force")
    assert forced.exit_code == 0 and "1 replayed, 0 refused" in forced.stdout


def test_many_are_discarded_with_a_reason_and_up_to_the_limit(outage: MemoryStore) -> None:
    assert run(outage, "dead-letters", "discard-many", "--error", "no", "--yes").exit_code == 2
    done = run(outage, "dead-letters", "discard-many", "--sender", "sales", "--reason", "sold", "--limit", "1", "--yes")
    assert done.exit_code == 9, "more would have fitted: a script is not to take it for all"
    assert "1 discarded, 0 refused" in done.stdout and "1 more fit, beyond --limit" in done.stdout
    assert parked(outage) == [1, 2, 3, 5]


def test_what_a_stuck_saga_needs_is_discarded_by_force_only(store: MemoryStore) -> None:
    stuck = task_in(Phase.ASKED, "bill", do=Exchange(command_id=id_of(1)), stuck=True)
    letter = mail(1, parked="boom", sender=SENDER, reply_to=SENDER)
    asyncio.run(fill(store, saga(status=SAGA.STUCK, tasks=(stuck,)), letter))
    command = ("dead-letters", "discard-many", "--all", "--reason", "x", "--yes")
    done = run(store, *command)
    assert done.exit_code == 5 and "is stuck on shop.BillOrder" in done.stdout
    assert parked(store) == [1]
    assert run(store, *command, "--force").exit_code == 0
    assert parked(store) == []


@pytest.mark.parametrize("arguments", [(), ("--all", "--kind", "billing")])
def test_all_of_them_has_to_be_said(outage: MemoryStore, arguments: tuple[str, ...]) -> None:
    done = run(outage, "dead-letters", "replay-many", *arguments, "--yes")
    assert done.exit_code == 2 and "say which" in done.output
    assert parked(outage) == [1, 2, 3, 4, 5]


async def test_what_was_done_is_told_although_the_store_fails(
    outage: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, _ = await choose(outage, LetterFilter(kind="warehouse"), limit=9)
    commit = outage.commit

    async def once(transitions: Sequence[Transition]) -> list[Verdict]:
        monkeypatch.setattr(outage, "commit", fail)
        return list(await commit(transitions))

    async def fail(transitions: Sequence[Transition]) -> list[Verdict]:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(outage, "commit", once)
    outcome = await act_on(outage, letters, replay, Act("me", 1.0, ""), check_awaited)
    assert (outcome.done, outcome.refused, outcome.stopped_by) == (tuple(letters[:1]), (), "the disk is gone")


@pytest.mark.parametrize(("raised", "said"), [(asyncio.CancelledError(), "interrupted at"), (InvalidMessage("no"), "")])
async def test_what_was_done_is_told_whatever_ends_the_others(
    outage: MemoryStore, raised: BaseException, said: str
) -> None:
    """An interrupt stops the rest; a letter that nobody can judge is refused like any other."""
    letters, _ = await choose(outage, LetterFilter(kind="warehouse"), limit=9)

    async def check(store: OperatorStore, letter: ParkedMail) -> None:
        if letter is letters[1]:
            raise raised

    outcome = await act_on(outage, letters, replay, Act("me", 1.0, ""), check)
    assert outcome.done == (letters[0],)
    assert outcome.stopped_by.startswith(said) and bool(outcome.refused) != bool(said)
