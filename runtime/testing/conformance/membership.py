"""Conformance: leases, shards and subscriptions."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.records import ShardRow, Subscription
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import node_row

__all__ = ["MembershipConformance"]


class MembershipConformance(ConformanceBase):
    async def test_all_who_open_one_store_see_one_cluster_id(self) -> None:
        async with self.stores(2) as (store, other):
            assert store.cluster_id
            assert store.cluster_id == other.cluster_id

    async def test_all_who_open_one_store_know_one_secret_that_is_not_its_id(self) -> None:
        async with self.stores(2) as (store, other):
            assert len(store.cluster_secret) >= 32
            assert store.cluster_secret == other.cluster_secret != store.cluster_id

    async def test_a_node_that_joins_is_seen_with_its_lease(self) -> None:
        async with self.stores(2) as (store, other):
            node = replace(node_row("one", kinds=("billing", "sales")), carries=("trip/ab", "book-trip/cd"))
            before_s = self.clock.now_s()
            assert await store.join(node, lease_s=5.0) is None
            view = await other.cluster()
            [seen] = view.nodes
            assert seen.lease_s == 5.0
            assert replace(seen, lease_until_s=0.0, lease_s=0.0) == node
            assert before_s + 5.0 <= seen.lease_until_s <= view.now_s + 5.0

    async def test_what_a_node_carries_is_what_its_last_life_says_whatever_it_renews(self) -> None:
        async with self.stores(2) as (store, other):
            await store.join(replace(node_row("one", "1"), carries=("trip/ab",)), lease_s=5.0)
            assert await store.renew("one", "1", lease_s=5.0, clock_off_s=1.0)
            assert (await other.cluster()).nodes[0].carries == ("trip/ab",)
            await store.join(node_row("one", "2"), lease_s=5.0, replace="1")
            assert (await other.cluster()).nodes[0].carries == ()

    async def test_a_second_live_node_of_one_name_is_refused_and_shown_the_first(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            found = await store.join(node_row("one", "2"), lease_s=5.0)
            assert found is not None
            assert found.incarnation == "1"
            assert [node.incarnation for node in (await store.cluster()).nodes] == ["1"]

    async def test_joining_again_with_the_same_incarnation_is_no_conflict(self) -> None:
        async with self.store() as store:
            assert await store.join(node_row("one", "1"), lease_s=5.0) is None
            assert await store.join(node_row("one", "1"), lease_s=5.0) is None

    async def test_an_expired_lease_frees_the_name(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            await self.let_pass(store, 5.1)
            assert await store.join(node_row("one", "2"), lease_s=5.0) is None
            assert [node.incarnation for node in (await store.cluster()).nodes] == ["2"]

    async def test_a_named_predecessor_is_replaced_at_once(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            assert await store.join(node_row("one", "3"), lease_s=5.0, replace="2") is not None
            assert await store.join(node_row("one", "3"), lease_s=5.0, replace="1") is None

    async def test_a_successor_of_the_same_name_keeps_the_shards(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            await store.assign("billing", 0, owner="one", expected_epoch=0)
            await store.join(node_row("one", "2"), lease_s=5.0, replace="1")
            assert (await store.cluster()).shards == (ShardRow("billing", 0, "one", 1),)

    async def test_a_lease_is_renewed_by_its_own_incarnation_only(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            await self.let_pass(store, 3.0)
            assert await store.renew("one", "1", lease_s=5.0)
            assert not await store.renew("one", "2", lease_s=500.0)
            assert not await store.renew("two", "1", lease_s=500.0)
            view = await store.cluster()
            assert 4.0 < view.nodes[0].lease_until_s - view.now_s <= 5.0

    async def test_a_node_says_how_far_its_machines_clock_is_off_until_it_says_otherwise(self) -> None:
        async with self.stores(2) as (store, other):
            for number, (told_s, shown_s) in enumerate(((None, -7.5), (3.0, 3.0), (None, 3.0), (0.0, 0.0))):
                if number == 0:
                    await store.join(replace(node_row("one", "1"), clock_off_s=-7.5), lease_s=5.0)
                assert await store.renew("one", "1", lease_s=5.0, clock_off_s=told_s)
                assert not await store.renew("one", "2", lease_s=5.0, clock_off_s=99.0)
                [seen] = (await other.cluster()).nodes
                assert (seen.clock_off_s, seen.lease_s) == (shown_s, 5.0)
            assert await store.renew("one", "1", lease_s=7.0)
            assert (await other.cluster()).nodes[0].lease_s == 5.0, "only with its clock"
            assert await store.renew("one", "1", lease_s=7.0, clock_off_s=1.0)
            assert (await other.cluster()).nodes[0].lease_s == 7.0

    async def test_only_an_expired_node_is_evicted(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            await store.assign("billing", 0, owner="one", expected_epoch=0)
            assert not await store.evict("one", "1")
            await self.let_pass(store, 5.1)
            assert not await store.evict("one", "2")
            assert not await store.evict("two", "1")
            assert await store.evict("one", "1")
            assert not await store.evict("one", "1")
            view = await store.cluster()
            assert view.nodes == ()
            assert view.shards == (ShardRow("billing", 0, "", 2, died="one@1"),)

    async def test_whom_peers_have_evicted_stands_with_its_shards_until_an_owner_gives_them_up(self) -> None:
        async with self.stores(2) as (store, other):

            async def died() -> str:
                (row,) = (await other.cluster()).shards
                return row.died

            await store.join(node_row("one", "1"), lease_s=5.0)
            await store.assign("billing", 0, owner="one", expected_epoch=0)
            assert await died() == ""
            await self.let_pass(store, 5.1)
            assert await store.evict("one", "1")
            await store.join(node_row("one", "2"), lease_s=5.0)
            assert not await store.assign("billing", 0, owner="", expected_epoch=7)
            await store.assign("billing", 0, owner="one", expected_epoch=2)
            assert await died() == "one@1"
            await self.let_pass(store, 5.1)
            assert await store.evict("one", "2")
            assert await died() == "one@2"
            await store.assign("billing", 0, owner="two", expected_epoch=4)
            await store.assign("billing", 0, owner="", expected_epoch=5)
            assert await died() == "", "it was given up in order"
            await store.join(node_row("one", "3"), lease_s=5.0)
            await store.assign("billing", 0, owner="one", expected_epoch=6)
            await store.leave("one", "3")
            assert await died() == ""

    async def test_a_node_that_leaves_gives_up_its_shards(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one", "1"), lease_s=5.0)
            await store.assign("billing", 0, owner="one", expected_epoch=0)
            await store.assign("billing", 1, owner="two", expected_epoch=0)
            await store.leave("one", "2")
            assert len((await store.cluster()).nodes) == 1
            await store.leave("one", "1")
            view = await store.cluster()
            assert view.nodes == ()
            assert view.shards == (ShardRow("billing", 0, "", 2), ShardRow("billing", 1, "two", 1))

    async def test_a_shard_is_assigned_by_whoever_knows_its_epoch(self) -> None:
        async with self.store() as store:
            assert await store.assign("billing", 0, owner="one", expected_epoch=0)
            assert not await store.assign("billing", 0, owner="two", expected_epoch=0)
            assert await store.assign("billing", 0, owner="two", expected_epoch=1)
            assert await store.assign("billing", 0, owner="", expected_epoch=2)
            assert not await store.assign("billing", 1, owner="two", expected_epoch=1)
            assert (await store.cluster()).shards == (ShardRow("billing", 0, "", 3),)

    async def test_many_shards_are_assigned_each_on_its_own(self) -> None:
        async with self.store() as store:
            await store.assign("billing", 1, owner="two", expected_epoch=0)
            wanted = [ShardRow("billing", shard, "one", 0) for shard in range(3)] + [ShardRow("billing", 0, "one", 0)]
            assert await store.assign_many(wanted) == [True, False, True, False]
            assert await store.assign_many([]) == []
            shards = (await store.cluster()).shards
            assert [(row.shard, row.owner, row.epoch) for row in shards] == [
                (0, "one", 1),
                (1, "two", 1),
                (2, "one", 1),
            ]

    async def test_a_kind_s_subscriptions_are_replaced_and_those_of_others_stay(self) -> None:
        async with self.store() as store:
            first = Subscription("trip.TripStarted", "billing", "trip_id")
            second = Subscription("trip.Paid", "billing", "trip_id", "choreography", True, "flow", "2")
            third = Subscription("trip.Paid", "warehouse", "sku")
            await store.subscribe([first], kind="billing")
            await store.subscribe([third], kind="warehouse")
            await store.subscribe([second], kind="billing")
            assert (await store.cluster()).subscriptions == (second, third)
            await store.subscribe([], kind="billing")
            assert (await store.cluster()).subscriptions == (third,)

    async def test_the_store_has_one_clock(self) -> None:
        async with self.stores(2) as (store, other):
            now_s = await store.now_s()
            assert now_s <= await other.now_s() <= (await store.cluster()).now_s
