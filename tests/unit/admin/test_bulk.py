"""Many dead letters at once: chosen by filters, seen first, acted on one by one by a run that can be resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from runtime.operate.letter_filter import LetterFilter, choose
from runtime.operate.letter_runs import begin
from runtime.protos.saga_pb2 import Exchange, LetterRun
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from tests.unit.admin.test_commands import run
from tests.unit.operate.rows import SAGA, fill, id_of, join, mail, saga
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
    command = ("dead-letters", "replay-many", "--kind", "billing", "--yes", "--reason", "the bank is back")
    done = run(outage, *command, "--json")
    assert done.exit_code == 5, done.output
    told = json.loads(done.stdout)
    assert (told["kind"], told["chosen_by"], told["done"], told["refused"]) == ("letter-run", "kind=billing", 2, 1)
    refused, *others = told["items"]
    assert refused["id"] == id_of(1).hex() and "no longer waits for shop.BillOrder" in refused["refusal"]
    assert [(one["id"], one["to"], one["refusal"]) for one in others] == [
        (id_of(2).hex(), "billing/ORD-1", ""),
        (id_of(3).hex(), "billing/ORD-1", ""),
    ]
    assert parked(outage) == [1, 4, 5]
    forced = run(outage, *command, "--force")
    assert forced.exit_code == 0 and "1 done, 0 refused, 0 left" in forced.stdout


def test_many_are_discarded_with_a_reason_and_up_to_the_limit(outage: MemoryStore) -> None:
    unsaid = run(outage, "dead-letters", "discard-many", "--error", "no", "--yes")
    assert unsaid.exit_code == 2 and "say why, for the record" in unsaid.output
    done = run(outage, "dead-letters", "discard-many", "--sender", "sales", "--reason", "sold", "--limit", "1", "--yes")
    assert done.exit_code == 9, "more would have fitted: a script is not to take it for all"
    assert "1 done, 0 refused, 0 left" in done.stdout and "1 more fit, beyond --limit" in done.stdout
    assert parked(outage) == [1, 2, 3, 5]


def test_letters_are_counted_in_groups_which_the_filters_choose_again(outage: MemoryStore) -> None:
    found = json.loads(run(outage, "dead-letters", "groups", "--json").stdout)
    assert [(one["kind"], one["error_class"], one["count"]) for one in found] == [
        ("billing", "OSError", 3),
        ("warehouse", "ValueError", 2),
    ]
    assert "ValueError: no" in run(outage, "dead-letters", "groups").stdout
    seen = run(outage, "dead-letters", "replay-many", "--class", "ValueError").stdout
    assert "2 to replay; nothing was done" in seen


def test_a_run_that_was_left_is_listed_shown_resumed_and_told_act_by_act(outage: MemoryStore) -> None:
    letters, _ = asyncio.run(choose(outage, LetterFilter(kind="warehouse"), limit=9))
    said = LetterRun(act=LetterRun.DISCARD, who="ann", reason="sold out")
    asyncio.run(join(outage, "one", kinds=("warehouse",)))
    asyncio.run(begin(outage, "labels", said, [one.place for one in letters], now_s=9.0))
    (listed,) = json.loads(run(outage, "runs", "--json").stdout)
    assert (listed["run"], listed["left"], listed["who"]) == ("labels", 2, "ann")
    shown = run(outage, "runs", "show", "labels")
    assert shown.exit_code == 9 and "for 'warehouse/ORD-1': left" in shown.stdout
    assert "go on with: amends admin runs resume labels" in shown.stderr
    done = run(outage, "runs", "resume", "labels")
    assert done.exit_code == 0 and "2 done, 0 refused, 0 left" in done.stdout
    assert parked(outage) == [1, 2, 3]
    acts = json.loads(run(outage, "acts", "--json").stdout)
    assert [(one["who"], one["act"], one["to"], one["is_done"]) for one in acts] == [
        ("ann", "discard", "warehouse/ORD-1", True)
    ] * 2
    assert "sold out" in acts[0]["text"] and "ann" in run(outage, "acts").stdout


def test_a_run_is_cancelled_with_a_reason_and_goes_on_no_more(outage: MemoryStore) -> None:
    place = asyncio.run(choose(outage, LetterFilter(kind="warehouse"), limit=1))[0][0].place
    said = LetterRun(act=LetterRun.REPLAY, who="ann", reason="x")
    asyncio.run(begin(outage, "labels", said, [place], now_s=9.0))
    assert run(outage, "runs", "cancel", "labels").exit_code == 2
    done = run(outage, "runs", "cancel", "labels", "--reason", "the wrong ones", "--who", "bo")
    assert done.exit_code == 0 and "labels is cancelled: 0 done, 1 stay as they are" in done.stdout
    again = run(outage, "runs", "resume", "labels")
    assert again.exit_code == 5 and "was cancelled by bo, because: the wrong ones" in again.output
    assert "cancelled" in run(outage, "runs").stdout
    assert "cancelled by bo" in run(outage, "runs", "show", "labels").stdout
    assert run(outage, "runs", "show", "nothing").exit_code == 4
    assert parked(outage) == [1, 2, 3, 4, 5]


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
