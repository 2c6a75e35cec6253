"""Members of a cluster come, go and die: only the share of one of them moves, and each shard is soon run again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from runtime.cluster.facts import ShardsTaken
from runtime.cluster.lease import ClusterSettings
from runtime.cluster.placement import Slot
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice
from tests.unit.cluster.world import MemberWorld, NodeTasks

KINDS = ("billing", "sales")
MEMBERS = 10
SHARDS = 100


@pytest.fixture(params=[{}, {"sales": "billing"}], ids=["apart", "beside"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[MemberWorld]:
    """Ten members of two kinds, 20 shards each; in the second of two, one of the kinds lives beside the other."""
    clock = VirtualClock(asyncio.get_running_loop())
    ports = Ports(clock, Dice(0, "ids"), Dice(0, "randomness"), NodeTasks(), lambda fact: None)
    world = MemberWorld(MemoryStore(ports), clock, ClusterSettings(shards_per_kind=SHARDS))
    world.beside = request.param
    for number in range(MEMBERS):
        await world.start(f"node-{number}", *KINDS)
    await world.until(world.at_rest)
    await world.pass_s(3)
    yield world
    await world.end()


def runs(world: MemberWorld) -> dict[Slot, str]:
    return {slot: member.name for member in world.members.values() for slot in member.owned}


def moved(before: dict[Slot, str], after: dict[Slot, str]) -> Counter[tuple[str, str]]:
    return Counter((before[slot], after[slot]) for slot in before if before[slot] != after[slot])


def taken(world: MemberWorld) -> int:
    """How many shards members have taken so far, all together."""
    facts = [fact for member in world.members.values() for fact in member.told(ShardsTaken)]
    return sum(len(fact.shards) for fact in facts if isinstance(fact, ShardsTaken))


async def test_a_newcomer_takes_its_share_and_nothing_else_moves(world: MemberWorld) -> None:
    before, had = runs(world), taken(world)
    newcomer = await world.start("newcomer", *KINDS)
    await world.until(world.at_rest)
    assert {to for _, to in moved(before, runs(world))} == {"newcomer"}
    assert taken(world) - had == len(newcomer.owned) == len(KINDS) * SHARDS // (MEMBERS + 1)


async def test_a_member_that_leaves_gives_its_share_back_and_nothing_else_moves(world: MemberWorld) -> None:
    before, had = runs(world), taken(world) - taken_by(world, "node-3")
    share = len(world.members["node-3"].owned)
    await world.stop("node-3")
    await world.until(world.at_rest)
    assert {source for source, _ in moved(before, runs(world))} == {"node-3"}
    assert taken(world) - had == share == len(KINDS) * SHARDS // MEMBERS


def taken_by(world: MemberWorld, name: str) -> int:
    return sum(len(fact.shards) for fact in world.members[name].told(ShardsTaken) if isinstance(fact, ShardsTaken))


async def test_all_that_a_dead_member_ran_is_run_again_within_two_leases(world: MemberWorld) -> None:
    before = runs(world)
    world.kill("node-3")
    assert await world.until(lambda: len(runs(world)) == len(KINDS) * SHARDS) < 2 * world.settings.lease_s
    await world.until(world.at_rest)
    assert {source for source, _ in moved(before, runs(world))} == {"node-3"}


async def test_members_that_come_and_go_at_the_same_time_are_equal_in_the_end(world: MemberWorld) -> None:
    before = runs(world)
    world.kill("node-1")
    await asyncio.gather(*(world.start(f"late-{number}", *KINDS) for number in range(3)), world.stop("node-2"))
    await world.until(world.at_rest)
    after = runs(world)
    split = Counter(after.values())
    assert max(split.values()) - min(split.values()) <= len(KINDS)
    assert (
        sum(moved(before, after).values())
        <= 3 * len(KINDS) * SHARDS / (MEMBERS + 1) + 2 * len(KINDS) * SHARDS / MEMBERS
    )
