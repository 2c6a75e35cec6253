"""L. Locks on keys of the business."""

from __future__ import annotations

from examples.transfer.transfer_pb2 import AccountState
from runtime.protos.lock_pb2 import LockRecord
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.scenarios.locking import MOVE, catalogue, move, open_accounts, record, task


async def opened(make_cluster: MakeCluster, store: str) -> Cluster:
    cluster = await make_cluster(catalogue(), nodes=3, store=store)
    await open_accounts(cluster, ann=100, bea=100, cem=100, bro=100)
    return cluster


async def cents(cluster: Cluster) -> list[int]:
    return [(await cluster.state("accounts", one, AccountState)).cents for one in ("ann", "bea", "cem")]


async def are_free(cluster: Cluster) -> bool:
    locks = [await cluster.state("account-lock", one, LockRecord) for one in ("ann", "bea", "cem", "bro")]
    return all(one == LockRecord() for one in locks)


async def test_s81_a_saga_waits_for_the_lock_of_another_and_goes_on_once_that_has_ended(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await opened(make_cluster, store)
    await move(cluster, "M-1", "ann", "bea")
    await cluster.advance(1.0)
    await move(cluster, "M-2", "ann", "cem")
    await cluster.advance(2.0)
    assert (await task(cluster, "M-2", "first")).lock.granted_at_s == 0.0
    await cluster.at_rest()
    one, other = await record(cluster, "M-1"), await task(cluster, "M-2", "first")
    assert other.lock.granted_at_s >= one.ended_at_s
    assert await cents(cluster) == [80, 110, 110]
    assert await are_free(cluster)


async def test_s81_a_lock_of_one_saga_is_taken_twice_by_it(make_cluster: MakeCluster, store: str) -> None:
    cluster = await opened(make_cluster, store)
    await move(cluster, "M-1", "ann", "ann")
    await cluster.at_rest()
    assert await cluster.status(MOVE, "M-1") == "completed"
    assert await are_free(cluster)


async def test_s129_three_sagas_get_a_lock_in_the_order_in_which_they_asked_whatever_dies_in_between(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await opened(make_cluster, store)
    moves = ["M-9", "M-3", "M-5", "M-1"]
    for one in moves:
        await move(cluster, one, "ann", "bea")
        await cluster.advance(1.0)
    for node in [each.name for each in cluster.sim.nodes]:
        cluster.kill(node)
        await cluster.advance(7.0)
        await cluster.restart(node)
    await cluster.at_rest()
    assert [await cluster.status(MOVE, one) for one in moves] == ["completed"] * 4
    granted = [(await task(cluster, one, "first")).lock.granted_at_s for one in moves]
    ended = [(await record(cluster, one)).ended_at_s for one in moves]
    assert all(later >= before for later, before in zip(granted[1:], ended, strict=False))
    assert await cents(cluster) == [60, 140, 100]
    assert await are_free(cluster)


async def test_s82_of_two_sagas_that_wait_for_each_other_one_turns_back_with_the_reason(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await opened(make_cluster, store)
    await move(cluster, "M-1", "ann", "bea")
    await cluster.advance(1.0)
    await move(cluster, "M-2", "bea", "ann")
    begun_s = cluster.now_s
    await cluster.at_rest()
    assert [await cluster.status(MOVE, one) for one in ("M-1", "M-2")] == ["completed", "compensated"]
    other = await record(cluster, "M-2")
    assert other.reason.startswith("second: deadlock: ")
    assert f"{MOVE}/M-1 waits for account-lock/bea, which {MOVE}/M-2 holds" in other.reason
    assert other.ended_at_s < begun_s + 60
    assert await cents(cluster) == [90, 110, 100]
    assert await are_free(cluster)


async def test_s82_a_circle_of_three_is_broken_once_over_several_nodes(make_cluster: MakeCluster, store: str) -> None:
    cluster = await opened(make_cluster, store)
    for transfer, one, other in (("M-1", "ann", "bea"), ("M-2", "bea", "cem"), ("M-3", "cem", "ann")):
        await move(cluster, transfer, one, other)
        await cluster.advance(1.0)
    await cluster.at_rest()
    statuses = [await cluster.status(MOVE, one) for one in ("M-1", "M-2", "M-3")]
    assert statuses == ["completed", "completed", "compensated"]
    assert await are_free(cluster)


async def test_s130_a_lock_of_a_stuck_saga_goes_to_the_next_once_it_has_expired(
    make_cluster: MakeCluster, store: str
) -> None:
    cluster = await opened(make_cluster, store)
    await move(cluster, "M-1", "bro", "bea")
    await cluster.advance(1_000.0)
    assert await cluster.status(MOVE, "M-1") == "stuck"
    await move(cluster, "M-2", "bro", "cem")
    await cluster.advance(2_000.0)
    assert (await task(cluster, "M-2", "first")).lock.granted_at_s == 0.0
    await cluster.advance(1_000.0)
    lost, got = await task(cluster, "M-1", "first"), await task(cluster, "M-2", "first")
    assert lost.lock.went_to == f"{MOVE}/M-2"
    assert lost.lock.lost_at_s >= lost.lock.expires_at_s
    assert got.lock.granted_at_s >= lost.lock.lost_at_s
