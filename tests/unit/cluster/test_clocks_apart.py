"""Members whose clocks differ by more than a lease lasts do not take each other for dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from copy import copy

import pytest

from runtime.cluster.facts import LeaseLost, NodeEvicted
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice
from tests.unit.cluster.world import MemberWorld, NodeTasks

APART_S = (-1.9, -1.5, 0.0, 1.2, 1.9, 3_600.0)


@pytest.fixture
async def world_apart() -> AsyncIterator[Callable[..., MemberWorld]]:
    """A world in which each member reads the store by a clock of its own, further ahead than the one before."""
    clock = VirtualClock(asyncio.get_running_loop())
    shared = MemoryStore(Ports(clock, Dice(0, "ids"), Dice(0, "randomness"), NodeTasks(), lambda fact: None))
    await shared.open()
    worlds: list[MemberWorld] = []

    def make(apart_s: float) -> MemberWorld:
        def connect() -> MemoryStore:
            own = copy(shared)  # of the same tables
            own._clock = VirtualClock(asyncio.get_running_loop())
            own._clock.offset_s += (worlds[0].count - 1) * apart_s
            return own

        worlds.append(MemberWorld(shared, clock, connect=connect))
        return worlds[0]

    yield make
    await worlds[0].end()


@pytest.mark.parametrize("apart_s", APART_S)
async def test_members_whose_clocks_are_apart_leave_each_other_alone(
    world_apart: Callable[..., MemberWorld], apart_s: float
) -> None:
    world = world_apart(apart_s)
    members = [await world.start(name) for name in "abc"]
    await world.pass_s(3)
    epochs = await world.epochs()
    await world.pass_s(30)
    assert await world.epochs() == epochs
    assert not any(member.told(NodeEvicted) or member.told(LeaseLost) for member in members)


@pytest.mark.parametrize("apart_s", APART_S[:-1])
async def test_whoever_dies_is_still_taken_over_later_by_no_more_than_the_clocks_are_apart(
    world_apart: Callable[..., MemberWorld], apart_s: float
) -> None:
    world = world_apart(apart_s)
    a, _ = [await world.start(name) for name in "ab"]
    await world.pass_s(3)
    world.kill("b")
    took_s = await world.until(lambda: len(a.owned) == 16, within_s=10)
    assert world.settings.lease_s - world.settings.renew_s <= took_s < world.settings.lease_s + max(0.0, apart_s) + 0.03
