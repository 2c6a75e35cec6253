"""Nodes, shards and sagas as an operator lists them."""

from __future__ import annotations

from dataclasses import replace

from runtime.operate.survey import Wanted, nodes_of, sagas, shards_of
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.records import Subscription
from tests.unit.operate.rows import SAGA, actor, fill, join, mail, saga
from tests.unit.saga.records import task_in


async def test_nodes_are_told_with_lease_and_shards(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales", "audit"))
    await join(store, "old-1", kinds=("billing",), lease_s=-5.0)
    (old, old_left_s, _), (node, left_s, owned) = nodes_of(await store.cluster())
    assert (old.name, node.name, owned) == ("old-1", "sales-1", 2)
    assert old_left_s < 0 < left_s


async def test_shards_are_grouped_by_kind_and_owner(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await store.assign("sales", 0, owner="", expected_epoch=0)
    await store.assign("sales", 4, owner="sales-1", expected_epoch=0)
    nobodys, owned = shards_of(await store.cluster())
    assert (nobodys.owner, nobodys.shards, nobodys.alive) == ("", (0,), False)
    assert (owned.owner, owned.shards, owned.alive) == ("sales-1", (3, 4), True)


async def test_kinds_are_known_from_nodes_shards_and_subscriptions(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await store.assign("billing", 31, owner="", expected_epoch=0)
    await store.subscribe([Subscription("shop.OrderPlaced", "audit", "order_id")], kind="audit")
    assert (await store.cluster()).kinds == {"audit", "billing", "sales"}


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
    assert [entry.key for entry in await sagas(store, limit=10)] == ["ORD-2", "ORD-3", "ORD-1"]
    stuck = await sagas(store, Wanted(status="stuck"), limit=1)
    assert [(entry.key, entry.step, entry.reason) for entry in stuck] == [("ORD-2", "bill", "no refund")]


async def test_every_open_step_is_named_and_dead_letters_are_counted(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    asked = tuple(task_in(Phase.ASKED, name) for name in ("bill", "label"))
    await fill(store, saga("ORD-1", tasks=(task_in(Phase.DONE, "done"), *asked)), saga("ORD-2"))
    await fill(store, mail(2, kind="order-process", parked="another version"))
    one, other = await sagas(store, limit=10)
    assert (one.step, one.dead_letters, one.needs_a_person) == ("bill, label", 1, True)
    assert (other.dead_letters, other.needs_a_person) == (0, False)


async def test_sagas_are_chosen_by_several_statuses_and_by_when_they_began(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    now_s = (await store.cluster()).now_s
    for number, status in enumerate((SAGA.RUNNING, SAGA.STUCK, SAGA.COMPLETED)):
        record = SAGA(definition="x", status=status, started_at_s=now_s - 100.0 * number, last_progress_at_s=now_s)
        await fill(store, replace(saga(f"ORD-{number}"), state=record.SerializeToString()))
    some = await sagas(store, Wanted(statuses=("running", "stuck")))
    assert {entry.key for entry in some} == {"ORD-0", "ORD-1"}
    assert {entry.key for entry in await sagas(store, Wanted(age_s=50.0))} == {"ORD-1", "ORD-2"}
    assert {entry.key for entry in await sagas(store, Wanted(statuses=("stuck", "completed"), age_s=150.0))} == {
        "ORD-2"
    }


async def test_sagas_are_chosen_by_kind_key_and_age(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process", "trip"))
    now_s = (await store.cluster()).now_s
    await fill(store, saga("A-1"), saga("B-1"), saga("A-1", kind="trip"), saga("A-2", progress_at_s=now_s))

    async def chosen(wanted: Wanted) -> list[tuple[str, str]]:
        return [(entry.kind, entry.key) for entry in await sagas(store, wanted, limit=10)]

    assert await chosen(Wanted(kind="trip")) == [("trip", "A-1")]
    assert await chosen(Wanted(key="B")) == [("order-process", "B-1")]
    assert ("order-process", "A-2") not in await chosen(Wanted(idle_s=60.0))
    assert await chosen(Wanted(kind="nothing")) == []


async def test_a_listing_goes_through_every_page(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    await fill(store, *(saga(f"ORD-{number:04}", progress_at_s=float(number + 1)) for number in range(1_001)))
    found = await sagas(store, limit=2_000)
    assert len(found) == 1_001
    assert found[-1].key == "ORD-1000"


async def test_a_damaged_instance_is_listed_as_such(store: MemoryStore) -> None:
    await join(store, "orchestration-1", kinds=("order-process",))
    await fill(store, actor("order-process", state_type="amends.SagaRecord", state=b"\xff\xff"), saga("ORD-2"))
    assert {entry.status for entry in await sagas(store, limit=10)} == {"unreadable", "running"}
