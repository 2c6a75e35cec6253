"""Nodes, shards and sagas as an operator lists them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.errors import InvalidMessage
from runtime.operate.survey import (
    WAITS,
    SagaEntry,
    Wanted,
    nodes_of,
    place_of,
    place_text,
    saga_counts,
    sagas,
    some_need_a_person,
)
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.records import Subscription
from runtime.store.summaries import SummaryOrder
from tests.unit.operate.rows import SAGA, actor, fill, join, mail, row_of, saga
from tests.unit.saga.records import task_in


async def listed(store: MemoryStore, wanted: Wanted | None = None) -> tuple[SagaEntry, ...]:
    page = await sagas(store, wanted, limit=2_000)
    assert page.next is None
    return page.entries


async def test_nodes_are_told_with_lease_and_shards(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales", "audit"))
    await join(store, "old-1", kinds=("billing",), lease_s=-5.0)
    (old, old_left_s, _), (node, left_s, owned) = nodes_of(await store.cluster())
    assert (old.name, node.name, owned) == ("old-1", "sales-1", 2)
    assert old_left_s < 0 < left_s


async def test_kinds_are_known_from_nodes_shards_and_subscriptions(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await store.assign("billing", 31, owner="", expected_epoch=0)
    await store.subscribe([Subscription("shop.OrderPlaced", "audit", "order_id")], kind="audit")
    assert (await store.cluster()).kinds == {"audit", "billing", "sales"}


@pytest.mark.broken_by("step-of-a-listing-lost")
async def test_s86_list_stuck(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process", "sales"))
    bill = task_in(Phase.OWED, "bill")
    await fill(
        store,
        saga("ORD-1", progress_at_s=300.0),
        saga("ORD-2", progress_at_s=100.0, status=SAGA.STUCK, tasks=(bill,), stuck_reason="no refund"),
        saga("ORD-3", progress_at_s=200.0, status=SAGA.STUCK),
        actor("sales", "ORD-1"),
    )
    assert [entry.key for entry in await listed(store)] == ["ORD-2", "ORD-3", "ORD-1"]
    stuck = (await sagas(store, Wanted(statuses=("stuck",)), limit=1)).entries
    assert [(entry.key, entry.step, entry.reason) for entry in stuck] == [("ORD-2", "bill", "no refund")]


async def test_every_open_step_is_named_and_dead_letters_are_counted(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    asked = tuple(task_in(Phase.ASKED, name) for name in ("bill", "label"))
    await fill(store, saga("ORD-1", tasks=(task_in(Phase.DONE, "done"), *asked)), saga("ORD-2"))
    await fill(store, mail(2, kind="order-process", parked="another version"))
    one, other = await listed(store)
    assert (one.step, one.dead_letters, one.needs_a_person) == ("bill, label", 1, True)
    assert (other.dead_letters, other.needs_a_person) == (0, False)


async def test_sagas_are_chosen_by_several_statuses_and_by_when_they_began(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    now_s = (await store.cluster()).now_s
    for number, status in enumerate((SAGA.RUNNING, SAGA.STUCK, SAGA.COMPLETED)):
        record = SAGA(definition="x", status=status, started_at_s=now_s - 100.0 * number, last_progress_at_s=now_s)
        await fill(store, row_of(record, f"ORD-{number}"))
    some = await listed(store, Wanted(statuses=("running", "stuck")))
    assert {entry.key for entry in some} == {"ORD-0", "ORD-1"}
    assert {entry.key for entry in await listed(store, Wanted(age_s=50.0))} == {"ORD-1", "ORD-2"}
    assert {entry.key for entry in await listed(store, Wanted(statuses=("stuck", "completed"), age_s=150.0))} == {
        "ORD-2"
    }


async def test_sagas_are_chosen_by_kind_key_and_age(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process", "trip"))
    now_s = (await store.cluster()).now_s
    await fill(store, saga("A-1"), saga("B-1"), saga("A-1", kind="trip"), saga("A-2", progress_at_s=now_s))

    async def chosen(wanted: Wanted) -> list[tuple[str, str]]:
        return [(entry.kind, entry.key) for entry in await listed(store, wanted)]

    assert await chosen(Wanted(kind="trip")) == [("trip", "A-1")]
    assert await chosen(Wanted(key="B")) == [("order-process", "B-1")]
    assert ("order-process", "A-2") not in await chosen(Wanted(idle_s=60.0))
    assert await chosen(Wanted(kind="nothing")) == []


async def test_sagas_are_chosen_by_step_and_by_part_of_their_reason(store: MemoryStore) -> None:
    tasks = (task_in(Phase.ASKED, "bill"), task_in(Phase.ASKED, "ship"))
    await fill(store, saga("A", tasks=tasks), saga("B", tasks=tasks[1:]))
    await fill(store, saga("C", status=SAGA.STUCK, stuck_reason="bill: No Refund"))
    assert [one.key for one in await listed(store, Wanted(step="bill"))] == ["A"]
    assert [one.key for one in await listed(store, Wanted(step="ship"))] == ["A", "B"]
    assert [one.key for one in await listed(store, Wanted(error="no refund"))] == ["C"]


async def test_sagas_are_chosen_by_what_they_owe_and_by_what_nobody_knows_of_them(store: MemoryStore) -> None:
    owing = saga("A", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),))
    await fill(store, owing, saga("B", tasks=(task_in(Phase.UNKNOWN, "ship"),)), saga("C"))
    (owes,), (unknown,) = await listed(store, Wanted(owes=True)), await listed(store, Wanted(is_unknown=True))
    assert (owes.key, owes.owed_at_s, owes.unknown_at_s) == ("A", 100.0, 0.0)
    assert (unknown.key, unknown.owed_at_s, unknown.unknown_at_s) == ("B", 0.0, 100.0)
    assert await listed(store, Wanted(owes=True, is_unknown=True)) == ()


async def test_a_status_that_no_saga_has_is_refused_with_those_that_there_are(store: MemoryStore) -> None:
    known = "running, compensating, completed, compensated, stuck, abandoned, suspended"
    with pytest.raises(InvalidMessage, match=f"no saga has the status 'Stuck'; there are {known}, {WAITS}"):
        await sagas(store, Wanted(statuses=("running", "Stuck")), limit=1)
    for wrong in ("unreadable", WAITS):
        with pytest.raises(InvalidMessage, match=f"no saga tells that it is '{wrong}'; counted are {known}$"):
            await saga_counts(store, statuses=(wrong,))


@pytest.mark.parametrize("order", SummaryOrder)
async def test_a_listing_goes_on_where_the_page_before_has_ended(store: MemoryStore, order: SummaryOrder) -> None:
    await fill(store, *(saga(f"ORD-{number:04}", progress_at_s=float(number + 1)) for number in range(1_001)))
    found, after = list[str](), None
    while True:
        page = await sagas(store, limit=400, order=order, after=after)
        found += [entry.key for entry in page.entries]
        if page.next is None:
            break
        after = place_of(place_text(page.next))
    assert found == [f"ORD-{number:04}" for number in range(1_001)]


@pytest.mark.parametrize(
    "text", ["", "ORD-1", "x/order-process/ORD-1", "1.0/order-process", "1.0//ORD-1", "nan/trip/A", "1.0"]
)
async def test_a_place_that_no_page_has_named_is_refused(text: str) -> None:
    with pytest.raises(InvalidMessage, match="is no place in a listing"):
        place_of(text)


async def test_instances_are_counted_by_kind_and_status(store: MemoryStore) -> None:
    await fill(store, saga("A"), saga("B"), saga("C", status=SAGA.STUCK), saga("A", kind="trip"), actor("sales"))
    counts = [("order-process", "running", 2), ("order-process", "stuck", 1), ("trip", "running", 1)]
    assert await saga_counts(store) == counts
    assert await saga_counts(store, kind="order-process", statuses=("running",)) == counts[:1]


async def test_no_listing_reads_a_record(store: MemoryStore) -> None:
    """A record that cannot be read is listed as its last turn has left it; `explain` says that it is damaged."""
    await fill(store, replace(saga("ORD-1", status=SAGA.STUCK), state=b"\xff\xff"), saga("ORD-2"))
    assert {entry.status for entry in await listed(store)} == {"stuck", "running"}


async def test_who_needs_a_person_is_found_among_those_that_fit(store: MemoryStore) -> None:
    await fill(store, saga("A"), saga("B", status=SAGA.COMPLETED), saga("C", status=SAGA.STUCK))
    assert await some_need_a_person(store, Wanted())
    assert not await some_need_a_person(store, Wanted(statuses=("running", "completed")))
    assert not await some_need_a_person(store, Wanted(key="B"))
    await fill(store, saga("ORD-1"), mail(2, kind="order-process", parked="boom"))
    assert await some_need_a_person(store, Wanted(statuses=("running",)))
    assert not await some_need_a_person(store, Wanted(statuses=("completed",)))
