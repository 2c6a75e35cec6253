"""Instances whose version their node lacks, as an operator sees them."""

from __future__ import annotations

from runtime.contracts import Contracts
from runtime.operate.lookup import accounts
from runtime.operate.survey import WAITS, Wanted, sagas, some_need_a_person
from runtime.store.memory import MemoryStore
from tests.unit.operate.rows import SAGA, fill, join, mail, saga
from tests.unit.operate.test_survey import listed

OLD, NEW = b"\xaa\x01", b"\xbb\x02"


async def upgraded(store: MemoryStore, *others: str) -> MemoryStore:
    """A node of the new version owns the shard of all; `others` have the old one."""
    await join(store, "new-1", kinds=("order-process",), carries=("order-process/bb02",))
    for other in others:
        await join(store, other, kinds=("order-process",), carries=("trip/bb02", "order-process/aa01"))
    rows = (
        saga("ORD-1", version=OLD),
        saga("ORD-2", version=OLD, status=SAGA.COMPENSATING),
        saga("ORD-3", version=OLD, status=SAGA.COMPLETED),
        saga("ORD-4", version=OLD, status=SAGA.STUCK, stuck_reason="no refund"),
        saga("ORD-5", version=NEW),
    )
    await fill(store, *rows)
    return store


async def test_what_waits_for_its_version_is_listed_so_with_the_reason(store: MemoryStore) -> None:
    await upgraded(store)
    found = {entry.key: entry for entry in await listed(store)}
    assert [found[f"ORD-{n}"].status for n in range(1, 6)] == [WAITS, WAITS, "completed", "stuck", "running"]
    assert found["ORD-1"].needs_a_person and not found["ORD-5"].needs_a_person
    reason = "version aa01 of order-process began it, which its node new-1 lacks; no live node has it"
    assert (found["ORD-1"].reason, found["ORD-4"].reason) == (reason, "no refund")
    assert [entry.key for entry in await listed(store, Wanted(statuses=(WAITS,)))] == ["ORD-1", "ORD-2"]
    [account] = await accounts(store, Contracts(()), "ORD-1")
    told = f"a node of its version, until when its mail and timers are put off: {reason}"
    assert account.waits_for[0] == told
    [account] = await accounts(store, Contracts(()), "ORD-5")
    assert "version" not in " ".join(account.waits_for)


async def test_what_another_node_runs_that_has_its_version_does_not_wait_for_it(store: MemoryStore) -> None:
    await upgraded(store, "old-1", "old-2")
    found = {entry.key: entry for entry in await listed(store)}
    assert [found[f"ORD-{n}"].status for n in (1, 2)] == ["running", "compensating"]
    assert not found["ORD-1"].needs_a_person and "version" not in found["ORD-1"].reason
    await fill(store, mail(7, kind="order-process"))
    [account] = await accounts(store, Contracts(()), "ORD-1")
    told = "a turn on old-1 or old-2: its owner new-1 lacks the version that began it, and lends it"
    assert account.lent_to == ("old-1", "old-2") and told in account.waits_for


async def test_a_node_of_an_older_build_that_does_not_say_what_it_carries_is_not_judged(store: MemoryStore) -> None:
    await join(store, "silent-1", kinds=("order-process",), carries=("trip/aa01",))
    await fill(store, saga("ORD-1", version=OLD))
    assert [entry.status for entry in await listed(store)] == ["running"]
    assert await listed(store, Wanted(statuses=(WAITS,))) == ()


async def test_who_has_left_or_expired_carries_nothing(store: MemoryStore) -> None:
    await upgraded(store)
    await join(store, "old-1", kinds=(), carries=("order-process/aa01",))
    await join(store, "old-2", kinds=("order-process",), carries=("order-process/aa01",), lease_s=-1.0)
    [entry] = [entry for entry in await listed(store) if entry.key == "ORD-1"]
    assert entry.reason.endswith("no live node has it")


async def test_those_that_wait_for_their_version_are_told_from_the_many_that_move(store: MemoryStore) -> None:
    """Both have the same status in their rows. A page of either is full all the same, and goes on behind it."""
    await upgraded(store)
    await fill(store, *(saga(f"OLD-{n}", version=OLD, progress_at_s=float(n)) for n in range(9)))
    await fill(store, *(saga(f"NEW-{n}", version=NEW, progress_at_s=n + 0.5) for n in range(9)))
    for status, name in (("running", "NEW"), (WAITS, "OLD")):
        page = await sagas(store, Wanted(statuses=(status,)), limit=5)
        assert [entry.key for entry in page.entries] == [f"{name}-{n}" for n in range(5)]
        rest = await sagas(store, Wanted(statuses=(status,)), limit=4, after=page.next)
        assert [entry.key for entry in rest.entries] == [f"{name}-{n}" for n in range(5, 9)]
    assert await some_need_a_person(store, Wanted(key="OLD"))
    assert not await some_need_a_person(store, Wanted(key="NEW"))


async def test_of_two_statuses_each_is_listed_once(store: MemoryStore) -> None:
    await upgraded(store)
    found = await listed(store, Wanted(statuses=(WAITS, "stuck", "running")))
    assert sorted((entry.key, entry.status) for entry in found) == [
        ("ORD-1", WAITS),
        ("ORD-2", WAITS),
        ("ORD-4", "stuck"),
        ("ORD-5", "running"),
    ]
