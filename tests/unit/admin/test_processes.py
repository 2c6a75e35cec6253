"""Processes that no saga drives are listed by their history and their mail."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.envelope import Address, Envelope
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.saga.deadline_summary import deadline_summary
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, HistoryRow, MailRow, Subscription
from runtime.store.summaries import SummaryFilter, SummaryRow
from tests.unit.operate.rows import actor, fill, history, id_of, mail, saga

FLOW = "order-choreography"


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


def began(talk: int, key: str, *, kind: str = "billing", sent_at_s: float = 98.0) -> HistoryRow:
    row = history(talk, kind=kind)
    return replace(row, conversation=id_of(talk), key=key, type="shop.OrderPlaced", sent_at_s=sent_at_s)


def waits(number: int, talk: int, key: str, *, parked: str = "", process: str = FLOW) -> MailRow:
    row = mail(number, kind="warehouse", parked=parked)
    envelope = Envelope(
        id=row.id,
        kind="warehouse",
        key=key,
        type="shop.OrderBilled",
        body=b"",
        conversation=id_of(talk),
        process=process,
    )
    return replace(row, key=key, conversation=id_of(talk), envelope=envelope.encoded)


@pytest.fixture
def shop(store: MemoryStore) -> MemoryStore:
    async def prepare() -> None:
        starts = Subscription("shop.OrderPlaced", "order-process", "order_id", "order-process", starts=True)
        await store.subscribe([starts], kind="order-process")
        for kind in ("billing", "audit"):  # two that begin with the same event make one process
            await store.subscribe([Subscription("shop.OrderPlaced", kind, "order_id", FLOW, starts=True)], kind=kind)
        await store.subscribe([Subscription("shop.OrderBilled", "warehouse", "order_id", FLOW)], kind="warehouse")
        await fill(store, began(1, "ORD-1"), began(2, "ORD-2"), began(3, "ORD-3"), began(3, "ORD-3", kind="audit"))
        await fill(store, waits(12, 2, "ORD-2"), waits(13, 3, "ORD-3", parked="boom"), waits(14, 4, "NEW-4"))
        await fill(store, began(5, "ORD-5", kind="order-process"), saga("ORD-5"))  # a saga's own
        await fill(store, waits(16, 5, "ORD-5", process="order-process"))

    asyncio.run(prepare())
    return store


def listed(store: MemoryStore, *arguments: str) -> dict[str, str]:
    return {one["key"]: one["status"] for one in json.loads(run(store, "processes", "--json", *arguments).stdout)}


def test_a_process_has_the_key_of_the_event_that_started_it_and_not_of_who_reacts_to_it(shop: MemoryStore) -> None:
    asyncio.run(fill(shop, replace(began(7, "CHAIR"), sender="sales/ORD-7")))
    assert listed(shop, "--key", "ORD-7") == {"ORD-7": "at rest"} and listed(shop, "--key", "CHAIR") == {}


def test_each_process_is_listed_once_with_what_it_waits_for(shop: MemoryStore) -> None:
    assert listed(shop) == {"ORD-1": "at rest", "ORD-2": "waiting", "ORD-3": "parked", "NEW-4": "waiting"}
    *open_, last = json.loads(run(shop, "processes", "--json").stdout)
    assert (last["key"], last["kind"], last["open"]) == ("ORD-1", FLOW, [])
    assert last["conversation"] == id_of(1).hex() and last["started_at_s"] == 98.0
    assert {tuple(one["open"]) for one in open_ if one["key"] == "ORD-3"} == {("shop.OrderBilled for warehouse/ORD-3",)}
    assert "shop.OrderBilled for warehouse/ORD-2" in run(shop, "processes").stdout


@pytest.mark.parametrize(
    ("filter", "keys"),
    [
        (("--key", "NEW"), ["NEW-4"]),
        (("--status", "at rest"), ["ORD-1"]),
        (("--kind", FLOW, "--status", "parked"), ["ORD-3"]),
        (("--age", "1e12"), []),
    ],
)
def test_filters_choose_among_them(shop: MemoryStore, filter: tuple[str, ...], keys: list[str]) -> None:
    assert list(listed(shop, *filter)) == keys


def test_a_choreography_that_nobody_knows_is_named_as_such(shop: MemoryStore) -> None:
    done = run(shop, "processes", "--json", "--kind", "other", "--exit-code")
    assert (done.exit_code, json.loads(done.stdout)) == (4, [])
    assert f"has never heard of the choreography 'other'; there are {FLOW}" in done.stderr


def test_what_needs_a_person_is_an_exit_code_also_beyond_the_limit(shop: MemoryStore) -> None:
    assert run(shop, "processes").exit_code == 0
    done = run(shop, "processes", "--exit-code", "--limit", "1")
    assert done.exit_code == 8 and "more fit, beyond --limit" in done.stderr
    assert run(shop, "processes", "--exit-code", "--status", "waiting").exit_code == 0


def test_the_history_is_read_until_a_page_of_those_at_rest_is_full(shop: MemoryStore) -> None:
    many = [
        began(100 + number, f"OLD-{number:04}", kind=kind) for number in range(1500) for kind in ("billing", "audit")
    ]
    asyncio.run(fill(shop, *(replace(row, id=id_of(9000 + place)) for place, row in enumerate(many))))
    pages, handled_of = list[int](), shop.handled_of

    async def counted(*arguments: Any, **named: Any) -> list[HistoryRow]:
        page = await handled_of(*arguments, **named)
        pages.append(len(page))
        return page

    shop.handled_of = counted  # type: ignore[method-assign]
    done = run(shop, "processes", "--json", "--status", "at rest", "--limit", "2")
    assert [one["key"] for one in json.loads(done.stdout)] == ["ORD-1", "OLD-0000"]
    assert "more fit" in done.stderr and len(pages) == 1
    done = run(shop, "processes", "--json", "--status", "at rest", "--limit", "9999")
    assert [one["key"] for one in json.loads(done.stdout)] == ["ORD-1", *(f"OLD-{number:04}" for number in range(1500))]
    assert "more fit" not in done.stderr and len(pages) > 5


@pytest.mark.parametrize("status", ["parked", "waiting"])
def test_the_history_is_not_read_through_for_those_that_are_open(shop: MemoryStore, status: str) -> None:
    async def refuse(*_: object, **__: object) -> list[HistoryRow]:
        raise AssertionError("it reads the whole history")

    expected = listed(shop, "--status", status)
    shop.handled_of = refuse  # type: ignore[method-assign]
    assert expected and listed(shop, "--status", status) == expected


def test_what_one_of_two_events_began_first_is_its_start(shop: MemoryStore) -> None:
    async def prepare() -> None:
        events = ("shop.OrderPlaced", "shop.OrderSent")
        await shop.subscribe(
            [Subscription(one, "audit", "order_id", FLOW, starts=True) for one in events], kind="audit"
        )
        row = began(21, "SENT-1", kind="audit", sent_at_s=90.0)
        await fill(shop, replace(row, conversation=id_of(1), type="shop.OrderSent"))

    asyncio.run(prepare())
    (entry,) = json.loads(run(shop, "processes", "--json", "--status", "at rest").stdout)
    assert (entry["key"], entry["started_at_s"]) == ("SENT-1", 90.0)


def test_a_store_without_choreographies_says_so(store: MemoryStore) -> None:
    assert run(store, "processes").output == "no process\n"
    assert "processes" in run(store, "sagas", "--help").output


# --- deadlines ---


def kept(talk: int, **fields: object) -> ActorRow:
    """The row of what keeps the deadline of a conversation."""
    record = DeadlineRecord(process=FLOW, started_at_s=98.0, awaited=["shop.OrderReadyToShip", "shop.OrderCancelled"])
    record.MergeFrom(DeadlineRecord(**fields))  # type: ignore[arg-type]
    row = actor(f"{FLOW}-deadline", id_of(talk).hex(), state_type="amends.DeadlineRecord", conversation=id_of(talk))
    return replace(row, state=record.SerializeToString(), summary=deadline_summary(record, None))


@pytest.fixture
def timed(shop: MemoryStore) -> MemoryStore:
    async def prepare() -> None:
        keeper = f"{FLOW}-deadline"
        await shop.subscribe([Subscription("shop.OrderPlaced", keeper, "", FLOW, starts=True)], kind=keeper)
        soon_s = await shop.now_s() + 60.0
        await fill(
            shop,
            kept(1, status=DeadlineRecord.OVERDUE, due_at_s=99.0, started_by="sales/ORD-1"),
            kept(2, status=DeadlineRecord.WATCHED, due_at_s=soon_s, started_by="sales/ORD-2"),
            kept(3, status=DeadlineRecord.OVERDUE, due_at_s=99.0, started_by="sales/ORD-3"),
            kept(6, status=DeadlineRecord.WATCHED, due_at_s=99.0, started_by="sales/OLD-6"),
            kept(7, status=DeadlineRecord.LATE, due_at_s=99.0, started_by="sales/ORD-7"),
            replace(kept(8), state=b"\xff"),
            actor("sales", "ORD-1", conversation=id_of(1)),
            actor("sales", "ORD-2", conversation=id_of(2)),
        )

    asyncio.run(prepare())
    return shop


def test_a_process_whose_deadline_is_over_is_overdue_whoever_has_said_so(timed: MemoryStore) -> None:
    listing = listed(timed)
    assert listing["ORD-1"] == listing["OLD-6"] == "overdue"  # nobody fires the timer of OLD-6
    assert (listing["ORD-2"], listing["ORD-3"]) == ("waiting", "parked")
    assert sorted(listed(timed, "--status", "overdue")) == ["OLD-6", "ORD-1", "ORD-3"]
    assert "overdue" in run(timed, "processes").stdout


def test_what_is_overdue_needs_a_person(timed: MemoryStore) -> None:
    assert run(timed, "processes", "--exit-code", "--key", "ORD-1").exit_code == 8
    assert run(timed, "processes", "--exit-code", "--key", "ORD-2").exit_code == 0


def test_explain_tells_until_when_a_conversation_should_come_to_what(timed: MemoryStore) -> None:
    shown = run(timed, "explain", "ORD-1", "--json").stdout
    assert "its conversation: OrderReadyToShip or OrderCancelled, overdue in order-choreography since" in shown
    shown = run(timed, "explain", "ORD-2", "--json").stdout
    assert "OrderReadyToShip or OrderCancelled, expected by order-choreography within" in shown


def test_deadlines_of_a_choreography_that_is_not_wanted_are_not_read(
    timed: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    summaries = timed.summaries

    async def noted(wanted: SummaryFilter, **named: Any) -> list[SummaryRow]:
        read.append(wanted.kind)
        return await summaries(wanted, **named)

    monkeypatch.setattr(timed, "summaries", noted)
    assert sorted(listed(timed, "--kind", FLOW, "--status", "overdue")) == ["OLD-6", "ORD-1", "ORD-3"]
    assert set(read) == {f"{FLOW}-deadline"}
    read.clear()
    run(timed, "processes", "--kind", "other")
    assert read == []


def test_no_record_of_a_deadline_is_read_that_is_met_or_not_over(
    timed: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [kept(100 + number, status=DeadlineRecord.SETTLED, due_at_s=99.0) for number in range(50)]
    asyncio.run(fill(timed, *many))
    loaded, load = list[str](), timed.load

    async def noted(addresses: Sequence[Address]) -> list[ActorRow | None]:
        loaded.extend(key for kind, key in addresses if kind.endswith("-deadline"))
        return await load(addresses)

    monkeypatch.setattr(timed, "load", noted)
    assert "ORD-1" in listed(timed)
    assert not {row.key for row in many} & set(loaded)


def test_of_many_that_are_overdue_the_longest_overdue_are_shown_and_others_are_said_to_be(timed: MemoryStore) -> None:
    asyncio.run(
        fill(
            timed,
            *(
                kept(300 + n, status=DeadlineRecord.OVERDUE, due_at_s=50.0 + n, started_by=f"sales/L-{n}")
                for n in range(9)
            ),
        )
    )
    done = run(timed, "processes", "--json", "--status", "overdue", "--key", "L-", "--limit", "3", "--exit-code")
    assert [one["key"] for one in json.loads(done.stdout)] == ["L-0", "L-1", "L-2"]
    assert done.exit_code == 8 and "more fit" in done.stderr


def test_deadlines_stand_in_no_listing_of_sagas(timed: MemoryStore) -> None:
    assert {one["kind"] for one in json.loads(run(timed, "sagas", "--json").stdout)} == {"order-process"}
    assert {one["kind"] for one in json.loads(run(timed, "sagas", "--count", "--json").stdout)} == {"order-process"}
    assert "deadline" not in run(timed, "definitions").stdout


# --- pages ---


def paged(store: MemoryStore, *arguments: str) -> list[dict[str, Any]]:
    """All pages of one process each, by the place that each page names for the next."""
    found, after = list[dict[str, Any]](), list[str]()
    while True:
        done = run(store, "processes", "--json", "--limit", "1", *arguments, *after)
        found += json.loads(done.stdout)
        if "the next page: " not in done.stderr:
            return found
        after = shlex.split(done.stderr.rpartition("the next page: ")[2])


@pytest.mark.parametrize(
    "arguments", [(), ("--status", "at rest"), ("--status", "parked"), ("--status", "overdue"), ("--key", "ORD-")]
)
def test_pages_of_one_process_make_the_whole_listing_in_its_order(
    timed: MemoryStore, arguments: tuple[str, ...]
) -> None:
    late = (kept(300 + n, status=DeadlineRecord.OVERDUE, due_at_s=50.0 + n // 2) for n in range(4))
    unsaid = (kept(400 + n, status=DeadlineRecord.WATCHED, due_at_s=50.0) for n in range(2))
    asyncio.run(fill(timed, *late, *unsaid, *(began(30 + n, f"OLD-{n}") for n in range(3))))
    whole = json.loads(run(timed, "processes", "--json", *arguments).stdout)
    assert whole and paged(timed, *arguments) == whole


def test_two_processes_at_rest_in_one_conversation_are_each_on_a_page_of_their_own(shop: MemoryStore) -> None:
    async def prepare() -> None:
        starts = Subscription("shop.OrderPlaced", "mail-room", "order_id", "another-flow", starts=True)
        await shop.subscribe([starts], kind="mail-room")
        await fill(shop, replace(began(1, "ORD-1", kind="mail-room"), id=id_of(9000)))

    asyncio.run(prepare())
    pages = paged(shop, "--status", "at rest")
    assert [(one["kind"], one["key"]) for one in pages] == [("another-flow", "ORD-1"), (FLOW, "ORD-1")]


def test_a_page_says_by_its_exit_code_what_needs_a_person_on_others(timed: MemoryStore) -> None:
    asyncio.run(fill(timed, began(31, "OLD-1"), began(32, "OLD-2")))
    assert run(timed, "processes", "--after", f"rest/0.0/{id_of(31).hex()}/{FLOW}", "--exit-code").exit_code == 8


def test_a_place_of_another_listing_is_refused(shop: MemoryStore) -> None:
    for place in ("7.0/billing/ORD-1", "mail/nan/aa/flow", "rest/0.0/zz/flow", "elsewhere/0.0/aa/flow", "rest"):
        done = run(shop, "processes", "--after", place)
        assert done.exit_code != 0 and f"{place!r} is no place in a listing of processes" in done.stderr, done.stderr
