"""One and several members on a memory store, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.cluster.facts import LeaseLost, LeaseRegained, NameHeld, NodeEvicted, NodeJoined, NodeLeft, ShardsGivenUp
from runtime.cluster.lease import ClusterSettings
from runtime.cluster.waits import StartWaits
from runtime.errors import InvalidSettings, NodeNameTaken
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice
from tests.unit.cluster.world import MemberWorld, NodeTasks


@pytest.fixture
async def world() -> AsyncIterator[MemberWorld]:
    clock = VirtualClock(asyncio.get_running_loop())
    ports = Ports(clock, Dice(0, "ids"), Dice(0, "randomness"), NodeTasks(), lambda fact: None)
    store = MemoryStore(ports)
    await store.open()
    world = MemberWorld(store, clock)
    yield world
    await world.end()
    await store.close()


async def test_the_first_node_runs_every_shard_of_its_kinds_as_soon_as_it_has_started(world: MemberWorld) -> None:
    a = await world.start("a", "billing", "sales")
    assert len(a.owner.log) <= 2
    await world.until(world.at_rest, within_s=0.01)
    assert len(a.owned) == 32
    assert a.membership.owner_of("billing", 0) == "a"
    assert a.membership.owner_of("warehouse", 0) is None


@pytest.mark.parametrize("alone_s", [1.0, 1.1, 1.2, 1.3])
async def test_two_nodes_of_a_kind_share_its_shards_within_a_renewal(world: MemberWorld, alone_s: float) -> None:
    a = await world.start("a")
    await world.pass_s(alone_s)
    b = await world.start("b")
    assert await world.until(world.at_rest) < 1.3 * world.settings.renew_s
    assert len(a.owned) + len(b.owned) == 16 and a.owned and b.owned
    assert all(a.membership.owner_of(*slot) == "b" for slot in b.owned)


@pytest.mark.parametrize("alive_s", [3.0, 3.05, 3.1, 3.15, 3.2, 3.25, 3.3, 3.35])
async def test_the_shards_of_a_killed_node_move_just_when_its_lease_has_run_out(
    world: MemberWorld, alive_s: float
) -> None:
    a = await world.start("a")
    await world.start("b")
    await world.pass_s(alive_s)
    world.kill("b")
    took_s = await world.until(world.at_rest)
    assert world.settings.lease_s - world.settings.renew_s <= took_s < world.settings.lease_s + 0.03
    assert len(a.owned) == 16
    assert a.told(NodeEvicted)


async def test_a_restarted_node_takes_its_shards_back_at_once(world: MemberWorld) -> None:
    a = await world.start("a")
    await world.start("b")
    await world.pass_s(3)
    kept = sorted(a.owned)
    epochs = await world.epochs()
    world.kill("b")
    b = await world.start("b")
    assert await world.until(world.at_rest) < 0.01
    assert sorted(a.owned) == kept and b.owned
    assert await world.epochs() == epochs


async def test_a_second_live_node_of_a_name_is_refused(world: MemberWorld) -> None:
    await world.start("a")
    with pytest.raises(NodeNameTaken, match="a live node is already named 'a'"):
        await world.start("a")
    await world.pass_s(5)
    assert world.at_rest()


async def test_a_frozen_node_of_the_name_that_wakes_up_in_time_keeps_it(world: MemberWorld) -> None:
    first = await world.start("a")
    first.deaf = True
    first.freeze()
    second = asyncio.create_task(world.member("a").membership.start())
    await world.pass_s(0.7)
    first.thaw()
    with pytest.raises(NodeNameTaken, match="keeps renewing"):
        await second


@pytest.mark.parametrize("method", ["join", "assign_many"])
async def test_a_start_that_is_cancelled_leaves_neither_a_name_nor_shards_behind(
    world: MemberWorld, method: str
) -> None:
    member = world.member("a")
    held = member.line.hold(method)  # written, and not answered yet
    starting = asyncio.create_task(member.membership.start())
    await world.pass_s(0.1)
    assert [row.name for row in (await world.store.cluster()).nodes] == ["a"]
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    held.set()
    view = await world.store.cluster()
    assert not view.nodes
    assert not any(row.owner for row in view.shards)
    assert not member.owned


async def test_who_waits_for_a_name_says_once_whose_it_is(world: MemberWorld) -> None:
    first = await world.start("a")
    first.freeze()
    second = world.member("a")
    await second.membership.start()
    (held,) = second.told(NameHeld)
    assert held == NameHeld("a", first.row.address, first.row.incarnation, world.settings.lease_s)
    assert [fact.waits_for for fact in second.told(StartWaits) if isinstance(fact, StartWaits)] == [
        "its place in the cluster as a"
    ]


async def test_a_frozen_node_of_the_name_that_does_not_wake_up_is_replaced_after_its_lease(world: MemberWorld) -> None:
    first = await world.start("a")
    await world.pass_s(2)
    first.freeze()
    second = world.member("a")
    await second.membership.start()
    await world.pass_s(1)
    assert len(second.owned) == 16
    first.thaw()
    assert not first.owned
    assert isinstance(await first.membership.failed(), NodeNameTaken)
    assert first.owner.log[-1] == "lost"


async def test_a_frozen_node_that_wakes_up_takes_no_turn_before_it_has_read_the_tables(world: MemberWorld) -> None:
    a = await world.start("a")
    b = await world.start("b")
    await world.pass_s(3)
    b.freeze()
    await world.until(lambda: len(a.owned) == 16)
    assert not b.owned
    b.thaw()
    assert not b.owned
    assert "lost" in b.owner.log
    assert await world.until(world.at_rest) < 1.0
    assert b.owner.log.index("lost") < b.owner.log.index("regained")
    assert [fact for fact in b.facts if isinstance(fact, LeaseLost | LeaseRegained)][-1] == LeaseRegained(evicted=True)


async def test_a_frozen_node_whose_calls_return_before_its_timers_fire_takes_no_turn_either(world: MemberWorld) -> None:
    for frozen_s in (1.2, 1.6, 5.0):
        a = await world.start("a")
        b = await world.start("b")
        await world.pass_s(3.1)
        b.freeze()
        await world.pass_s(frozen_s)
        await b.thaw_timers_last()
        assert not set(a.owned) & set(b.owned)
        await world.until(world.at_rest)
        await world.stop("b")
        await world.stop("a")


async def test_a_node_whose_lease_runs_out_while_it_takes_shards_takes_them_again(world: MemberWorld) -> None:
    a = world.member("a")
    a.owner.swept.clear()
    await a.membership.start()
    world.members["a"] = a
    await world.pass_s(0.5)
    assert len(a.owned) == 16
    a.line.cut = True
    await world.until(lambda: "lost" in a.owner.log)
    a.line.cut = False
    await world.until(lambda: "regained" in a.owner.log)
    await world.pass_s(0.5)
    assert a.owner.log.count("acquired") == 1 and not a.owned
    a.owner.swept.set()
    await world.until(world.at_rest)
    assert a.owner.log.count("acquired") == 2


async def test_shards_claimed_by_a_call_that_outlives_the_lease_are_not_run(world: MemberWorld) -> None:
    a = world.member("a")
    starting = asyncio.create_task(a.membership.start())
    claims = a.line.hold("assign_many")
    await world.until(lambda: "lost" in a.owner.log)
    claims.set()
    await starting
    world.members["a"] = a
    assert not a.owned
    await world.until(world.at_rest)
    assert a.owner.log.index("regained") < a.owner.log.index("acquired")


@pytest.mark.parametrize("polled", [False, True])
async def test_a_node_that_was_removed_while_its_lease_was_sure_stops_and_joins_again(
    world: MemberWorld, polled: bool
) -> None:
    a = await world.start("a")
    await world.pass_s(1)
    await world.store.leave(a.row.name, a.row.incarnation)
    if polled:
        a.membership.refresh_soon()
    await world.until(lambda: "lost" in a.owner.log, within_s=0.05 if polled else 0.5)
    await world.until(world.at_rest)
    assert a.told(LeaseRegained) == [LeaseRegained(evicted=True)]
    assert "release" not in a.owner.log


async def test_a_renewal_that_is_answered_after_the_lease_lets_nothing_start(world: MemberWorld) -> None:
    a = await world.start("a")
    renewals = a.line.hold("renew")
    await world.until(lambda: "lost" in a.owner.log)
    await world.pass_s(3)
    acquired = a.owner.log.count("acquired")
    renewals.set()
    await world.until(world.at_rest)
    assert a.owner.log[-3:] == ["lost", "regained", "acquired"]
    assert a.owner.log.count("acquired") == acquired + 1


async def test_asking_for_a_refresh_all_the_time_does_not_make_rounds_all_the_time(world: MemberWorld) -> None:
    a = await world.start("a")
    await world.pass_s(1)
    reads = a.line.calls["cluster"]
    for _ in range(1_000):
        a.membership.refresh_soon()
        await world.pass_s(0.001)
    assert a.line.calls["cluster"] - reads <= 51


async def test_an_idle_cluster_asks_little_of_the_store(world: MemberWorld) -> None:
    a = await world.start("a")
    await world.start("b")
    await world.pass_s(3)
    before = dict(a.line.calls)
    await world.pass_s(40)
    asked = {name: count - before[name] for name, count in a.line.calls.items() if count != before[name]}
    assert set(asked) == {"renew", "cluster"}
    assert asked["renew"] <= 126 and asked["cluster"] <= 2 * asked["renew"]


async def test_an_outage_of_the_store_stops_all_turns_and_evicts_nobody(world: MemberWorld) -> None:
    members = [await world.start(name) for name in "abc"]
    await world.pass_s(3)
    epochs = await world.epochs()
    for member in members:
        member.line.cut = True
    await world.pass_s(10)
    assert not any(member.owned for member in members)
    for member in members:
        member.line.cut = False
        await world.pass_s(0.3)
    assert await world.until(world.at_rest) < 0.5
    assert await world.epochs() == epochs
    assert not any(member.told(NodeEvicted) for member in members)
    assert members[0].told(LeaseRegained) == [LeaseRegained(evicted=False)]


async def test_a_store_that_hangs_evicts_nobody_either(world: MemberWorld) -> None:
    members = [await world.start(name) for name in "abc"]
    await world.pass_s(3)
    epochs = await world.epochs()
    for member in members:
        member.line.stall()
    await world.pass_s(1.3)
    for member in members:
        member.line.flow()
        await world.pass_s(0.15)
    await world.until(world.at_rest)
    assert await world.epochs() == epochs


async def test_a_jump_of_the_stores_clock_evicts_nobody(world: MemberWorld) -> None:
    members = [await world.start(name) for name in "abc"]
    await world.pass_s(3)
    epochs = await world.epochs()
    assert isinstance(world.clock, VirtualClock)
    world.clock.offset_s += 3_600
    await world.pass_s(5)
    assert world.at_rest() and await world.epochs() == epochs
    assert not any("lost" in member.owner.log for member in members)


async def test_a_node_cut_off_from_the_store_stops_by_its_own_clock_before_others_may_start(world: MemberWorld) -> None:
    a = await world.start("a")
    b = await world.start("b")
    await world.pass_s(3)
    b.line.cut = True
    stopped_s = await world.until(lambda: "lost" in b.owner.log)
    moved_s = await world.until(lambda: len(a.owned) == 16)
    assert stopped_s <= 1.5 and moved_s >= 0
    b.line.cut = False
    await world.until(world.at_rest)


async def test_a_hand_over_waits_for_the_running_turn_and_the_lease_is_kept_meanwhile(world: MemberWorld) -> None:
    a = await world.start("a")
    for shard in range(16):
        a.owner.turns["billing", shard] = asyncio.Event()
    b = await world.start("b")
    await world.pass_s(10)
    assert not b.owned
    assert "lost" not in a.owner.log
    first = next(slot for slot, name in a.membership._roster.placement.items() if name == "b")
    a.owner.turns[first].set()
    assert await world.until(lambda: b.owned == [first]) < 0.5
    for turn in a.owner.turns.values():
        turn.set()
    await world.until(world.at_rest)
    assert sum(len(fact.shards) for fact in a.told(ShardsGivenUp) if isinstance(fact, ShardsGivenUp)) == len(b.owned)


async def test_a_node_that_leaves_hands_its_shards_to_the_others_and_is_gone(world: MemberWorld) -> None:
    a = await world.start("a")
    b = await world.start("b")
    await world.pass_s(3)
    await world.stop("b")
    assert not b.owner.running and "lost" not in b.owner.log
    assert await world.until(world.at_rest) < 2 * world.settings.renew_s
    assert a.told(NodeLeft) and not a.told(NodeEvicted)
    assert {row.name for row in (await world.store.cluster()).nodes} == {"a"}


async def test_the_last_node_that_leaves_gives_its_shards_to_nobody(world: MemberWorld) -> None:
    await world.start("a")
    await world.stop("a")
    assert {row.owner for row in (await world.store.cluster()).shards} == {""}


async def test_leaving_does_not_wait_longer_than_told(world: MemberWorld) -> None:
    a = await world.start("a")
    a.owner.turns["billing", 3] = asyncio.Event()
    await world.pass_s(1)
    begin_s = world.clock.monotonic_s()
    await a.membership.leave(within_s=5)
    assert world.clock.monotonic_s() - begin_s < 6
    assert a.owner.log[-1] == "lost"
    assert not (await world.store.cluster()).nodes
    a.owner.turns["billing", 3].set()


async def test_leaving_while_the_store_is_away_ends_with_the_lease(world: MemberWorld) -> None:
    a = await world.start("a")
    a.line.cut = True
    begin_s = world.clock.monotonic_s()
    await a.membership.leave()
    assert world.clock.monotonic_s() - begin_s < 2
    assert not a.owned


async def test_a_kind_that_nobody_hosts_has_no_owner(world: MemberWorld) -> None:
    await world.start("a", "billing")
    await world.start("b", "sales")
    await world.pass_s(1)
    world.kill("b")
    await world.pass_s(5)
    view = await world.store.cluster()
    assert {row.owner for row in view.shards if row.kind == "sales"} == {""}
    assert {row.owner for row in view.shards if row.kind == "billing"} == {"a"}


async def test_a_node_restarted_with_fewer_kinds_gives_the_others_away(world: MemberWorld) -> None:
    await world.start("a", "billing", "sales")
    b = await world.start("b", "billing", "sales")
    await world.pass_s(2)
    world.kill("a")
    await world.start("a", "billing")
    await world.until(world.at_rest, within_s=3)
    assert len([slot for slot in b.owned if slot[0] == "sales"]) == 16


async def test_shards_that_could_not_be_swept_are_acquired_again(world: MemberWorld) -> None:
    member = world.member("a")
    member.owner.acquire_errors = 2
    await member.membership.start()
    world.members["a"] = member
    await world.until(world.at_rest)
    assert member.owner.log == ["acquired"] * 3


async def test_members_are_told_of_changes_and_of_nothing_else(world: MemberWorld) -> None:
    a = await world.start("a")
    await world.pass_s(5)
    told = len(a.owner.views)
    await world.pass_s(20)
    assert len(a.owner.views) == told
    await world.start("b")
    await world.pass_s(2)
    assert len(a.owner.views) > told
    assert [fact.member for fact in a.facts if isinstance(fact, NodeJoined)] == ["a", "b"]


async def test_a_bug_in_the_owner_ends_membership_loudly(world: MemberWorld) -> None:
    a = await world.start("a")
    await world.pass_s(1)

    def changed(view: object) -> None:
        raise ValueError("a bug")

    a.owner.on_view = changed  # type: ignore[method-assign]
    await world.start("b")
    assert str(await a.membership.failed()) == "a bug"
    assert not a.owned


async def test_a_node_that_spreads_kinds_otherwise_than_the_store_is_refused(world: MemberWorld) -> None:
    await world.start("a")
    world.settings = ClusterSettings(shards_per_kind=32)
    with pytest.raises(InvalidSettings, match="this store has 16 shards of 'billing'"):
        await world.start("b")
    assert {row.name for row in (await world.store.cluster()).nodes} == {"a"}


async def test_epochs_only_rise(world: MemberWorld) -> None:
    before: dict[tuple[str, int], int] = {}
    for name in ("a", "b", "c"):
        await world.start(name)
        await world.pass_s(2)
        after = await world.epochs()
        assert all(after[slot] >= epoch for slot, epoch in before.items())
        before = after
    world.kill("b")
    await world.pass_s(3)
    after = await world.epochs()
    assert sum(after.values()) > sum(before.values())
    assert all(after[slot] >= epoch for slot, epoch in before.items())


async def test_what_an_owner_begins_for_shards_after_the_lease_was_lost_is_ended(world: MemberWorld) -> None:
    a = world.member("a")
    a.owner.swept.clear()
    a.owner.begins_late = True
    await a.membership.start()
    world.members["a"] = a
    await world.pass_s(0.5)
    a.line.cut = True
    await world.until(lambda: "lost" in a.owner.log)
    a.owner.swept.set()
    await world.pass_s(0.5)
    assert a.owner.log[-1] == "release"
    assert not a.owner.running
    a.line.cut = False
    await world.until(world.at_rest)
    assert len(a.owned) == 16
