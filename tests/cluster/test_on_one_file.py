"""Members with a connection each to one SQLite file, in real time; what tests/unit/cluster shows holds here as well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.adapters import SystemClock, system_ports
from runtime.cluster.facts import NodeEvicted
from runtime.cluster.lease import ClusterSettings
from runtime.errors import NodeNameTaken
from runtime.store.port import Store
from runtime.store.sqlite import SqliteStore
from runtime.testing.virtual.dice import Dice
from tests.unit.cluster.world import MemberWorld

KINDS = ("billing", "sales", "warehouse", "saga")
PATIENT = ClusterSettings(lease_s=30.0, renew_s=0.2)  # a lease so long that no slow machine lets it run out


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[MemberWorld]:
    opened: list[Store] = []

    def connect() -> Store:
        opened.append(SqliteStore(tmp_path / "amends.db", system_ports()))
        return opened[-1]

    store = connect()
    await store.open()
    world = MemberWorld(store, SystemClock(), ClusterSettings(lease_s=1.5, renew_s=0.2), connect)
    yield world
    await world.end()
    for each in reversed(opened):
        await each.close()


async def test_nodes_that_share_a_file_share_its_shards(world: MemberWorld) -> None:
    world.settings = PATIENT
    for name in ("a", "b", "c"):
        await world.start(name, *KINDS)
    await world.until(world.at_rest)
    assert all(member.owned for member in world.members.values())
    await world.stop("b")
    await world.until(world.at_rest)
    assert {row.owner for row in (await world.store.cluster()).shards} == {"a", "c"}


async def test_the_shards_of_a_killed_node_move_and_come_back_to_its_next_life(world: MemberWorld) -> None:
    a = await world.start("a", *KINDS)
    await world.start("b", *KINDS)
    await world.until(world.at_rest)
    kept = sorted(a.owned)
    world.kill("b")
    await world.until(world.at_rest)
    assert len(a.owned) == 64 and a.told(NodeEvicted)
    await world.start("b", *KINDS)
    await world.until(world.at_rest)
    assert sorted(a.owned) == kept


async def test_a_node_restarted_within_its_lease_finds_its_shards_as_it_left_them(world: MemberWorld) -> None:
    world.settings = PATIENT
    a = await world.start("a", *KINDS)
    await world.start("b", *KINDS)
    await world.until(world.at_rest)
    epochs = await world.epochs()
    world.kill("b")
    await world.start("b", *KINDS)
    await world.until(world.at_rest)
    assert await world.epochs() == epochs and not a.told(NodeEvicted)


async def test_a_second_live_node_of_a_name_is_refused_by_the_file(world: MemberWorld) -> None:
    await world.start("a")
    with pytest.raises(NodeNameTaken):
        await world.start("a")


async def test_a_frozen_node_wakes_up_to_find_its_shards_gone(world: MemberWorld) -> None:
    a = await world.start("a", *KINDS)
    b = await world.start("b", *KINDS)
    await world.until(world.at_rest)
    b.freeze()
    await world.until(lambda: len(a.owned) == 64)
    assert not b.owned
    b.thaw()
    await world.until(world.at_rest)
    assert b.owner.log.index("lost") < b.owner.log.index("regained")


async def test_members_that_come_and_go_by_chance_leave_no_shard_behind(world: MemberWorld) -> None:
    draw = Dice(7, "randomness")
    for _ in range(40):
        name = ("a", "b", "c", "d")[draw.below(4)]
        if name not in world.members:
            await world.start(name, *KINDS[: 1 + draw.below(4)])
        elif draw.below(2):
            world.kill(name)
        else:
            await world.stop(name)
        running = [slot for member in world.members.values() for slot in member.owned]
        assert len(running) == len(set(running))
    await world.until(world.at_rest)
